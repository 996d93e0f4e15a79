import { S3BatchError } from '../errors';
import { offsetKey } from '../layout';
import type { Block, IndexPage } from '../object';
import { headObject, type HeadedObject, type ObjectIndex, readIndex } from '../query/read-index';
import type { ObjectStore } from '../store/object-store';

/** An object by its name, and by its entity tag when it was seen before. */
export interface ObjectPlace {
  bucket: string;
  key: string;
  etag?: string | undefined;
}

/** One page of an object's offset index. */
export interface MapPage {
  head: HeadedObject;
  index: Omit<ObjectIndex, 'pages'>;
  page: IndexPage;
  /** Its number, and how many there are. */
  number: number;
  pages: number;
}

/** A part of a list, and where the rest of it begins. */
export interface Part<T> {
  items: T[];
  /** Length of the whole list. */
  total: number;
  /** Where the next part begins; undefined when this was the last one. */
  next?: number;
}

/** A block as a reader fetches it. */
export interface MapBlock {
  /** Series of its first record. */
  series: string;
  /** Offset and length in the object, and bytes after decompression. */
  offset: number;
  length: number;
  size: number;
  records: number;
}

/** The records of one series in a page. */
export interface MapSeries {
  /** Its number in the page. */
  number: number;
  series: string;
  records: number;
  /** Earliest and latest record time, ms since 1970. */
  first: number;
  last: number;
}

/** One record and where it lies. */
export interface MapEntry {
  /** Its place in the page. */
  place: number;
  /** Record time, ms since 1970. */
  time: number;
  key: string;
  topic: string;
  /** Offset and length of its block in the object. */
  offset: number;
  blockLength: number;
  /** Where it begins in the block after decompression, and its bytes, frame included. */
  start: number;
  length: number;
  /** `RecordFlag` bits. */
  flags: number;
}

/**
 * Reads one page of an object's offset index: a HEAD, and one ranged GET or a few, however large the object is.
 * @param number of the page, from 0 on
 * @throws OBJECT_CHANGED when the object has another entity tag by now; QUERY_INVALID when there is no such page;
 * OBJECT_FOREIGN, OBJECT_VERSION, OBJECT_CORRUPT, OBJECT_TOO_LARGE, or what the store says
 */
export async function readMapPage(
  store: ObjectStore,
  { bucket, key, etag }: ObjectPlace,
  number: number,
  signal?: AbortSignal,
): Promise<MapPage> {
  const head = await headObject(store, bucket, key, signal);
  if (etag !== undefined && etag !== head.etag) {
    throw new S3BatchError('OBJECT_CHANGED', `${key} was replaced since it was looked at: look at it anew`);
  }
  // A sidecar has no map of its pages, so that all of them come.
  let pages: number | undefined;
  const { pages: read, ...index } = await readIndex(
    store,
    head,
    (all, one) => {
      pages = all.length;
      return one === number;
    },
    signal,
  );
  const page = pages === undefined ? read[number] : read[0];
  if (!page) {
    throw new S3BatchError('QUERY_INVALID', `the index of ${key} has no page ${number}: look at it anew`);
  }
  return { head, index, page, number, pages: pages ?? read.length };
}

/** The blocks of a page from one on, in the order in which they lie in the object. */
export function blocksOf(page: IndexPage, from: number, most: number): Part<MapBlock> {
  return partOf(page.blocks.length, from, most, (number) => {
    const block = page.blocks[number];
    if (!block) throw new RangeError(`no block ${number}`);
    const { first, offset, length, size, records } = block;
    return { series: page.series[page.seriesAt(first)] ?? '', offset, length, size, records };
  });
}

/** The series of a page from one on, in the order of their bytes. */
export function seriesOf(page: IndexPage, from: number, most: number): Part<MapSeries> {
  return partOf(page.series.length, from, most, (number) => {
    const start = page.seriesStart[number] ?? 0;
    const end = page.seriesStart[number + 1] ?? start;
    return {
      number,
      series: page.series[number] ?? '',
      records: end - start,
      first: page.time[start] ?? 0,
      last: page.time[end - 1] ?? 0,
    };
  });
}

/**
 * The records of a series in a page from one on, in the order of time.
 * @throws QUERY_INVALID when there is no such series
 */
export function entriesOf(page: IndexPage, series: number, from: number, most: number): Part<MapEntry> {
  const start = page.seriesStart[series];
  const end = page.seriesStart[series + 1];
  if (start === undefined || end === undefined) {
    throw new S3BatchError('QUERY_INVALID', `the page of the index has no series ${series}`);
  }
  const entry = entryReader(page);
  return partOf(end - start, from, most, (number) => entry(start + number));
}

/** @throws QUERY_INVALID when the page has no such record */
export function entryAt(page: IndexPage, place: number): MapEntry {
  if (place >= page.count) {
    throw new S3BatchError('QUERY_INVALID', `the page of the index has no record ${place}`);
  }
  return entryReader(page)(place);
}

/** Reads entries whose places ascend, so that lengths before them are added up once. */
function entryReader(page: IndexPage): (place: number) => MapEntry {
  let block: Block | undefined;
  let at = 0;
  let start = 0;
  return (place) => {
    const own = page.blockAt(place);
    if (own !== block) {
      block = own;
      at = own.first;
      start = 0;
    }
    for (; at < place; at++) start += page.length[at] ?? 0;
    const time = page.time[place] ?? 0;
    return {
      place,
      time,
      key: offsetKey(page.key, page.series[page.seriesAt(place)] ?? '', time),
      topic: page.topics[page.topic[place] ?? 0] ?? '',
      offset: own.offset,
      blockLength: own.length,
      start,
      length: page.length[place] ?? 0,
      flags: page.flags[place] ?? 0,
    };
  };
}

function partOf<T>(total: number, from: number, most: number, at: (number: number) => T): Part<T> {
  const end = Math.min(total, from + most);
  const items: T[] = [];
  for (let number = from; number < end; number++) items.push(at(number));
  return { items, total, ...(end < total && { next: end }) };
}
