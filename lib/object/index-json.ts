import type { BlockPlan } from './blocks';
import { FORMAT_VERSION, type ObjectFormat } from './format';
import type { Records, SortedRecords, Source } from './records';
import { inSlices } from './slices';

/**
 * One page of the offset index as JSON; docs/object-format.md describes each member. It covers a run of whole blocks,
 * and its columns are in the order of the object.
 */
export interface IndexPageJson {
  version: number;
  batch: string;
  framing: string;
  compression: string;
  key: { template: string; time: number | null; format: string; zone: string };
  /** Offset in the object of the page's first block. */
  offset: number;
  /** Records of the page. */
  count: number;
  /** Earliest and latest record time of the page, ms since 1970. */
  first: number;
  last: number;
  topics: string[];
  series: string[];
  blocks: {
    /** Bytes in the object; blocks follow each other from `offset` on. */
    length: number[];
    /** Bytes before compression. */
    size: number[];
    records: number[];
  };
  records: {
    /** Per series, how many records. */
    series: number[];
    /** Runs: number of a topic, how many records, … */
    topic: number[];
    /** Unit of the times in ms: the greatest number that divides all of them. */
    timeUnit: number;
    /** Distance from the record before, first of each series: from `first`; in units. */
    time: number[];
    /** The shortest length; `length` counts from it: fewer digits a record. */
    shortest: number;
    /** Bytes with the frame, beyond the shortest. */
    length: number[];
    /** Runs: RecordFlag bits, how many records, … */
    flags: number[];
    /** Folded line breaks by place of the record. */
    lineBreaks: Record<string, readonly number[]>;
  };
}

/**
 * Records of a page: enough that what pages repeat weighs little (at 2,000 it is a fifth of the index, and 1.2 % of the
 * object), few enough that a reader who wants one series does not pay for all the others. docs/object-format.md has
 * the figures for other numbers.
 */
const PAGE_RECORDS = 2000;

/** A run of blocks that one page of the index covers. */
export interface PagePlan {
  blocks: BlockPlan[];
  /** Place of its first record in the order, and the place behind its last. */
  start: number;
  end: number;
}

/** Cuts the blocks of an object into pages of the index. */
export function planPages(blocks: readonly BlockPlan[]): PagePlan[] {
  const pages: PagePlan[] = [];
  for (const block of blocks) {
    const page = pages.at(-1);
    const end = block.first + block.records;
    if (page && page.end - page.start < PAGE_RECORDS) {
      page.blocks.push(block);
      page.end = end;
    } else pages.push({ blocks: [block], start: block.first, end });
  }
  return pages;
}

/**
 * Builds one page of the index.
 * @param offset where the page's first block lies in the object
 * @param blockLengths bytes that the page's blocks take in the object
 */
export async function buildIndexPage(
  records: Records,
  sorted: SortedRecords,
  page: PagePlan,
  offset: number,
  blockLengths: readonly number[],
  format: ObjectFormat,
): Promise<IndexPageJson> {
  const { start, end } = page;
  const times = sorted.time.subarray(start, end);
  const [first, last] = timeRange(times);
  const timeUnit = await commonUnit(times, first);
  const lengths = sorted.length.subarray(start, end);
  const shortest = lengths.reduce((least, length) => Math.min(least, length));
  const time = new Array<number>(end - start);
  const lineBreaks: Record<string, readonly number[]> = {};
  const topics = new Topics(records.sources);
  const topicRuns = new Runs();
  const flagRuns = new Runs();
  const series = seriesOfPage(sorted, page);

  let number = 0;
  let seriesEnd = start;
  let previous = first;
  await inSlices(end - start, (from, to) => {
    for (let place = start + from; place < start + to; place++) {
      if (place === seriesEnd) {
        seriesEnd += series.counts[number++] ?? 0;
        previous = first;
      }
      const record = sorted.order[place] ?? 0;
      const at = sorted.time[place] ?? 0;
      time[place - start] = (at - previous) / timeUnit;
      previous = at;
      topicRuns.add(topics.numberOf(records.source(record)));
      flagRuns.add(records.flags(record));
      const breaks = records.lineBreaks(record);
      if (breaks) lineBreaks[place - start] = breaks;
    }
  });
  return {
    version: FORMAT_VERSION,
    batch: format.batch,
    framing: format.framing,
    compression: format.compression,
    key: {
      template: format.key.template,
      time: format.key.timePosition ?? null,
      format: format.key.timeFormat,
      zone: format.key.timeZone,
    },
    offset,
    count: end - start,
    first,
    last,
    topics: topics.entries,
    series: series.names,
    blocks: {
      length: [...blockLengths],
      size: page.blocks.map((block) => block.size),
      records: page.blocks.map((block) => block.records),
    },
    records: {
      series: series.counts,
      topic: topicRuns.flat,
      timeUnit,
      time,
      shortest,
      length: Array.from(lengths, (length) => length - shortest),
      flags: flagRuns.flat,
      lineBreaks,
    },
  };
}

/** The series that have records in a page, and how many each. */
function seriesOfPage(sorted: SortedRecords, page: PagePlan): { names: string[]; counts: number[] } {
  const names: string[] = [];
  const counts: number[] = [];
  let from = 0;
  for (const [number, count] of sorted.counts.entries()) {
    const own = Math.min(from + count, page.end) - Math.max(from, page.start);
    if (own > 0) {
      names.push(sorted.series[number] ?? '');
      counts.push(own);
    }
    from += count;
    if (from >= page.end) break;
  }
  return { names, counts };
}

function timeRange(times: Float64Array): [first: number, last: number] {
  let first = Infinity;
  let last = -Infinity;
  for (const time of times) {
    if (time < first) first = time;
    if (time > last) last = time;
  }
  return [first, last];
}

/** Times that come in whole seconds need not be kept in milliseconds: fewer digits a record. */
async function commonUnit(times: Float64Array, first: number): Promise<number> {
  let unit = 0;
  await inSlices(times.length, (start, end) => {
    for (let place = start; place < end && unit !== 1; place++) {
      let rest = (times[place] ?? 0) - first;
      while (rest > 0) [unit, rest] = [rest, unit % rest];
    }
  });
  return unit === 0 ? 1 : unit;
}

/** Numbers topics in the order in which they are met; several sources may share one. */
class Topics {
  readonly entries: string[] = [];
  readonly #sources: readonly Source[];
  readonly #numberOfSource: Int32Array;
  readonly #numbers = new Map<string, number>();

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
    this.#numberOfSource = new Int32Array(sources.length).fill(-1);
  }

  numberOf(source: number): number {
    const known = this.#numberOfSource[source] ?? -1;
    if (known >= 0) return known;
    const topic = (this.#sources[source]?.topic ?? '').toWellFormed();
    const number = this.#numbers.get(topic) ?? this.entries.push(topic) - 1;
    this.#numbers.set(topic, number);
    this.#numberOfSource[source] = number;
    return number;
  }
}

class Runs {
  readonly flat: number[] = [];

  add(value: number): void {
    const end = this.flat.length;
    if (end > 0 && this.flat[end - 2] === value) this.flat[end - 1] = (this.flat[end - 1] ?? 0) + 1;
    else this.flat.push(value, 1);
  }
}
