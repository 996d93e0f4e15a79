import { offsetKey } from '../layout';
import type { Compression, Framing, IndexPage } from '../object';
import type { Span } from './ranges';

/** Which records are wanted; what is absent does not matter. */
export interface RecordFilter {
  /** Earliest and latest record time, both included, ms since 1970. */
  from: number;
  to: number;
  topic?: (topic: string) => boolean;
  series?: (series: string) => boolean;
  key?: (key: string) => boolean;
}

/** One record in the offset map of an object. */
export interface Entry {
  /** Offset key. Several records may have the same. */
  key: string;
  topic: string;
  series: string;
  /** Record time, ms since 1970. */
  time: number;
  /** Where the record begins in its block, after decompression, and its bytes, frame included. */
  start: number;
  length: number;
  /** `RecordFlag` bits. */
  flags: number;
  lineBreaks?: readonly number[];
}

/** A byte range to fetch and the wanted records in it. */
export interface MatchedBlock extends Span {
  /** Bytes after decompression. */
  size: number;
  entries: Entry[];
}

/** An object that holds wanted records. Plain data, so that a message can carry it. */
export interface ObjectMatch {
  bucket: string;
  key: string;
  etag: string;
  size: number;
  /** Records in the whole object. */
  count: number;
  /** Earliest and latest record time of the whole object, ms since 1970. */
  first: number;
  last: number;
  framing: Framing;
  compression: Compression;
  /** User metadata. */
  attributes: Record<string, string>;
  blocks: MatchedBlock[];
}

/** The places in a page of the records that a filter lets through, ascending. */
export function* matchingPlaces(page: IndexPage, filter: RecordFilter): Generator<number> {
  const { topic, key } = filter;
  const wantedTopics = topic && page.topics.map(topic);
  for (let number = 0; number < page.series.length; number++) {
    const series = page.series[number] ?? '';
    if (filter.series && !filter.series(series)) continue;
    const end = page.seriesStart[number + 1] ?? 0;
    for (let place = firstAtOrAfter(page, number, filter.from); place < end; place++) {
      const time = page.time[place] ?? 0;
      if (time > filter.to) break;
      if (wantedTopics && !wantedTopics[page.topic[place] ?? 0]) continue;
      if (key && !key(offsetKey(page.key, series, time))) continue;
      yield place;
    }
  }
}

/** Within a series records are in the order of time. */
function firstAtOrAfter(page: IndexPage, series: number, time: number): number {
  let low = page.seriesStart[series] ?? 0;
  let high = page.seriesStart[series + 1] ?? 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((page.time[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The byte ranges of records and where the records lie in them. Of a compressed object a range is a block; of a
 * plain one it is exactly a run of neighbouring records.
 * @param places ascending
 */
export function matchBlocks(page: IndexPage, places: Iterable<number>): MatchedBlock[] {
  const matched: MatchedBlock[] = [];
  const plain = page.compression === 'none';
  let open: { block: MatchedBlock; number: number } | undefined;
  let next = 0;
  let start = 0;
  for (const place of places) {
    const block = page.blockAt(place);
    if (open?.number !== block.number) {
      next = block.first;
      start = 0;
    }
    for (; next < place; next++) start += page.length[next] ?? 0;
    const length = page.length[place] ?? 0;
    if (plain) {
      const offset = block.offset + start;
      if (open && open.block.offset + open.block.length === offset) {
        open.block.length += length;
        open.block.size += length;
        open.number = block.number;
      } else {
        open = { block: { offset, length, size: length, entries: [] }, number: block.number };
        matched.push(open.block);
      }
      open.block.entries.push(entryAt(page, place, offset - open.block.offset));
    } else {
      if (open?.number !== block.number) {
        open = {
          block: { offset: block.offset, length: block.length, size: block.size, entries: [] },
          number: block.number,
        };
        matched.push(open.block);
      }
      open.block.entries.push(entryAt(page, place, start));
    }
  }
  return matched;
}

function entryAt(page: IndexPage, place: number, start: number): Entry {
  const series = page.series[page.seriesAt(place)] ?? '';
  const time = page.time[place] ?? 0;
  const lineBreaks = page.lineBreaks(place);
  return {
    key: offsetKey(page.key, series, time),
    topic: page.topics[page.topic[place] ?? 0] ?? '',
    series,
    time,
    start,
    length: page.length[place] ?? 0,
    flags: page.flags[place] ?? 0,
    ...(lineBreaks && { lineBreaks }),
  };
}
