import { S3BatchError } from '../errors';
import { type Layout, MAX_TIME } from '../layout';
import type { ObjectSummary } from '../object';
import { checkQuery } from './check-query';
import type { RecordFilter } from './match';
import type { PageChoice } from './read-index';

/** In the place of a bucket's name, which has no such character: every bucket that the credentials may list. */
export const ALL_BUCKETS = '*';

/** What someone asks of an archive; what is absent does not matter. */
export interface Query {
  /** The bucket, or {@link ALL_BUCKETS}; else the layout tells it from the levels. */
  bucket?: string;
  /** Levels of the topic and their value, or the values of which one will do: `{'PLANT-ID': 'PLANT-7'}`. */
  levels?: Record<string, string | readonly string[]>;
  /** Earliest and latest record time, both included, ms since 1970. */
  from?: number;
  to?: number;
  /** The series, or what it begins with. */
  series?: string;
  seriesPrefix?: string;
  /** The offset key, or what it begins with. */
  key?: string;
  keyPrefix?: string;
}

/** A query made ready for records, and for what attributes tell. */
export interface QueryFilter {
  records: RecordFilter;
  /** False when the attributes rule out that the object holds a matching record. */
  mayHold: (summary: ObjectSummary) => boolean;
  /**
   * Which pages of an object's index may have a matching record, by the series of their first records.
   * @param keyTemplate of the object, when it is known
   */
  pagesOf: (keyTemplate: string | undefined) => PageChoice;
}

/** Every record. */
export const EVERYTHING: QueryFilter = {
  records: { from: -Infinity, to: Infinity },
  mayHold: () => true,
  pagesOf: () => () => true,
};

/** More combinations of level values than this are not turned into name prefixes. */
const MAX_COMBINATIONS = 256;

/**
 * Every way to choose one value for each level; none, when a level may have none. Levels with too many values are left
 * open.
 */
export function valueCombinations(levels: Query['levels'] = {}): Record<string, string>[] {
  let combinations: Record<string, string>[] = [{}];
  for (const [level, value] of Object.entries(levels)) {
    const values = typeof value === 'string' ? [value] : [...new Set(value)];
    if (combinations.length * values.length > MAX_COMBINATIONS) continue;
    combinations = combinations.flatMap((chosen) => values.map((one) => ({ ...chosen, [level]: one })));
  }
  return combinations;
}

/** The buckets that can hold matching records. @throws QUERY_INVALID when the query does not tell enough */
export function bucketsOf(query: Query, layout: Layout): string[] {
  if (query.bucket) return [query.bucket];
  const { levels = {} } = query;
  const asked = layout.candidateBuckets({});
  const needed = 'unknown' in asked ? asked.unknown : [];
  // First those that the bucket depends on, lest they are left open because others have many values.
  const ordered = Object.entries(levels).sort(
    ([a], [b]) => Number(needed.includes(b)) - Number(needed.includes(a)),
  );
  const buckets = new Set<string>();
  for (const values of valueCombinations(Object.fromEntries(ordered))) {
    const found = layout.candidateBuckets(values);
    if ('unknown' in found) throw unknownBucket(found.unknown, levels);
    for (const bucket of found.buckets) buckets.add(bucket);
  }
  return [...buckets];
}

function unknownBucket(unknown: readonly string[], levels: object): S3BatchError {
  const remedy = unknown.some((level) => level in levels)
    ? `for more than ${MAX_COMBINATIONS} combinations of values: ask for fewer of them at a time, or give the bucket`
    : 'give that level, or the bucket';
  return new S3BatchError(
    'QUERY_INVALID',
    `the query does not tell the bucket, which depends on ${unknown.join(', ')}: ${remedy}`,
  );
}

/** Where clocks are set back the same text tells two times; since 1970 no zone did so by more than three hours. */
const CLOCKS_SET_BACK = 4 * 3600 * 1000;

/** The earliest and the latest time that matching records can have; undefined when all times will do. */
export function timeRangeOf(
  query: Query,
  layout: Layout | undefined,
): { from: number; to: number } | undefined {
  const told = query.key === undefined ? undefined : layout?.splitKey(query.key)?.time;
  if (query.from === undefined && query.to === undefined && !told) return undefined;
  return {
    from: Math.max(query.from ?? 0, told ? told.from - CLOCKS_SET_BACK : 0),
    to: Math.min(query.to ?? MAX_TIME, told ? told.to + CLOCKS_SET_BACK : MAX_TIME),
  };
}

