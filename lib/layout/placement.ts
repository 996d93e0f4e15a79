import type { Partition } from './partition';

/** A topic and what the layout reads from it. */
export interface TopicInfo {
  readonly topic: string;
  /** Whether the topic fits the layout's pattern. */
  readonly matched: boolean;
  /** Values of the named levels by name; none when the topic does not fit. */
  readonly levels: Readonly<Record<string, string>>;
}

/** Where records go together: bucket, the records' values in the object name, and time partition. */
export interface Destination {
  /** Equal for equal destinations, different for different ones: bucket, values and partition joined by '/'. */
  readonly id: string;
  readonly bucket: string;
  /** Values of the record variables in the object name by name, encoded as they stand there. */
  readonly values: Readonly<Record<string, string>>;
  readonly partition: Partition;
}

const NO_TOPIC: TopicInfo = { topic: '', matched: false, levels: {} };
const NOWHERE: Destination = { id: '', bucket: '', values: {}, partition: { name: '', start: 0, end: 0 } };

/**
 * Where a record goes and what it is called; `Layout.resolve` fills one in. Made once and used for message after
 * message, so whoever keeps anything keeps the values, not this.
 */
export class Placement {
  /** The payload, decompressed where the layout asks for it. */
  bytes: Buffer = Buffer.alloc(0);
  /** Whether `bytes` are exactly one JSON text in UTF-8. */
  json = false;
  /** Whether a line feed or carriage return stands between the tokens of that JSON text. */
  lineBreaks = false;
  /** The record's time in ms since the epoch. */
  time = 0;
  /** RecordFlag bits. */
  flags = 0;
  topic: TopicInfo = NO_TOPIC;
  /** The offset key without its time. */
  series = '';
  destination: Destination = NOWHERE;
}
