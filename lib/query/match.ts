import { offsetKey } from '../layout';
import type { Block, Compression, Framing, IndexPage } from '../object';
import type { Span } from './ranges';
import { turnEvery } from './turns';

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

/** Records matched in one turn of the event loop. */
const RECORDS_A_TURN = 256;

/** The places in a page of the records that a filter lets through, ascending, but for what it asks of keys. */
export function* matchingPlaces(page: IndexPage, filter: RecordFilter): Generator<number> {
  const { topic } = filter;
  const wantedTopics: boolean[] = [];
  for (let number = 0; number < page.series.length; number++) {
    if (filter.series && !filter.series(page.series[number] ?? '')) continue;
    const end = page.seriesStart[number + 1] ?? 0;
    for (let place = firstAtOrAfter(page, number, filter.from); place < end; place++) {
      if ((page.time[place] ?? 0) > filter.to) break;
      const own = page.topic[place] ?? 0;
      if (topic && !(wantedTopics[own] ??= topic(page.topics[own] ?? ''))) continue;
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
 * The byte ranges of a page's matching records and where these lie in them. Of a compressed object a range is a block;
 * of a plain one it is exactly a run of neighbouring records of a block.
 */
export async function matchBlocks(page: IndexPage, filter: RecordFilter): Promise<MatchedBlock[]> {
  const ranges = new Ranges(page);
  const turn = turnEvery(RECORDS_A_TURN);
  for (const place of matchingPlaces(page, filter)) {
    await turn();
    const key = offsetKey(page.key, page.series[page.seriesAt(place)] ?? '', page.time[place] ?? 0);
    if (!filter.key || filter.key(key)) ranges.add(place, key);
  }
  return ranges.blocks;
}

/** Byte ranges that grow record by record, in the order of their places. */
class Ranges {
  readonly blocks: MatchedBlock[] = [];
  readonly #page: IndexPage;
  /** The block of the last record; the place, and where in the block it begins, up to which lengths are added up. */
  #block: Block | undefined;
  #place = 0;
  #start = 0;

  constructor(page: IndexPage) {
    this.#page = page;
  }

  add(place: number, key: string): void {
    const page = this.#page;
    const block = page.blockAt(place);
    const isSame = block.number === this.#block?.number;
    if (!isSame) {
      this.#block = block;
      this.#place = block.first;
      this.#start = 0;
    }
    for (; this.#place < place; this.#place++) this.#start += page.length[this.#place] ?? 0;
    const length = page.length[place] ?? 0;
    const range =
      page.compression === 'none'
        ? this.#run(block.offset + this.#start, length, isSame)
        : this.#whole(block, isSame);
    range.entries.push(entryAt(page, place, key, block.offset + this.#start - range.offset));
  }

  /** The last range, longer by a record that follows it in the same block; else a new one. */
  #run(offset: number, length: number, isSame: boolean): MatchedBlock {
    const last = this.blocks.at(-1);
    if (!last || !isSame || last.offset + last.length !== offset) {
      return this.#push({ offset, length, size: length, entries: [] });
    }
    last.length += length;
    last.size += length;
    return last;
  }

  #whole({ offset, length, size }: Block, isSame: boolean): MatchedBlock {
    const last = this.blocks.at(-1);
    return isSame && last ? last : this.#push({ offset, length, size, entries: [] });
  }

  #push(block: MatchedBlock): MatchedBlock {
    this.blocks.push(block);
    return block;
  }
}

function entryAt(page: IndexPage, place: number, key: string, start: number): Entry {
  const lineBreaks = page.lineBreaks(place);
  return {
    key,
    topic: page.topics[page.topic[place] ?? 0] ?? '',
    series: page.series[page.seriesAt(place)] ?? '',
    time: page.time[place] ?? 0,
    start,
    length: page.length[place] ?? 0,
    flags: page.flags[place] ?? 0,
    ...(lineBreaks && { lineBreaks }),
  };
}
