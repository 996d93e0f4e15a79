import { isUtf8 } from 'node:buffer';

import { S3BatchError } from '../errors';
import { RecordFlag } from '../record';

/**
 * How records follow each other in an object.
 * - `newline`: NDJSON, one JSON text a line
 * - `length`: each payload behind its length in bytes (unsigned 32 bits, big-endian)
 * - `none`: payloads back to back; only the offset index tells them apart
 */
export type Framing = 'newline' | 'length' | 'none';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
/** More line breaks than this in one payload are not worth their place in the index. */
const MAX_LINE_BREAKS = 1000;

/** What `frame` found out about a payload. */
export interface FramedPayload {
  /** The record's bytes without the frame; the payload itself where it could stay as it is. */
  body: Buffer;
  /** `RecordFlag` bits: TEXT, BASE64, FOLDED or 0. */
  flags: number;
  /** For FOLDED: per line break its distance from the one before (first: from 0), doubled, plus 1 when it is a CR. */
  lineBreaks?: number[];
}

/**
 * Makes a payload into a line of NDJSON from which `unframe` restores its exact bytes: JSON stays as it is, JSON
 * over several lines is folded to one, other text becomes a JSON string, other bytes a JSON string of base64.
 * @param json the payload is exactly one valid JSON text
 * @param lineBreaks CR or LF occurs in that JSON text
 */
export function toLine(payload: Buffer, json: boolean, lineBreaks: boolean): FramedPayload {
  if (json && !lineBreaks) return { body: payload, flags: 0 };
  if (json) {
    const folded = fold(payload);
    if (folded) return folded;
  }
  return isUtf8(payload)
    ? { body: Buffer.from(JSON.stringify(payload.toString('utf8'))), flags: RecordFlag.TEXT }
    : { body: Buffer.from(`"${payload.toString('base64')}"`), flags: RecordFlag.BASE64 };
}

/** Inside valid JSON a CR or LF can only stand between tokens, where a space means the same. */
function fold(payload: Buffer): FramedPayload | undefined {
  const body = Buffer.from(payload);
  const lineBreaks: number[] = [];
  let previous = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte !== LF && byte !== CR) continue;
    if (lineBreaks.length === MAX_LINE_BREAKS) return undefined;
    lineBreaks.push((at - previous) * 2 + (byte === CR ? 1 : 0));
    previous = at;
    body[at] = SPACE;
  }
  return { body, flags: RecordFlag.FOLDED, lineBreaks };
}

/** Bytes that the frame adds to a record's body. */
export function frameOverhead(framing: Framing): number {
  return framing === 'newline' ? 1 : framing === 'length' ? 4 : 0;
}

/** Writes the frame around a body of `length` bytes that begins at `bodyStart(framing, at)`. */
export function writeFrame(framing: Framing, target: Buffer, at: number, length: number): void {
  if (framing === 'newline') target[at + length] = LF;
  else if (framing === 'length') target.writeUInt32BE(length, at);
}

/** Where a record's body begins when the record begins at `at`. */
export function bodyStart(framing: Framing, at: number): number {
  return framing === 'length' ? at + 4 : at;
}

/**
 * The exact payload of a framed record.
 * @param record the record's bytes with their frame
 * @param lineBreaks what the index keeps for a FOLDED record
 * @throws OBJECT_CORRUPT when frame, flags and bytes do not agree
 */
export function unframe(
  framing: Framing,
  record: Buffer,
  flags: number,
  lineBreaks: readonly number[] | undefined,
): Buffer {
  if (framing === 'none') return record;
  if (framing === 'length') {
    if (record.length < 4 || record.readUInt32BE(0) !== record.length - 4) {
      throw new S3BatchError('OBJECT_CORRUPT', 'a length prefix and the offset index disagree');
    }
    return record.subarray(4);
  }
  if (record[record.length - 1] !== LF) {
    throw new S3BatchError('OBJECT_CORRUPT', 'a line does not end where the offset index says');
  }
  const line = record.subarray(0, record.length - 1);
  if (flags & RecordFlag.TEXT) return Buffer.from(jsonString(line), 'utf8');
  if (flags & RecordFlag.BASE64) return Buffer.from(jsonString(line), 'base64');
  if (flags & RecordFlag.FOLDED) return unfold(line, lineBreaks);
  return line;
}

function jsonString(line: Buffer): string {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch (error) {
    throw new S3BatchError('OBJECT_CORRUPT', 'an encoded line is not valid JSON', { cause: error });
  }
  if (typeof value !== 'string')
    throw new S3BatchError('OBJECT_CORRUPT', 'an encoded line is not a JSON string');
  return value;
}

function unfold(line: Buffer, lineBreaks: readonly number[] | undefined): Buffer {
  if (!lineBreaks) throw new S3BatchError('OBJECT_CORRUPT', 'the line breaks of a folded line are missing');
  const payload = Buffer.from(line);
  let at = 0;
  for (const entry of lineBreaks) {
    at += Math.floor(entry / 2);
    if (payload[at] !== SPACE)
      throw new S3BatchError('OBJECT_CORRUPT', 'a folded line break is not where the index says');
    payload[at] = entry % 2 === 1 ? CR : LF;
  }
  return payload;
}
