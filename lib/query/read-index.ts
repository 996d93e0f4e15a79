import { S3BatchError } from '../errors';
import {
  DEFAULT_MAX_INDEX,
  inflateIndex,
  joinIndexMembers,
  type ObjectSummary,
  OffsetIndex,
  readAttributes,
  readTrailer,
  SIDECAR_SUFFIX,
  TRAILER_LENGTH,
} from '../object';
import type { ObjectHead, ObjectStore } from '../store/object-store';

/** Bytes from the end of an object that bring most indexes in one request, when no attributes tell where it lies. */
const SUFFIX = 64 * 1024;

/** An object as HEAD shows it. */
export interface HeadedObject {
  bucket: string;
  key: string;
  size: number;
  etag: string;
  lastModified?: Date;
  /** User metadata as it is on the object. */
  attributes: Record<string, string>;
  /** What the attributes tell; undefined when they are missing. */
  summary: ObjectSummary | undefined;
}

/** Asks for an object's attributes. One request. */
export async function headObject(
  store: ObjectStore,
  bucket: string,
  key: string,
  signal?: AbortSignal,
): Promise<HeadedObject> {
  const head: ObjectHead = await store.head(bucket, key, signal ? { signal } : {});
  return {
    bucket,
    key,
    size: head.size,
    etag: head.etag,
    ...(head.lastModified && { lastModified: head.lastModified }),
    attributes: head.attributes,
    summary: readAttributes(head.attributes, head.size),
  };
}

/**
 * Reads an object's offset index: from its attributes when it is there, else with one ranged GET, or, without
 * attributes, from the object's end with one or two.
 * @throws OBJECT_FOREIGN, OBJECT_VERSION, OBJECT_CORRUPT, OBJECT_TOO_LARGE, OBJECT_CHANGED, or what the store says
 */
export async function readIndex(
  store: ObjectStore,
  object: HeadedObject,
  signal?: AbortSignal,
): Promise<OffsetIndex> {
  const { summary } = object;
  if (summary?.index === 'sidecar') return readSidecar(store, object, signal);
  if (summary?.indexBytes && summary.index.size === summary.indexSize) {
    return new OffsetIndex(await inflateIndex(summary.indexBytes, summary.index.size), summary.index.offset);
  }
  const from = summary ? summary.index.offset : Math.max(0, object.size - SUFFIX);
  return readTail(store, object, from, signal);
}

/** Reads the object from `from` to its end, and what of the index lies before that. */
async function readTail(
  store: ObjectStore,
  object: HeadedObject,
  from: number,
  signal: AbortSignal | undefined,
): Promise<OffsetIndex> {
  if (object.size < TRAILER_LENGTH) {
    throw new S3BatchError('OBJECT_FOREIGN', `${object.key} is too small to hold an offset index`);
  }
  const range = (offset: number, end: number) => readRange(store, object, offset, end - offset, signal);
  const tail = await range(from, object.size);
  let trailer;
  try {
    trailer = readTrailer(tail, object.size);
  } catch (error) {
    if (object.summary || !(error instanceof S3BatchError) || error.code !== 'OBJECT_FOREIGN') throw error;
    // A plain object whose attributes were lost: its index is the sidecar, if it is ours at all.
    return readSidecar(store, object, signal, error);
  }
  const members =
    trailer.offset >= from
      ? tail.subarray(trailer.offset - from, trailer.offset - from + trailer.length)
      : Buffer.concat([await range(trailer.offset, from), tail]).subarray(0, trailer.length);
  const compressed = joinIndexMembers(members, trailer.checksum);
  const index = new OffsetIndex(await inflateIndex(compressed, trailer.size), trailer.offset);
  if (index.count !== trailer.count) {
    throw new S3BatchError('OBJECT_CORRUPT', `the trailer and the index of ${object.key} disagree`);
  }
  return index;
}

async function readRange(
  store: ObjectStore,
  object: HeadedObject,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  if (length > DEFAULT_MAX_INDEX) {
    throw new S3BatchError(
      'OBJECT_TOO_LARGE',
      `the offset index of ${object.key} takes ${length} bytes, more than the ${DEFAULT_MAX_INDEX} that this reader takes`,
    );
  }
  const part = await store.getRange(
    object.bucket,
    object.key,
    { offset, length },
    { etag: object.etag, ...(signal && { signal }) },
  );
  return part.bytes;
}

async function readSidecar(
  store: ObjectStore,
  object: HeadedObject,
  signal: AbortSignal | undefined,
  foreign?: S3BatchError,
): Promise<OffsetIndex> {
  const key = object.key + SIDECAR_SUFFIX;
  let bytes: Buffer;
  try {
    const part = await store.getRange(
      object.bucket,
      key,
      { offset: 0, length: DEFAULT_MAX_INDEX },
      signal ? { signal } : {},
    );
    if (part.size > part.bytes.length) {
      throw new S3BatchError(
        'OBJECT_TOO_LARGE',
        `${key} is ${part.size} bytes, more than the ${DEFAULT_MAX_INDEX} that this reader takes`,
      );
    }
    bytes = part.bytes;
  } catch (error) {
    if (!(error instanceof S3BatchError) || error.code !== 'OBJECT_MISSING') throw error;
    throw (
      foreign ??
      new S3BatchError(
        'OBJECT_FOREIGN',
        `the offset index of ${object.key} is missing: it should be the object ${key}`,
        {
          cause: error,
        },
      )
    );
  }
  // A gzip stream ends in the size of what it holds; the bound on it is checked before anything is decompressed.
  const size = bytes.length >= 4 ? bytes.readUInt32LE(bytes.length - 4) : 0;
  const index = new OffsetIndex(await inflateIndex(bytes, size), object.size);
  if (object.summary && object.summary.batch !== index.batch) {
    throw new S3BatchError('OBJECT_CHANGED', `${key} is the index of another object than ${object.key}`);
  }
  return index;
}
