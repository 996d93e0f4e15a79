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
  /** Record time in ms since 1970. */
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
  /** The distinct series in order. */
  series: string[];
  /** Per series, how many records it has. */
  counts: number[];
}

/**
 * Sorts without comparing records of different series: a counting sort over the few series, then each series by
 * time, which usually is the order of arrival already.
 */
export function sortRecords(records: Records): SortedRecords {
  const series = [...new Set(records.sources.map((source) => source.series))]
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ text }) => text);
  const rankOf = new Map(series.map((text, rank) => [text, rank]));
  const rankOfSource = records.sources.map((source) => rankOf.get(source.series) ?? 0);

  const counts = new Array<number>(series.length).fill(0);
  const rank = new Uint32Array(records.count);
  for (let record = 0; record < records.count; record++) {
    const own = rankOfSource[records.source(record)] ?? 0;
    rank[record] = own;
    counts[own] = (counts[own] ?? 0) + 1;
  }
  const next = new Uint32Array(series.length);
  for (let own = 1; own < series.length; own++) next[own] = (next[own - 1] ?? 0) + (counts[own - 1] ?? 0);
  const starts = next.slice();
  const order = new Uint32Array(records.count);
  for (let record = 0; record < records.count; record++) {
    const own = rank[record] ?? 0;
    const place = next[own] ?? 0;
    order[place] = record;
    next[own] = place + 1;
  }
  for (let own = 0; own < series.length; own++) {
    const start = starts[own] ?? 0;
    sortByTime(order.subarray(start, start + (counts[own] ?? 0)), records);
  }
  return withoutEmpty(order, series, counts);
}

function sortByTime(order: Uint32Array, records: Records): void {
  let previous = -Infinity;
  for (const record of order) {
    const time = records.time(record);
    if (time < previous) {
      order.sort((a, b) => records.time(a) - records.time(b) || a - b);
      return;
    }
    previous = time;
  }
}

/** A source without a record would leave an empty series in the index. */
function withoutEmpty(order: Uint32Array, series: string[], counts: number[]): SortedRecords {
  const used = series.map((_, rank) => (counts[rank] ?? 0) > 0);
  return {
    order,
    series: series.filter((_, rank) => used[rank]),
    counts: counts.filter((_, rank) => used[rank]),
  };
}
