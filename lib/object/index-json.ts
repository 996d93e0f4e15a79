import type { BlockPlan } from './blocks';
import { FORMAT_VERSION, type ObjectFormat } from './format';
import type { Records, SortedRecords, Source } from './records';
import { inSlices } from './slices';

/**
 * The offset index as JSON; docs/object-format.md describes each member. Columns are in the order of the object.
 */
export interface IndexJson {
  version: number;
  batch: string;
  framing: string;
  compression: string;
  key: { template: string; time: number | null; format: string; zone: string };
  count: number;
  /** Earliest and latest record time, ms since 1970. */
  first: number;
  last: number;
  topics: string[];
  series: string[];
  blocks: {
    /** Bytes in the object; blocks follow each other from offset 0. */
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
    /** Bytes with the frame. */
    length: number[];
    /** Runs: RecordFlag bits, how many records, … */
    flags: number[];
    /** Folded line breaks by place of the record. */
    lineBreaks: Record<string, readonly number[]>;
  };
}

/** Builds the index of an object whose blocks came out `blockLengths` bytes long. */
export async function buildIndex(
  records: Records,
  sorted: SortedRecords,
  blocks: readonly BlockPlan[],
  blockLengths: readonly number[],
  format: ObjectFormat,
): Promise<IndexJson> {
  const [first, last] = timeRange(sorted.time);
  const timeUnit = await commonUnit(sorted.time, first);
  const time = new Array<number>(records.count);
  const lineBreaks: Record<string, readonly number[]> = {};
  const topics = new Topics(records.sources);
  const topicRuns = new Runs();
  const flagRuns = new Runs();

  let series = 0;
  let seriesEnd = 0;
  let previous = first;
  await inSlices(records.count, (start, end) => {
    for (let place = start; place < end; place++) {
      if (place === seriesEnd) {
        seriesEnd += sorted.counts[series++] ?? 0;
        previous = first;
      }
      const record = sorted.order[place] ?? 0;
      const at = sorted.time[place] ?? 0;
      time[place] = (at - previous) / timeUnit;
      previous = at;
      topicRuns.add(topics.numberOf(records.source(record)));
      flagRuns.add(records.flags(record));
      const breaks = records.lineBreaks(record);
      if (breaks) lineBreaks[place] = breaks;
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
    count: records.count,
    first,
    last,
    topics: topics.entries,
    series: sorted.series,
    blocks: {
      length: [...blockLengths],
      size: blocks.map((block) => block.size),
      records: blocks.map((block) => block.records),
    },
    records: {
      series: sorted.counts,
      topic: topicRuns.flat,
      timeUnit,
      time,
      length: Array.from(sorted.length),
      flags: flagRuns.flat,
      lineBreaks,
    },
  };
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
