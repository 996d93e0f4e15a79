import { S3BatchError } from '../errors';
import { crc32c } from './crc32c';
import { checkVersion, FORMAT_VERSION } from './format';
import { emptyMember, EMPTY_MEMBER_OVERHEAD, gunzip, MAX_SUBFIELD, readEmptyMember } from './gzip';

/*
 * What stands behind the blocks of a compressed object: the offset index in empty gzip members, then the trailer
 * in one more, of fixed length, so that a suffix range finds it.
 */

const INDEX_ID = 'OI';
const TRAILER_ID = 'OT';
const MAGIC = 'S3BATCH\n';
const TRAILER_DATA = 52;

/** Bytes of the trailer's gzip member. */
export const TRAILER_LENGTH = EMPTY_MEMBER_OVERHEAD + TRAILER_DATA;

/** Index bytes (decompressed) that a reader takes into memory, unless told otherwise. */
export const DEFAULT_MAX_INDEX = 64 * 1024 * 1024;

/** Where an object's index lies and how large it is. */
export interface IndexLocation {
  /** Offset in the object of the first index member. */
  offset: number;
  /** Bytes of all index members. */
  length: number;
  /** Bytes of the index's JSON. */
  size: number;
}

/** What the trailer says. */
export interface Trailer extends IndexLocation {
  count: number;
  /** CRC-32C of the compressed index. */
  checksum: number;
}

/** The index members and the trailer of an object whose blocks end at `dataLength`. */
export function writeTail(
  compressedIndex: Buffer,
  indexSize: number,
  count: number,
  dataLength: number,
): { index: Buffer; trailer: Buffer } {
  const members: Buffer[] = [];
  for (let at = 0; at < compressedIndex.length; at += MAX_SUBFIELD) {
    members.push(emptyMember(INDEX_ID, compressedIndex.subarray(at, at + MAX_SUBFIELD)));
  }
  const index = Buffer.concat(members);
  const data = Buffer.alloc(TRAILER_DATA);
  data.write(MAGIC, 0, 'latin1');
  data.writeUInt32LE(FORMAT_VERSION, 8);
  data.writeBigUInt64LE(BigInt(dataLength), 12);
  data.writeBigUInt64LE(BigInt(index.length), 20);
  data.writeBigUInt64LE(BigInt(indexSize), 28);
  data.writeBigUInt64LE(BigInt(count), 36);
  data.writeUInt32LE(crc32c(compressedIndex), 44);
  data.writeUInt32LE(crc32c(data.subarray(0, 48)), 48);
  return { index, trailer: emptyMember(TRAILER_ID, data) };
}

/**
 * Reads the trailer from the last bytes of an object.
 * @param suffix the object's last bytes, at least `TRAILER_LENGTH` of them
 * @param objectSize size of the whole object
 * @throws OBJECT_FOREIGN when there is no trailer, OBJECT_VERSION when it is of a later format, OBJECT_CORRUPT
 * when its numbers cannot be true
 */
export function readTrailer(suffix: Buffer, objectSize: number): Trailer {
  const member =
    suffix.length >= TRAILER_LENGTH
      ? readEmptyMember(suffix, suffix.length - TRAILER_LENGTH, TRAILER_ID)
      : undefined;
  const data = member?.data;
  if (data?.length !== TRAILER_DATA || data.toString('latin1', 0, 8) !== MAGIC) {
    throw new S3BatchError(
      'OBJECT_FOREIGN',
      'the object does not end in an offset index: it was not written by s3-batch-out, or it was cut',
    );
  }
  if (crc32c(data.subarray(0, 48)) !== data.readUInt32LE(48)) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the trailer of the object is damaged');
  }
  checkVersion(data.readUInt32LE(8));
  const [offset, length, size, count] = [12, 20, 28, 36].map((at) => Number(data.readBigUInt64LE(at))) as [
    number,
    number,
    number,
    number,
  ];
  if (offset + length + TRAILER_LENGTH !== objectSize) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the trailer names an index outside of the object');
  }
  return { offset, length, size, count, checksum: data.readUInt32LE(44) };
}

/**
 * The compressed index from its members.
 * @param members exactly the bytes from `IndexLocation.offset`, `IndexLocation.length` of them
 * @param checksum CRC-32C of the compressed index, from the trailer
 * @throws OBJECT_CORRUPT when they are not index members from end to end, or not those that were written
 */
export function joinIndexMembers(members: Buffer, checksum: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < members.length;) {
    const member = readEmptyMember(members, at, INDEX_ID);
    if (!member) throw new S3BatchError('OBJECT_CORRUPT', 'the offset index is damaged');
    parts.push(member.data);
    at = member.end;
  }
  const compressed = Buffer.concat(parts);
  if (crc32c(compressed) !== checksum)
    throw new S3BatchError('OBJECT_CORRUPT', 'the offset index is damaged');
  return compressed;
}

/** Most times that deflate can shrink its input: a larger claim about a size is a lie. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * Decompresses the index's JSON.
 * @param size bytes of the JSON, as trailer or attributes tell
 * @throws OBJECT_TOO_LARGE before memory is taken, OBJECT_CORRUPT when bytes and size do not agree
 */
export async function inflateIndex(
  compressed: Buffer,
  size: number,
  maxIndex = DEFAULT_MAX_INDEX,
): Promise<Buffer> {
  if (size > maxIndex) {
    throw new S3BatchError(
      'OBJECT_TOO_LARGE',
      `the offset index is ${size} bytes, more than the ${maxIndex} that this reader takes`,
    );
  }
  if (size > compressed.length * MAX_DEFLATE_RATIO) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the offset index cannot be as large as the object says');
  }
  return gunzip(compressed, size, 'the offset index');
}
