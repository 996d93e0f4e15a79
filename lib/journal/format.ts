import { crc32c, crc32cOfWords } from '../crc32c';

/** The format on disk, as docs/journal-format.md specifies it. All numbers have their lowest byte first. */
export const FORMAT_VERSION = 1;

const MAGIC = Buffer.from('S3BATCHJ');
const COPY = 32;
/** Bytes of a segment's header: the same 32 bytes twice, so that one damaged byte does not cost the segment. */
export const HEADER_LENGTH = 2 * COPY;

/** Bytes of an entry before its body: kind and length, check of the head, check of the body. */
export const HEAD_LENGTH = 12;
const LENGTH_BITS = 29;
/** Longest body of an entry, bytes. */
export const MAX_BODY = 2 ** LENGTH_BITS - 1;

export const Kind = {
  OPEN: 1,
  SOURCE: 2,
  RECORD: 3,
  /** A record with folded line breaks. */
  FOLDED: 4,
  SEAL: 5,
  FORGET: 6,
} as const;
const LAST_KIND = 6;

export interface SegmentHeader {
  version: number;
  number: number;
  /** The segment stands for those from `first` to `number`; lower than `number` after their living entries were copied into one. */
  first: number;
  /** A secret of the folder that every check begins with: no payload can be taken for an entry. */
  salt: number;
  /** Number of the next batch when the segment was begun: numbers are not given twice. */
  nextBatch: number;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const copy = Buffer.alloc(COPY);
  MAGIC.copy(copy);
  copy.writeUInt32LE(header.version, 8);
  copy.writeUInt32LE(header.number, 12);
  copy.writeUInt32LE(header.first, 16);
  copy.writeUInt32LE(header.salt, 20);
  copy.writeUInt32LE(header.nextBatch, 24);
  copy.writeUInt32LE(crc32c(copy, 0, 28), 28);
  return Buffer.concat([copy, copy]);
}

/** The header that begins `bytes`; undefined when neither of its copies is whole. */
export function parseHeader(bytes: Buffer): SegmentHeader | undefined {
  for (let at = 0; at + COPY <= Math.min(bytes.length, HEADER_LENGTH); at += COPY) {
    const isWhole =
      bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) === 0 &&
      crc32c(bytes, at, at + 28) === bytes.readUInt32LE(at + 28);
    if (!isWhole) continue;
    return {
      version: bytes.readUInt32LE(at + 8),
      number: bytes.readUInt32LE(at + 12),
      first: bytes.readUInt32LE(at + 16),
      salt: bytes.readUInt32LE(at + 20),
      nextBatch: bytes.readUInt32LE(at + 24),
    };
  }
  return undefined;
}

/** What the head checks of a segment begin with: an entry is valid in its own segment only. */
export function seedOf(salt: number, number: number): number {
  return crc32cOfWords(salt, number);
}

/** An entry's first word. */
export function headWord(kind: number, length: number): number {
  return ((kind << LENGTH_BITS) | length) >>> 0;
}

export function kindOf(word: number): number {
  return word >>> LENGTH_BITS;
}

export function lengthOf(word: number): number {
  return word & MAX_BODY;
}

/** The check of the head of the entry at `position`: it is valid at its own place only. */
export function headCheck(seed: number, position: number, word: number): number {
  return crc32cOfWords(position, word, seed);
}

/** Whether an entry's head is at `at` in `bytes`, that is at `position` in its segment, and its body ends by `limit`. */
export function isHead(bytes: Buffer, at: number, seed: number, position: number, limit: number): boolean {
  const word = bytes.readUInt32LE(at);
  const kind = kindOf(word);
  if (kind === 0 || kind > LAST_KIND || position + HEAD_LENGTH + lengthOf(word) > limit) return false;
  return headCheck(seed, position, word) === bytes.readUInt32LE(at + 4);
}

const NAME = /^(\d{6,10})\.journal$/;

export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.journal`;
}

/** The number that a file name tells; undefined when it names no segment. */
export function segmentNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
