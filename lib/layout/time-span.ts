import { clockTime, isTime, MS_DAY, MS_HOUR, MS_MINUTE, MS_SECOND } from './calendar';
import { FIXED_UNITS, type FixedUnit } from './fixed-pattern';

/** Times from `from` to `to` in ms since the epoch, both included. */
export interface TimeSpan {
  from: number;
  to: number;
}

/** What a text tells of a time. */
export type Units = Partial<Record<FixedUnit, number>>;

/**
 * The span in UTC that these units tell, down to the first that is missing.
 * @returns undefined when they tell no time that exists.
 */
export function spanOf(units: Units): TimeSpan | undefined {
  const { yyyy, MM = 1, dd = 1, HH = 0, mm = 0, ss = 0, SSS = 0 } = units;
  if (yyyy === undefined || Number.isNaN(clockTime(yyyy, MM, dd, HH, mm, ss, SSS))) return undefined;
  const gap = FIXED_UNITS.findIndex((unit) => units[unit] === undefined);
  const told = gap === -1 ? FIXED_UNITS.length : gap;
  const down = (unit: FixedUnit, value: number, least: number): number =>
    FIXED_UNITS.indexOf(unit) < told ? value : least;
  const from = clockTime(
    yyyy,
    down('MM', MM, 1),
    down('dd', dd, 1),
    down('HH', HH, 0),
    down('mm', mm, 0),
    down('ss', ss, 0),
    down('SSS', SSS, 0),
  );
  return isTime(from) ? { from, to: nextUnit(from, FIXED_UNITS[told - 1] ?? 'SSS') - 1 } : undefined;
}

/** The first millisecond in UTC of the unit after the one that a time lies in. */
export function nextUnit(ms: number, unit: FixedUnit): number {
  const date = new Date(ms);
  switch (unit) {
    case 'yyyy':
      return Date.UTC(date.getUTCFullYear() + 1, 0);
    case 'MM':
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
    case 'dd':
      return after(ms, MS_DAY);
    case 'HH':
      return after(ms, MS_HOUR);
    case 'mm':
      return after(ms, MS_MINUTE);
    case 'ss':
      return after(ms, MS_SECOND);
    case 'SSS':
      return ms + 1;
  }
}

function after(ms: number, length: number): number {
  return (Math.floor(ms / length) + 1) * length;
}
