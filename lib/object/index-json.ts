import type { BlockPlan } from './blocks';
import { FORMAT_VERSION, type ObjectFormat } from './format';
import type { Records, SortedRecords } from './records';

/**
 * The offset index as JSON; docs/object-format.md describes each member. Columns are in the order of the object.
 */
export interface IndexJson {
  version: number;
  batch: string;
  framing: string;
  compression: string;
  key: { template: string; time: number; format: string; zone: string };
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
export function buildIndex(
  records: Records,
  sorted: SortedRecords,
  blocks: readonly BlockPlan[],
  blockLengths: readonly number[],
  format: ObjectFormat,
): IndexJson {
  const [first, last] = timeRange(records);
  const timeUnit = commonUnit(records, first);
  const time = new Array<number>(records.count);
  const length = new Array<number>(records.count);
  const lineBreaks: Record<string, readonly number[]> = {};
  const topics = new Dictionary();
  const topicRuns = new Runs();
  const flagRuns = new Runs();

  let place = 0;
  for (const count of sorted.counts) {
    let previous = first;
    for (const end = place + count; place < end; place++) {
      const record = sorted.order[place] ?? 0;
      const at = records.time(record);
      time[place] = (at - previous) / timeUnit;
      previous = at;
      length[place] = records.length(record);
      topicRuns.add(topics.numberOf(records.sources[records.source(record)]?.topic ?? ''));
      flagRuns.add(records.flags(record));
      const breaks = records.lineBreaks(record);
      if (breaks) lineBreaks[place] = breaks;
    }
  }
  return {
    version: FORMAT_VERSION,
    batch: format.batch,
    framing: format.framing,
    compression: format.compression,
    key: {
      template: format.key.template,
      time: format.key.timePart,
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
      length,
      flags: flagRuns.flat,
      lineBreaks,
    },
  };
}

function timeRange(records: Records): [first: number, last: number] {
  let first = Infinity;
  let last = -Infinity;
  for (let record = 0; record < records.count; record++) {
    const time = records.time(record);
    if (time < first) first = time;
    if (time > last) last = time;
  }
  return [first, last];
}

/** Times that come in whole seconds need not be kept in milliseconds: fewer digits a record. */
function commonUnit(records: Records, first: number): number {
  let unit = 0;
  for (let record = 0; record < records.count && unit !== 1; record++) {
    let rest = records.time(record) - first;
    while (rest > 0) [unit, rest] = [rest, unit % rest];
  }
  return unit === 0 ? 1 : unit;
}

class Dictionary {
  readonly entries: string[] = [];
  readonly #numbers = new Map<string, number>();

  numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.entries.push(text) - 1;
      this.#numbers.set(text, number);
    }
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
