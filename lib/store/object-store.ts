/** What a store tells about an object without its bytes. */
export interface ObjectHead {
  /** Size in bytes. */
  size: number;
  /** Entity tag as the store sent it, quotes included. */
  etag: string;
  /** User metadata: names in lower case, without the `x-amz-meta-` prefix. Untrusted. */
  attributes: Record<string, string>;
  contentType?: string;
  lastModified?: Date;
}

/** A part of an object: `length` bytes from `offset`, or its last `suffix` bytes. */
export type ByteRange = { offset: number; length: number } | { suffix: number };

export interface ObjectPart {
  bytes: Buffer;
  /** Offset of the first of these bytes in the object. */
  offset: number;
  /** Size of the whole object in bytes. */
  size: number;
  etag: string;
  /** User metadata; a GET brings it as a HEAD does. */
  attributes: Record<string, string>;
}

export interface ListedObject {
  key: string;
  size: number;
  etag: string;
  lastModified?: Date;
}

export interface ListPage {
  objects: ListedObject[];
  /** Common prefixes, when a delimiter was asked for. */
  prefixes: string[];
}

export interface PutOptions {
  contentType: string;
  /** User metadata: printable US-ASCII without outer spaces, lower-case names. */
  attributes: Record<string, string>;
  /**
   * True: fail with `OBJECT_EXISTS` when an object of this name is there, be it from an earlier attempt of this very
   * call whose answer was lost. Compare before taking it for somebody else's.
   */
  ifNoneMatch?: boolean;
  signal?: AbortSignal;
}

export interface ListOptions {
  prefix?: string;
  /**
   * Only keys after this one (exclusive), in the order of their UTF-8 bytes. Together with a delimiter stores differ
   * on whether they list the common prefix that this key itself is under.
   */
  startAfter?: string;
  delimiter?: string;
  /** Keys in one page, at most 1000. */
  pageSize?: number;
  signal?: AbortSignal;
}

/**
 * The port to object storage. Every failure is an `S3BatchError` with a store code (`BUCKET_MISSING`,
 * `OBJECT_MISSING`, `OBJECT_CHANGED`, `ACCESS_DENIED`, `STORE_…`, `ABORTED`); every call ends within the limits
 * that the store was made with.
 */
export interface ObjectStore {
  /** Writes an object whole; it is visible whole or not at all. Answers its entity tag. */
  put(bucket: string, key: string, body: Buffer, options: PutOptions): Promise<{ etag: string }>;
  head(bucket: string, key: string, options?: { signal?: AbortSignal }): Promise<ObjectHead>;
  /**
   * Reads a part of an object. With `etag`, fails with `OBJECT_CHANGED` when the object is another one by now.
   * Never answers more bytes than asked for; fewer only where the object ends (`offset + length` beyond its end).
   * @throws RANGE_INVALID when no byte of the range exists; of an empty object none does
   */
  getRange(
    bucket: string,
    key: string,
    range: ByteRange,
    options?: { etag?: string; signal?: AbortSignal },
  ): Promise<ObjectPart>;
  /** Lists page by page, in the order of the keys' UTF-8 bytes; asks for a page only when it is wanted. */
  list(bucket: string, options?: ListOptions): AsyncIterable<ListPage>;
  /** Names of all buckets that these credentials may list. */
  buckets(options?: { signal?: AbortSignal }): Promise<string[]>;
  /** Deletes an object; one that is not there counts as deleted. */
  delete(bucket: string, key: string, options?: { signal?: AbortSignal }): Promise<void>;
}
