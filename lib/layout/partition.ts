import { MAX_TIME, MS_DAY, MS_HOUR } from './calendar';
import { FixedPattern } from './fixed-pattern';
import type { PartitionUnit } from './settings';

/** A time partition in UTC. */
export interface Partition {
  /** What `{{partition}}` becomes, such as `dt=2018-10-01`; '' when time does not part objects. */
  readonly name: string;
  /** First millisecond. */
  readonly start: number;
  /** First millisecond after it. */
  readonly end: number;
}

const ALL_TIME: Partition = { name: '', start: 0, end: MAX_TIME + 1 };

const PATTERNS = {
  none: undefined,
  hour: FixedPattern.compile("'dt='yyyy-MM-dd'/hr='HH"),
  day: FixedPattern.compile("'dt='yyyy-MM-dd"),
  month: FixedPattern.compile("'dt='yyyy-MM"),
};

/** The partitions' names as a pattern of clock times in UTC; undefined when time does not part objects. */
export function partitionPattern(unit: PartitionUnit): FixedPattern | undefined {
  return PATTERNS[unit];
}

/** The partition that a time lies in; `ms` from 0 to MAX_TIME. */
export function partitionAt(unit: PartitionUnit, ms: number): Partition {
  const pattern = PATTERNS[unit];
  if (pattern === undefined) return ALL_TIME;
  if (unit === 'month') {
    const date = new Date(ms);
    const start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
    const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
    return { name: pattern.write(start), start, end };
  }
  const length = unit === 'day' ? MS_DAY : MS_HOUR;
  const start = Math.floor(ms / length) * length;
  return { name: pattern.write(start), start, end: start + length };
}

/**
 * The partitions that hold times from `from` to `to`, both included.
 * @returns undefined when there are more than `limit`.
 */
export function partitionsIn(
  unit: PartitionUnit,
  from: number,
  to: number,
  limit: number,
): Partition[] | undefined {
  const partitions: Partition[] = [];
  for (let at = from; at <= to;) {
    if (partitions.length === limit) return undefined;
    const partition = partitionAt(unit, at);
    partitions.push(partition);
    at = partition.end;
  }
  return partitions;
}
