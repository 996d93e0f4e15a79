import { S3BatchError } from '../errors';
import {
  type Compression,
  DEFAULT_MAX_INDEX,
  type Framing,
  IndexPage,
  inflateIndex,
  joinIndexMembers,
  MAX_INDEX_RECORDS,
  type ObjectSummary,
  type PageEntry,
  parseDirectory,
  readAttributes,
  readTrailer,
  SIDECAR_SUFFIX,
  type Trailer,
  TRAILER_LENGTH,
} from '../object';
import type { ObjectStore } from '../store/object-store';
import { mergeSpans } from './ranges';
import { turnEvery } from './turns';

/** Bytes from the end of an object that bring most indexes in one request, when no attributes tell where it lies. */
const SUFFIX = 64 * 1024;
/** An index up to this size is read whole when the attributes hold no map; of a larger one first the directory. */
const READ_WHOLE = 256 * 1024;
/** Pages of the index are small and close together: one request for neighbours, unless most of it were wasted. */
const MERGE_PAGES = { gap: 64 * 1024, most: 4 * 1024 * 1024 };

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

/** The offset index of an object, or those of its pages that were wanted. */
export interface ObjectIndex {
  framing: Framing;
  compression: Compression;
  /** Records of the whole object, and its earliest and latest record time, ms since 1970. */
  count: number;
  first: number;
  last: number;
  pages: IndexPage[];
}

/** Tells by the series of their first records which pages, or blocks, are wanted. */
export type PageChoice = (pages: readonly { series: string }[], number: number) => boolean;

/** Asks for an object's attributes. One request. */
export async function headObject(
  store: ObjectStore,
  bucket: string,
  key: string,
  signal?: AbortSignal,
): Promise<HeadedObject> {
  const head = await store.head(bucket, key, signal ? { signal } : {});
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
 * Reads the pages of an object's offset index that are wanted: from its attributes when they are there, else with one
 * ranged GET where the attributes hold the map of the pages, with two or three where they do not.
 * @throws OBJECT_FOREIGN, OBJECT_VERSION, OBJECT_CORRUPT, OBJECT_TOO_LARGE, OBJECT_CHANGED, or what the store says
 */
export async function readIndex(
  store: ObjectStore,
  object: HeadedObject,
  wanted: PageChoice = () => true,
  signal?: AbortSignal,
): Promise<ObjectIndex> {
  const { summary } = object;
  if (summary?.index === 'sidecar') return readSidecar(store, object, signal);
  const tail = new Tail(store, object, signal);
  if (!summary?.pages) {
    try {
      return await readByDirectory(tail, object, wanted);
    } catch (error) {
      if (summary || !(error instanceof S3BatchError) || error.code !== 'OBJECT_FOREIGN') throw error;
      // A plain object whose attributes were lost has its index in the sidecar, if it is ours at all.
      return readSidecar(store, object, signal);
    }
  }
  const { framing, count, first, last, pages } = summary;
  const chosen = choose(pages, wanted, object.key);
  const loaded = summary.pageBytes
    ? await Promise.all(chosen.map((page) => openPage(page, summary.pageBytes ?? Buffer.alloc(0))))
    : await readPages(tail, chosen);
  return { framing, compression: 'gzip', count, first, last, pages: loaded };
}

/** An object's last bytes as far as they were read; more are fetched when they are asked for. */
class Tail {
  #from: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(
    private readonly store: ObjectStore,
    private readonly object: HeadedObject,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#from = object.size;
  }

  /** Fetches everything from `offset` on. */
  async load(offset: number): Promise<void> {
    if (offset >= this.#from) return;
    this.#bytes = Buffer.concat([await this.#fetch(offset, this.#from - offset), this.#bytes]);
    this.#from = offset;
  }

  async range(offset: number, length: number): Promise<Buffer> {
    const start = offset - this.#from;
    if (start >= 0) return this.#bytes.subarray(start, start + length);
    return this.#fetch(offset, length);
  }

  async #fetch(offset: number, length: number): Promise<Buffer> {
    const { bucket, key, etag } = this.object;
    if (length > DEFAULT_MAX_INDEX) throw tooLarge(key, length);
    const options = { etag, ...(this.signal && { signal: this.signal }) };
    const { bytes } = await this.store.getRange(bucket, key, { offset, length }, options);
    return bytes;
  }
}

