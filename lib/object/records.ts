import { inSlices, nextTurn } from './slices';

/** Where a record comes from: its topic and its series; many records share one. */
export interface Source {
  topic: string;
  series: string;
}

/**
 * The records of one sealed batch in the order of their arrival, as columns: what the writer of an object reads.
 * Record numbers run from 0 to `count - 1`.
 */
export interface Records {
  readonly count: number;
  readonly sources: readonly Source[];
  /** Record time in ms since 1970, a whole number from 0 to MAX_TIME. */
  time(record: number): number;
  /** Length in bytes with the frame. */
  length(record: number): number;
  /** Number of the record's source. */
  source(record: number): number;
  /** `RecordFlag` bits. */
  flags(record: number): number;
  /** The folded line breaks of a FOLDED record, as `toLine` gave them. */
  lineBreaks(record: number): readonly number[] | undefined;
  /** Copies the record's bytes, frame included, to `target` at `at`. */
  copy(record: number, target: Buffer, at: number): void;
}

/** Records in the order of an object: by series (order of UTF-8 bytes), then time, then arrival. */
export interface SortedRecords {
  /** Record numbers in order. */
  order: Uint32Array;
  /** Their times in order, ms since 1970. */
  time: Float64Array;
  /** Their lengths in order, bytes with the frame. */
  length: Uint32Array;
  /** The distinct series in order. */
  series: string[];
  /** Per series, how many records it has. */
  counts: number[];
}

/**
 * Sorts without comparing records of different series: a counting sort over the few series, then each series by
 * time, which usually is the order of arrival already.
 */
export async function sortRecords(records: Records): Promise<SortedRecords> {
  const { count } = records;
  const { series, rankOfSource } = rankSeries(records.sources);
  const counts = new Array<number>(series.length).fill(0);
  const rank = new Uint32Array(count);
  const arrivalTime = new Float64Array(count);
  await inSlices(count, (start, end) => {
    for (let record = start; record < end; record++) {
      const own = rankOfSource[records.source(record)] ?? 0;
      rank[record] = own;
      counts[own] = (counts[own] ?? 0) + 1;
      arrivalTime[record] = records.time(record);
    }
  });
  const starts = startsOf(counts);
  const next = starts.slice();
  const order = new Uint32Array(count);
  await inSlices(count, (start, end) => {
    for (let record = start; record < end; record++) {
      const own = rank[record] ?? 0;
      const place = next[own] ?? 0;
      order[place] = record;
      next[own] = place + 1;
    }
  });
  for (let own = 0; own < series.length; own++) {
    await sortByTime(order.subarray(starts[own], starts[own + 1]), arrivalTime);
  }
  const time = new Float64Array(count);
  const length = new Uint32Array(count);
  await inSlices(count, (start, end) => {
    for (let place = start; place < end; place++) {
      const record = order[place] ?? 0;
      time[place] = arrivalTime[record] ?? 0;
      length[place] = records.length(record);
    }
  });
  return { order, time, length, ...withoutEmpty(series, counts) };
}

/** Where each run begins when runs of these lengths follow each other; and, last, where all of them end. */
function startsOf(counts: readonly number[]): Uint32Array {
  const starts = new Uint32Array(counts.length + 1);
  counts.forEach((count, number) => (starts[number + 1] = (starts[number] ?? 0) + count));
  return starts;
}

/** The distinct series in the order of their UTF-8 bytes, and per source the number of its series. */
function rankSeries(sources: readonly Source[]): { series: string[]; rankOfSource: Uint32Array } {
  // Half a surrogate pair has no UTF-8 bytes, and readers in other languages refuse it.
  const own = sources.map((source) => source.series.toWellFormed());
  const series = [...new Set(own)]
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ text }) => text);
  const rankOf = new Map(series.map((text, rank) => [text, rank]));
  return { series, rankOfSource: Uint32Array.from(own, (text) => rankOf.get(text) ?? 0) };
}

/**
 * A merge sort that keeps the order of equal times. Written out because the sort of typed arrays calls a function a
 * comparison and cannot stop half-way: for 10,000 records it held the event loop for 5 to 15 ms.
 */
async function sortByTime(order: Uint32Array, time: Float64Array): Promise<void> {
  if (isInOrder(order, time)) return;
  const count = order.length;
  let from = order;
  let to: Uint32Array = new Uint32Array(count);
  for (let width = 1; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      merge(from, to, time, start, Math.min(start + width, count), Math.min(start + 2 * width, count));
    }
    [from, to] = [to, from];
    await nextTurn();
  }
  if (from !== order) order.set(from);
}

function isInOrder(order: Uint32Array, time: Float64Array): boolean {
  for (let place = 1; place < order.length; place++) {
    if ((time[order[place - 1] ?? 0] ?? 0) > (time[order[place] ?? 0] ?? 0)) return false;
  }
  return true;
}

/** Merges the sorted `from[start, middle)` and `from[middle, end)` into `to[start, end)`. */
function merge(
  from: Uint32Array,
  to: Uint32Array,
  time: Float64Array,
  start: number,
  middle: number,
  end: number,
): void {
  let left = start;
  let right = middle;
  for (let place = start; place < end; place++) {
    const a = from[left] ?? 0;
    const b = from[right] ?? 0;
    const takeLeft = right >= end || (left < middle && (time[a] ?? 0) <= (time[b] ?? 0));
    to[place] = takeLeft ? a : b;
    if (takeLeft) left++;
    else right++;
  }
}

/** A source without a record would leave an empty series in the index. */
function withoutEmpty(series: string[], counts: number[]): { series: string[]; counts: number[] } {
  return {
    series: series.filter((_, rank) => (counts[rank] ?? 0) > 0),
    counts: counts.filter((count) => count > 0),
  };
}
