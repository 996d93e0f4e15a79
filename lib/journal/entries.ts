import { HEAD_LENGTH, headWord, Kind } from './format';

/** Where a record comes from, as texts that mean nothing to the journal. */
export interface JournalSource {
  topic: string;
  series: string;
}

/** Bytes of a record's body before its line breaks and bytes: batch, ordinal, source, flags, time. */
export const RECORD_LENGTH = 24;

/** Entries as they lie in a segment, their checks not filled in yet. Texts are UTF-8. */
export function openEntry(batch: number, id: string, description: string): Buffer {
  return textEntry(Kind.OPEN, [batch, Buffer.byteLength(id)], id + description);
}

export function sourceEntry(batch: number, number: number, { topic, series }: JournalSource): Buffer {
  return textEntry(Kind.SOURCE, [batch, number, Buffer.byteLength(topic)], topic + series);
}

/** @param records how many the batch was given in all */
export function sealEntry(batch: number, records: number, description: string): Buffer {
  return textEntry(Kind.SEAL, [batch, records], description);
}

export function forgetEntry(batch: number): Buffer {
  return textEntry(Kind.FORGET, [batch], '');
}

function textEntry(kind: number, numbers: readonly number[], text: string): Buffer {
  const start = HEAD_LENGTH + 4 * numbers.length;
  const entry = Buffer.alloc(start + Buffer.byteLength(text));
  entry.writeUInt32LE(headWord(kind, entry.length - HEAD_LENGTH), 0);
  numbers.forEach((number, place) => entry.writeUInt32LE(number, HEAD_LENGTH + 4 * place));
  entry.write(text, start);
  return entry;
}

/** Bytes of a record's entry with its head. */
export function recordEntryLength(bytes: number, lineBreaks: readonly number[] | undefined): number {
  return HEAD_LENGTH + RECORD_LENGTH + (lineBreaks ? 4 + 4 * lineBreaks.length : 0) + bytes;
}

/** Writes a record's entry, all but its bytes and its checks, to `target` at `at`; answers where its bytes go. */
export function writeRecord(
  target: Buffer,
  at: number,
  length: number,
  batch: number,
  ordinal: number,
  source: number,
  flags: number,
  time: number,
  lineBreaks: readonly number[] | undefined,
): number {
  target.writeUInt32LE(headWord(lineBreaks ? Kind.FOLDED : Kind.RECORD, length - HEAD_LENGTH), at);
  const body = at + HEAD_LENGTH;
  target.writeUInt32LE(batch, body);
  target.writeUInt32LE(ordinal, body + 4);
  target.writeUInt32LE(source, body + 8);
  target.writeUInt32LE(flags, body + 12);
  target.writeDoubleLE(time, body + 16);
  let next = body + RECORD_LENGTH;
  if (lineBreaks) {
    next = target.writeUInt32LE(lineBreaks.length, next);
    for (const lineBreak of lineBreaks) next = target.writeUInt32LE(lineBreak, next);
  }
  return next;
}

/** The batch that an entry is of; `body` is where its body begins. */
export function batchOf(bytes: Buffer, body: number): number {
  return bytes.readUInt32LE(body);
}

/** Second number of an entry: a record's ordinal in its batch, a source's number, a seal's count of records. */
export function ordinalOf(bytes: Buffer, body: number): number {
  return bytes.readUInt32LE(body + 4);
}

/** Number of a record's source. */
export function sourceOf(bytes: Buffer, body: number): number {
  return bytes.readUInt32LE(body + 8);
}

/** Bytes of the record that the body `[body, end)` holds, without all that stands before them. */
export function recordBytes(kind: number, bytes: Buffer, body: number, end: number): number {
  const start = body + RECORD_LENGTH;
  return end - start - (kind === Kind.FOLDED ? 4 + 4 * bytes.readUInt32LE(start) : 0);
}

export function readOpen(bytes: Buffer, body: number, end: number): { id: string; description: string } {
  const middle = body + 8 + bytes.readUInt32LE(body + 4);
  return { id: bytes.toString('utf8', body + 8, middle), description: bytes.toString('utf8', middle, end) };
}

export function readSource(bytes: Buffer, body: number, end: number): JournalSource {
  const middle = body + 12 + bytes.readUInt32LE(body + 8);
  return { topic: bytes.toString('utf8', body + 12, middle), series: bytes.toString('utf8', middle, end) };
}

export function readSeal(bytes: Buffer, body: number, end: number): string {
  return bytes.toString('utf8', body + 8, end);
}

export interface StoredRecord {
  time: number;
  flags: number;
  /** A view: valid until the next one is read. */
  bytes: Buffer;
  lineBreaks: number[] | undefined;
}

export function readRecord(kind: number, bytes: Buffer, body: number, end: number): StoredRecord {
  let start = body + RECORD_LENGTH;
  let lineBreaks: number[] | undefined;
  if (kind === Kind.FOLDED) {
    lineBreaks = new Array<number>(bytes.readUInt32LE(start));
    start += 4;
    for (let place = 0; place < lineBreaks.length; place++, start += 4) {
      lineBreaks[place] = bytes.readUInt32LE(start);
    }
  }
  return {
    time: bytes.readDoubleLE(body + 16),
    flags: bytes.readUInt32LE(body + 12),
    bytes: bytes.subarray(start, end),
    lineBreaks,
  };
}
