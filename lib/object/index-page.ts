import { S3BatchError } from '../errors';
import { RecordFlag } from '../record';
import type { Compression, KeyFormat } from './format';
import type { Framing } from './framing';
import type { IndexPageJson } from './index-json';
import { check, parseIndexPage } from './parse-index';

/** Bytes of a decompressed block that a reader takes into memory, unless told otherwise. */
export const DEFAULT_MAX_BLOCK = 256 * 1024 * 1024;

export interface IndexLimits {
  /** Most bytes of one block, decompressed. */
  maxBlock?: number;
}

/** A block and where it lies. */
export interface Block {
  number: number;
  /** Offset and length in the object. */
  offset: number;
  length: number;
  /** Bytes after decompression. */
  size: number;
  /** Place of its first record in the page. */
  first: number;
  records: number;
}

/**
 * A decoded page of an object's offset index: per record, by its place in the page, the columns; about 24 bytes a
 * record. Every number has been checked against the object's size, so nothing in it can ask for more memory than
 * `limits` allow.
 */
export class IndexPage {
  readonly batch: string;
  readonly framing: Framing;
  readonly compression: Compression;
  readonly key: KeyFormat;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  readonly topics: readonly string[];
  readonly series: readonly string[];
  readonly blocks: readonly Block[];
  /** Where its blocks end in the object. */
  readonly end: number;
  /** Per series, the place of its first record; one more entry than series, the last is `count`. */
  readonly seriesStart: Uint32Array;
  /** Record time, ms since 1970. */
  readonly time: Float64Array;
  /** Bytes with the frame. */
  readonly length: Uint32Array;
  /** Number of the topic. */
  readonly topic: Uint32Array;
  /** `RecordFlag` bits. */
  readonly flags: Uint16Array;
  readonly #lineBreaks: ReadonlyMap<number, readonly number[]>;

  /**
   * @param bytes the page's JSON: untrusted
   * @param span where the page's blocks lie in the object; their length, as far as it is known
   * @throws OBJECT_VERSION, OBJECT_CORRUPT, OBJECT_TOO_LARGE
   */
  constructor(bytes: Buffer, span: { offset: number; length?: number }, limits: IndexLimits = {}) {
    const json = parseIndexPage(bytes);
    check(json.offset === span.offset, 'page offset');
    const { count } = json;
    check(
      count > 0 && json.records.length.length === count && json.records.time.length === count,
      'record count',
    );
    this.batch = json.batch;
    this.framing = oneOf(json.framing, ['newline', 'length', 'none'] as const, 'framing');
    this.compression = oneOf(json.compression, ['gzip', 'none'] as const, 'compression');
    this.key = {
      template: json.key.template,
      timePosition: json.key.time ?? undefined,
      timeFormat: json.key.format,
      timeZone: json.key.zone,
    };
    this.count = count;
    this.first = json.first;
    this.last = json.last;
    this.topics = json.topics;
    this.series = json.series;
    this.length = recordLengths(json);
    this.topic = expandRuns(json.records.topic, new Uint32Array(count), json.topics.length - 1, 'topics');
    this.flags = expandRuns(json.records.flags, new Uint16Array(count), 0xffff, 'flags');
    this.seriesStart = seriesStarts(json, count);
    this.time = times(json, this.seriesStart);
    this.blocks = blocksOf(json, this.length, limits.maxBlock ?? DEFAULT_MAX_BLOCK);
    this.end = json.offset + json.blocks.length.reduce((sum, length) => sum + length, 0);
    check(span.length === undefined || this.end === span.offset + span.length, 'page length');
    this.#lineBreaks = lineBreaksOf(json, this.flags);
  }

