export const MS_SECOND = 1000;
export const MS_MINUTE = 60 * MS_SECOND;
export const MS_HOUR = 60 * MS_MINUTE;
export const MS_DAY = 24 * MS_HOUR;

/** The last millisecond that a record's time may have: 9999-12-31T23:59:59.999Z. The first is 0. */
export const MAX_TIME = 253_402_300_799_999;

/** Whether a number of milliseconds since the epoch is a time that records may have. */
export function isTime(ms: number): boolean {
  return ms >= 0 && ms <= MAX_TIME;
}

/** The nearest whole millisecond that records may have. */
export function clampTime(ms: number): number {
  if (!(ms >= 0)) return 0;
  return ms > MAX_TIME ? MAX_TIME : Math.floor(ms);
}

const MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days of a month (1 to 12) in the Gregorian calendar; 0 when there is no such month. */
export function monthLength(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return MONTH_LENGTHS[month - 1] ?? 0;
}

/**
 * Days from 1970-01-01 to a date of the Gregorian calendar, year 1 on.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
 */
export function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The clock time of these digits, or NaN when there is none; 24 o'clock and leap seconds are none. */
export function clockTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  ms: number,
): number {
  if (year < 1 || day < 1 || day > monthLength(year, month)) return NaN;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || ms < 0) return NaN;
  return daysOf(year, month, day) * MS_DAY + hour * MS_HOUR + minute * MS_MINUTE + second * MS_SECOND + ms;
}

/** A number with leading zeros. */
export function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

/**
 * The number that digits in the bytes spell, or -1 when one of them is no digit.
 * @param width number of digits, at most 9
 */
export function digitsAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let end = at + width; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