function tooLarge(key: string, length: number): S3BatchError {
  return new S3BatchError(
    'OBJECT_TOO_LARGE',
    `the offset index of ${key} takes ${length} bytes, more than the ${DEFAULT_MAX_INDEX} that this reader takes`,
  );
}

/** Without a map in the attributes: trailer and directory first, unless the whole index is small. */
async function readByDirectory(tail: Tail, object: HeadedObject, wanted: PageChoice): Promise<ObjectIndex> {
  const trailer = await readTail(tail, object);
  checkLength(trailer.directoryLength, trailer.directorySize, object.key);
  const directoryOffset = trailer.offset + trailer.length - trailer.directoryLength;
  await tail.load(trailer.length <= READ_WHOLE ? trailer.offset : directoryOffset);
  const members = await tail.range(directoryOffset, trailer.directoryLength);
  const compressed = joinIndexMembers(members, trailer.checksum);
  const json = await inflateIndex(compressed, trailer.directorySize);
  const directory = parseDirectory(json, trailer.offset, trailer.length - trailer.directoryLength);
  if (directory.count !== trailer.count) {
    throw new S3BatchError('OBJECT_CORRUPT', `the trailer and the index of ${object.key} disagree`);
  }
  const { framing, compression, count, first, last, pages } = directory;
  const chosen = choose(pages, wanted, object.key);
  return { framing, compression, count, first, last, pages: await readPages(tail, chosen) };
}

async function readTail(tail: Tail, { key, size, summary }: HeadedObject): Promise<Trailer> {
  if (size < TRAILER_LENGTH) {
    throw new S3BatchError('OBJECT_FOREIGN', `${key} is too small to hold an offset index`);
  }
  const location = summary?.index;
  if (location === undefined || location === 'sidecar') await tail.load(Math.max(0, size - SUFFIX));
  else {
    const { offset, length, directoryLength, directorySize } = location;
    checkLength(directoryLength, directorySize, key);
    await tail.load(length <= READ_WHOLE ? offset : offset + length - directoryLength);
  }
  return readTrailer(await tail.range(size - TRAILER_LENGTH, TRAILER_LENGTH), size);
}

/** Pages that are wanted. All of them together are bounded as one is, so that many take no more memory. */
function choose(pages: readonly PageEntry[], wanted: PageChoice, key: string): PageEntry[] {
  const chosen = pages.filter((_, number) => wanted(pages, number));
  const size = chosen.reduce((sum, page) => sum + page.size, 0);
  if (size > DEFAULT_MAX_INDEX) throw tooLarge(key, size);
  checkRecords(
    chosen.reduce((sum, page) => sum + page.records, 0),
    key,
  );
  for (const page of chosen) checkLength(page.indexLength, page.size, key);
  return chosen;
}

/** Each record becomes an entry in memory, however little the index says of it. */
function checkRecords(records: number, key: string): void {
  if (records <= MAX_INDEX_RECORDS) return;
  throw new S3BatchError(
    'OBJECT_TOO_LARGE',
    `the offset index of ${key} has ${records} records to look through, more than the ${MAX_INDEX_RECORDS} that this reader takes: ask for fewer series`,
  );
}

/** Compressed bytes are never many more than those that they hold: a larger claim would fetch what is no index. */
function checkLength(length: number, size: number, key: string): void {
  if (size > DEFAULT_MAX_INDEX) throw tooLarge(key, size);
  if (length <= size * 1.1 + 1024) return;
  throw new S3BatchError('OBJECT_CORRUPT', `the offset index of ${key} cannot be as long as the object says`);
}

