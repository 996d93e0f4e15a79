import { S3BatchError } from '../errors';
import { crc32c } from '../crc32c';
import { checkVersion, FORMAT_VERSION } from './format';
import { emptyMember, EMPTY_MEMBER_OVERHEAD, gunzip, MAX_SUBFIELD, readEmptyMember } from './gzip';

/*
 * What stands behind the blocks of a compressed object: the pages of the offset index and their directory in empty
 * gzip members, then the trailer in one more, of fixed length, so that a suffix range finds it.
 */

const INDEX_ID = 'OI';
const TRAILER_ID = 'OT';
const MAGIC = 'S3BATCH\n';
const TRAILER_DATA = 60;
const CHECKED = TRAILER_DATA - 4;

/** Bytes of the trailer's gzip member. */
export const TRAILER_LENGTH = EMPTY_MEMBER_OVERHEAD + TRAILER_DATA;

/** Index bytes (decompressed) that a reader takes into memory, unless told otherwise. */
export const DEFAULT_MAX_INDEX = 16 * 1024 * 1024;

/** Records in an index that a reader takes: a writer counts 32 bytes of the index for each. */
export const MAX_INDEX_RECORDS = DEFAULT_MAX_INDEX / 32;

/** Where an object's index lies and how large it is. */
export interface IndexLocation {
  /** Offset in the object of the first index member. */
  offset: number;
  /** Bytes of all index members: pages, then directory. */
  length: number;
  /** Bytes of the directory's members, the last ones. */
  directoryLength: number;
  /** Bytes of the directory's JSON. */
  directorySize: number;
}

/** What the trailer says. */
export interface Trailer extends IndexLocation {
  count: number;
  /** CRC-32C of the compressed directory; pages have the CRC-32 of gzip. */
  checksum: number;
}

/** Compressed bytes as index members, one behind the other. */
export function indexMembers(compressed: Buffer): Buffer {
  const members: Buffer[] = [];
  for (let at = 0; at < compressed.length; at += MAX_SUBFIELD) {
    members.push(emptyMember(INDEX_ID, compressed.subarray(at, at + MAX_SUBFIELD)));
  }
  return Buffer.concat(members);
}

export function writeTrailer({
  offset,
  length,
  directoryLength,
  directorySize,
  count,
  checksum,
}: Trailer): Buffer {
  const data = Buffer.alloc(TRAILER_DATA);
  data.write(MAGIC, 0, 'latin1');
  data.writeUInt32LE(FORMAT_VERSION, 8);
  [offset, length, directoryLength, directorySize, count].forEach((number, place) => {
    data.writeBigUInt64LE(BigInt(number), 12 + place * 8);
  });
  data.writeUInt32LE(checksum, 52);
  data.writeUInt32LE(crc32c(data.subarray(0, CHECKED)), CHECKED);
  return emptyMember(TRAILER_ID, data);
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
  if (crc32c(data.subarray(0, CHECKED)) !== data.readUInt32LE(CHECKED)) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the trailer of the object is damaged');
  }
  checkVersion(data.readUInt32LE(8));
  const number = (at: number): number => Number(data.readBigUInt64LE(at));
  const trailer = {
    offset: number(12),
    length: number(20),
    directoryLength: number(28),
    directorySize: number(36),
    count: number(44),
    checksum: data.readUInt32LE(52),
  };
  if (!isInside(trailer, objectSize)) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the trailer names an index outside of the object');
  }
  return trailer;
}

/** Whether index and trailer end where the object does. */
export function isInside({ offset, length, directoryLength }: IndexLocation, objectSize: number): boolean {
  return offset + length + TRAILER_LENGTH === objectSize && directoryLength <= length;
}

/**
 * The compressed bytes of a page or the directory from its members.
 * @param members exactly the bytes of these members
 * @param checksum CRC-32C of the compressed bytes, where the trailer tells it
 * @throws OBJECT_CORRUPT when they are not index members from end to end, or not those that were written
 */
export function joinIndexMembers(members: Buffer, checksum?: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < members.length;) {
    const member = readEmptyMember(members, at, INDEX_ID);
    if (!member) throw new S3BatchError('OBJECT_CORRUPT', 'the offset index is damaged');
    parts.push(member.data);
    at = member.end;
  }
  const compressed = Buffer.concat(parts);
  if (checksum !== undefined && crc32c(compressed) !== checksum)
    throw new S3BatchError('OBJECT_CORRUPT', 'the offset index is damaged');
  return compressed;
}

/** Most times that deflate can shrink its input: a larger claim about a size is a lie. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * Decompresses the JSON of a page or the directory.
 * @param size its bytes, as trailer, directory or attributes tell
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
