/** What a layout makes of one message, for people. */
export interface LayoutPreview {
  bucket: string;
  /** Which row of the bucket table names the bucket, from 1 on; undefined when no row's filter matches. */
  bucketRow: number | undefined;
  /** Name of the object that a batch of this record alone would have. */
  objectName: string;
  series: string;
  /** The record's time, ISO 8601 in UTC. */
  time: string;
  /** The offset key. */
  key: string;
  /** Values of the topic's levels by name. */
  levels: Readonly<Record<string, string>>;
  /** What is out of the ordinary with the record or its place. */
  notes: PreviewNote[];
}

export type PreviewNote =
  /** The topic does not fit the pattern. */
  | 'unmatchedTopic'
  /** It does not fit, and the row needs a level: the bucket is the one for such records. */
  | 'unmatchedBucket'
  /** The payload tells no time; it is that of the arrival. */
  | 'arrivalTime'
  /** A payload field that bucket, object name or key take is missing. */
  | 'fieldMissing'
  /** The names make no valid bucket, so it was changed to the closest valid name. */
  | 'bucketChanged'
  | 'decompressed'
  | 'notDecompressed'
  /** The payload is no JSON: it has no fields. */
  | 'notJson';