/** Reads pages with as few requests as they lie together. */
async function readPages(tail: Tail, pages: readonly PageEntry[]): Promise<IndexPage[]> {
  const spans = pages.map((page) => ({ offset: page.indexOffset, length: page.indexLength, page }));
  const loaded: IndexPage[] = [];
  for (const { offset, length, parts } of mergeSpans(spans, MERGE_PAGES)) {
    const bytes = await tail.range(offset, length);
    for (const { offset: at, length: own, page } of parts) {
      loaded.push(await openPage(page, joinIndexMembers(bytes.subarray(at - offset, at - offset + own))));
    }
  }
  return loaded;
}

async function openPage(page: PageEntry, compressed: Buffer): Promise<IndexPage> {
  return checkedPage(await inflateIndex(compressed, page.size), page);
}

function checkedPage(json: Buffer, page: Pick<PageEntry, 'offset' | 'length' | 'records'>): IndexPage {
  const opened = new IndexPage(json, page);
  if (opened.count === page.records) return opened;
  throw new S3BatchError('OBJECT_CORRUPT', 'a page of the offset index and its entry in the map disagree');
}

/** The index of a plain object: an object of its own, with one page a line. */
async function readSidecar(
  store: ObjectStore,
  object: HeadedObject,
  signal: AbortSignal | undefined,
): Promise<ObjectIndex> {
  const key = object.key + SIDECAR_SUFFIX;
  let bytes: Buffer;
  try {
    const range = { offset: 0, length: DEFAULT_MAX_INDEX };
    const part = await store.getRange(object.bucket, key, range, signal ? { signal } : {});
    if (part.size > part.bytes.length) throw tooLarge(object.key, part.size);
    bytes = part.bytes;
  } catch (error) {
    // An object that is empty has no range.
    if (!(error instanceof S3BatchError && ['OBJECT_MISSING', 'RANGE_INVALID'].includes(error.code)))
      throw error;
    throw new S3BatchError(
      'OBJECT_FOREIGN',
      `${object.key} has no offset index: it does not end in one, and there is no object ${key}, or an empty one`,
      { cause: error },
    );
  }
  // A gzip stream ends in the size of what it holds; it is checked before anything is decompressed.
  const size = bytes.length >= 4 ? bytes.readUInt32LE(bytes.length - 4) : 0;
  const pages = await pagesOfLines(await inflateIndex(bytes, size), object.size);
  const [page] = pages;
  if (!page || isOther(object.summary, page)) {
    throw new S3BatchError('OBJECT_CHANGED', `${key} is the index of another object than ${object.key}`);
  }
  const { framing, compression } = page;
  const count = pages.reduce((sum, own) => sum + own.count, 0);
  checkRecords(count, object.key);
  return {
    framing,
    compression,
    count,
    first: pages.reduce((least, { first }) => Math.min(least, first), Infinity),
    last: pages.reduce((most, { last }) => Math.max(most, last), -Infinity),
    pages,
  };
}

/** The identity of the batch may be missing among the attributes: it is left out when it does not fit. */
function isOther(summary: ObjectSummary | undefined, page: IndexPage): boolean {
  return summary !== undefined && summary.batch !== '' && summary.batch !== page.batch;
}

async function pagesOfLines(lines: Buffer, dataLength: number): Promise<IndexPage[]> {
  const pages: IndexPage[] = [];
  const turn = turnEvery(1);
  let offset = 0;
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(0x0a, at);
    if (end < 0) break;
    const page = new IndexPage(lines.subarray(at, end), { offset });
    offset = page.end;
    pages.push(page);
    await turn();
    at = end + 1;
  }
  if (offset !== dataLength) {
    throw new S3BatchError(
      'OBJECT_CHANGED',
      'the sidecar index does not cover the object: it is of another one',
    );
  }
  return pages;
}