  /** Number of the series that the record at `place` belongs to. */
  seriesAt(place: number): number {
    let low = 0;
    let high = this.series.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.seriesStart[middle] ?? 0) <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The block that the record at `place` lies in. */
  blockAt(place: number): Block {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.blocks[middle]?.first ?? 0) <= place) low = middle;
      else high = middle - 1;
    }
    const block = this.blocks[low];
    if (!block) throw new RangeError(`no record ${place}`);
    return block;
  }

  lineBreaks(place: number): readonly number[] | undefined {
    return this.#lineBreaks.get(place);
  }
}

function oneOf<T extends string>(value: string, allowed: readonly T[], what: string): T {
  const found = allowed.find((candidate) => candidate === value);
  check(found !== undefined, what);
  return found;
}

function recordLengths({ records }: IndexPageJson): Uint32Array {
  const { shortest } = records;
  check(
    records.length.every((length) => shortest + length <= 0xffffffff),
    'record lengths',
  );
  return Uint32Array.from(records.length, (length) => shortest + length);
}

function lineBreaksOf(json: IndexPageJson, flags: Uint16Array): Map<number, readonly number[]> {
  const lineBreaks = new Map<number, readonly number[]>();
  for (const [key, breaks] of Object.entries(json.records.lineBreaks)) {
    const place = Number(key);
    check(String(place) === key && ((flags[place] ?? 0) & RecordFlag.FOLDED) !== 0, 'line breaks');
    lineBreaks.set(place, breaks);
  }
  return lineBreaks;
}

function expandRuns<T extends Uint16Array | Uint32Array>(
  runs: number[],
  target: T,
  max: number,
  what: string,
): T {
  check(runs.length % 2 === 0, what);
  let at = 0;
  for (let run = 0; run < runs.length; run += 2) {
    const value = runs[run] ?? 0;
    const end = at + (runs[run + 1] ?? 0);
    check(value <= max && end <= target.length, what);
    target.fill(value, at, end);
    at = end;
  }
  check(at === target.length, what);
  return target;
}

function seriesStarts(json: IndexPageJson, count: number): Uint32Array {
  const counts = json.records.series;
  check(counts.length === json.series.length, 'series');
  const starts = new Uint32Array(counts.length + 1);
  let at = 0;
  counts.forEach((records, number) => {
    check(records > 0 && records <= count - at, 'series');
    at += records;
    starts[number + 1] = at;
  });
  check(at === count, 'series');
  return starts;
}

function times(json: IndexPageJson, seriesStart: Uint32Array): Float64Array {
  const { time, timeUnit } = json.records;
  const result = new Float64Array(time.length);
  for (let number = 0; number + 1 < seriesStart.length; number++) {
    let at = json.first;
    for (let place = seriesStart[number] ?? 0; place < (seriesStart[number + 1] ?? 0); place++) {
      at += (time[place] ?? 0) * timeUnit;
      check(at <= json.last, 'times');
      result[place] = at;
    }
  }
  return result;
}

function blocksOf(json: IndexPageJson, lengths: Uint32Array, maxBlock: number): Block[] {
  const { length, size, records } = json.blocks;
  check(length.length === size.length && size.length === records.length, 'blocks');
  let { offset } = json;
  let first = 0;
  const blocks = length.map((bytes, number): Block => {
    const block = {
      number,
      offset,
      length: bytes,
      size: size[number] ?? 0,
      first,
      records: records[number] ?? 0,
    };
    offset += bytes;
    first += block.records;
    check(Number.isSafeInteger(offset) && block.records > 0 && first <= lengths.length, 'blocks');
    let sum = 0;
    for (let place = block.first; place < first; place++) sum += lengths[place] ?? 0;
    check(sum === block.size, 'block sizes');
    if (block.size > maxBlock) {
      throw new S3BatchError(
        'OBJECT_TOO_LARGE',
        `a block of the object is ${block.size} bytes, more than the ${maxBlock} that this reader takes`,
      );
    }
    check(json.compression === 'gzip' ? block.size <= bytes * 1032 : block.size === bytes, 'block sizes');
    return block;
  });
  check(first === lengths.length, 'blocks');
  return blocks;
}