/**
 * @param layout tells which level a topic has where; without it, `levels` cannot be asked
 * @throws QUERY_INVALID
 */
export function filterOf(query: Query, layout: Layout | undefined): QueryFilter {
  checkQuery(query);
  const { from = -Infinity, to = Infinity, key, keyPrefix } = query;
  const levels = Object.entries(query.levels ?? {});
  const ranges = seriesRanges(query);
  const records: RecordFilter = { from, to };
  if (levels.length > 0) records.topic = topicFilter(levels, layout);
  if (ranges) records.series = (series) => ranges.every((range) => inRange(series, range));
  if (key !== undefined || keyPrefix !== undefined) {
    records.key = (own) => (key === undefined || own === key) && own.startsWith(keyPrefix ?? '');
  }

  const times = timeRangeOf(query, layout);
  // What the layout tells of series holds for objects that were written with the same key.
  const ofLayout = layout ? layoutRanges(query, layout) : [];
  const pagesOf: QueryFilter['pagesOf'] = (keyTemplate) => {
    const own = keyTemplate === layout?.keyShape.template ? ofLayout : [];
    return (pages, number) => {
      const may = (range: SeriesRange): boolean => mayOverlap(pages, number, range);
      return (ranges ?? []).every(may) && own.every((either) => either.some(may));
    };
  };
  return {
    records,
    pagesOf,
    mayHold: (summary) => {
      if (times && (summary.first > times.to || summary.last < times.from)) return false;
      const runs = summary.blocks ?? summary.pages;
      const choice = pagesOf(summary.keyTemplate);
      return !runs || runs.some((_, number) => choice(runs, number));
    },
  };
}

/** Series that equal `text`, or begin with it. */
interface SeriesRange {
  text: string;
  prefix: boolean;
}

function seriesRanges({ series, seriesPrefix }: Query): SeriesRange[] | undefined {
  const ranges: SeriesRange[] = [];
  if (series !== undefined) ranges.push({ text: series, prefix: false });
  if (seriesPrefix !== undefined) ranges.push({ text: seriesPrefix, prefix: true });
  return ranges.length > 0 ? ranges : undefined;
}

function inRange(series: string, { text, prefix }: SeriesRange): boolean {
  return prefix ? series.startsWith(text) : series === text;
}

/** Of each group one range must be met: how series begin that the levels allow, and the series of a key. */
function layoutRanges(query: Query, layout: Layout): SeriesRange[][] {
  const prefixes = valueCombinations(query.levels).map((values) => layout.seriesPrefix(values));
  const groups = prefixes.includes('') ? [] : [prefixes.map((text) => ({ text, prefix: true }))];
  const split = query.key === undefined ? undefined : layout.splitKey(query.key);
  if (split) groups.push([{ text: split.series, prefix: false }]);
  return groups;
}

/** Whether a run of records, known by the series of its first one and of the next run's, can hold series of a range. */
function mayOverlap(
  runs: readonly { series: string }[],
  number: number,
  { text, prefix }: SeriesRange,
): boolean {
  const first = runs[number]?.series ?? '';
  const next = runs[number + 1]?.series;
  if (next !== undefined && compare(next, text) < 0) return false;
  return compare(first, text) <= 0 || (prefix && first.startsWith(text));
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function topicFilter(
  levels: readonly (readonly [string, string | readonly string[]])[],
  layout: Layout | undefined,
): (topic: string) => boolean {
  const names = layout?.levelNames ?? [];
  const unknown = levels.filter(([level]) => !names.includes(level)).map(([level]) => level);
  if (!layout || unknown.length > 0) {
    throw new S3BatchError(
      'QUERY_INVALID',
      `the layout has no level ${unknown.join(', ')}; it has ${names.length > 0 ? names.join(', ') : 'none'}`,
    );
  }
  return (topic) => {
    const own = layout.topicInfo(topic).levels;
    return levels.every(([level, wanted]) => {
      const value = own[level];
      return value !== undefined && (typeof wanted === 'string' ? value === wanted : wanted.includes(value));
    });
  };
}
