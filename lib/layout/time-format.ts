import { DateTime, FixedOffsetZone } from 'luxon';
import { isTime } from './calendar';
import { FixedPattern } from './fixed-pattern';
import { readUsualIso } from './iso-time';
import { invalidSetting } from './settings';
import { patternTokens, smallestUnit, unknownToken, type Unit } from './time-pattern';
import { TimeZone } from './time-zone';

/** How times are read from texts and written. Texts are hostile; reading never throws. */
export interface TimeFormat {
  /**
   * The time that ASCII bytes tell, by the quick way.
   * @returns ms since the epoch, or NaN when the quick way cannot tell: {@link readText} then decides.
   */
  read(bytes: Uint8Array, start: number, end: number): number;
  /** The time that a text tells, in ms since the epoch, or NaN. */
  readText(text: string): number;
  /** The text of a time. */
  write(ms: number): string;
  /** The last millisecond that has the same text as this one. */
  lastAlike(ms: number): number;
}

/** Longer texts are no times. */
export const MAX_TIME_TEXT = 100;

/**
 * Formats come out of objects, too, and luxon makes regular expressions of them: of units of one digit or two, side by
 * side, each doubles the ways to read a text.
 */
const MOST_UNITS = 16;

const ENGLISH = { locale: 'en-US', numberingSystem: 'latn' } as const;

/** Stands for "no offset was written": luxon then answers the clock time, and this very zone. */
class ClockZone extends FixedOffsetZone {
  override offset(): number {
    return 0;
  }
}
const CLOCK = new ClockZone();

function resolved(date: DateTime, zone: TimeZone): number {
  const ms = date.toMillis();
  const time = date.zone === CLOCK ? zone.timeOf(ms) : ms;
  return isTime(time) ? time : NaN;
}

// luxon also takes times without a date and fills in today's; and a zone's name in brackets, which it would
// remember for good.
const ISO_WITH_DATE = /^(?:[+-]\d{6}|\d{4})(?:-?\d\d(?:-?\d\d)?|-?W\d\d(?:-?\d)?|-?\d{3})?(?:[Tt][^[]*)?$/;
const ZONE_AFTER_OFFSET = /(?<=[Tt].*(?:[Zz]|[+-]\d\d(?::?\d\d)?))\[[^\]]*\]$/;

/** ISO 8601; written in UTC with milliseconds. */
class IsoFormat implements TimeFormat {
  constructor(readonly zone: TimeZone) {}

  read(bytes: Uint8Array, start: number, end: number): number {
    return readUsualIso(bytes, start, end, this.zone);
  }

  readText(given: string): number {
    const text = given.length > MAX_TIME_TEXT ? '' : given.replace(ZONE_AFTER_OFFSET, '');
    if (!ISO_WITH_DATE.test(text)) return NaN;
    try {
      return resolved(DateTime.fromISO(text, { ...ENGLISH, zone: CLOCK, setZone: true }), this.zone);
    } catch {
      return NaN;
    }
  }

  write(ms: number): string {
    return new Date(ms).toISOString();
  }

  lastAlike(ms: number): number {
    return ms;
  }
}

const NUMBER = /^(-?\d+(?:\.\d+)?)(?:[eE]([+-]?\d{1,3}))?$/;

/** A number of seconds or milliseconds since the epoch; fractions of a millisecond are cut off. */
class EpochFormat implements TimeFormat {
  /** @param decimals 3 for seconds, 0 for milliseconds */
  constructor(readonly decimals: 0 | 3) {}

  read(bytes: Uint8Array, start: number, end: number): number {
    if (start === end || end - start > 15) return NaN;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) return NaN;
      value = value * 10 + digit;
    }
    const ms = this.decimals === 3 ? value * 1000 : value;
    return isTime(ms) ? ms : NaN;
  }

  readText(text: string): number {
    const parts = text.length > MAX_TIME_TEXT ? null : NUMBER.exec(text);
    if (parts === null) return NaN;
    const exponent = Number(parts[2] ?? 0) + this.decimals;
    // Shifted in the text, because a product would be rounded twice.
    const ms = Math.floor(Number(`${parts[1] ?? ''}e${exponent}`)) + 0;
    return isTime(ms) ? ms : NaN;
  }

  write(ms: number): string {
    if (this.decimals === 0 || ms % 1000 === 0) return String(this.decimals === 0 ? ms : ms / 1000);
    return (ms / 1000).toFixed(3);
  }

  lastAlike(ms: number): number {
    return ms;
  }
}

/** A pattern of luxon's tokens; the quick way is for patterns of numbers of fixed width. */
class PatternFormat implements TimeFormat {
  readonly #fixed: FixedPattern | undefined;
  readonly #parser: ReturnType<typeof DateTime.buildFormatParser>;

  constructor(
    readonly pattern: string,
    readonly unit: Unit,
    readonly zone: TimeZone,
  ) {
    this.#fixed = FixedPattern.compile(pattern);
    this.#parser = DateTime.buildFormatParser(pattern, ENGLISH);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    if (this.#fixed === undefined) return NaN;
    const time = this.zone.timeOf(this.#fixed.read(bytes, start, end));
    return isTime(time) ? time : NaN;
  }

  readText(text: string): number {
    if (text.length > MAX_TIME_TEXT) return NaN;
    try {
      const options = { ...ENGLISH, zone: CLOCK, setZone: true };
      return resolved(DateTime.fromFormatParser(text, this.#parser, options), this.zone);
    } catch {
      return NaN;
    }
  }

  write(ms: number): string {
    if (this.#fixed !== undefined) return this.#fixed.write(ms + this.zone.offsetAt(ms));
    return DateTime.fromMillis(ms, { ...ENGLISH, zone: this.zone.zone }).toFormat(this.pattern);
  }

  lastAlike(ms: number): number {
    return DateTime.fromMillis(ms, { ...ENGLISH, zone: this.zone.zone })
      .endOf(this.unit)
      .toMillis();
  }
}

/** Times before and after noon in two years, so that a pattern without a year or half-day is found out. */
const SAMPLES = [918_273_645_123, 918_316_845_123, 1_538_413_835_987, 1_538_457_035_987];

/**
 * @param format `iso`, `epoch-s`, `epoch-ms` or a pattern
 * @param zoneName where the clock stands whose texts tell no offset
 * @throws S3BatchError LAYOUT_INVALID
 */
export function timeFormat(format: string, zoneName: string): TimeFormat {
  const zone = TimeZone.named(zoneName);
  if (zone === undefined) {
    throw invalidSetting(
      'time.zone',
      `there is no time zone "${zoneName.slice(0, MAX_TIME_TEXT)}"`,
      'use UTC, an IANA name such as Europe/Berlin, or an offset such as UTC+3',
    );
  }
  if (format === 'iso') return new IsoFormat(zone);
  if (format === 'epoch-s') return new EpochFormat(3);
  if (format === 'epoch-ms') return new EpochFormat(0);
  return patternFormat(format, zone);
}

function patternFormat(pattern: string, zone: TimeZone): TimeFormat {
  const remedy = 'use iso, epoch-s, epoch-ms or a pattern such as yyyy-MM-dd HH:mm:ss';
  if (pattern.length > MAX_TIME_TEXT) {
    throw invalidSetting('time.format', `it has more than ${MAX_TIME_TEXT} characters`, remedy);
  }
  const tokens = patternTokens(pattern);
  const unknown = unknownToken(tokens);
  if (unknown !== undefined) {
    throw invalidSetting(
      'time.format',
      `"${unknown}" in "${pattern}" is no unit of time that can be read`,
      `${remedy}, and put text in single quotes`,
    );
  }
  if (tokens.filter((token) => !token.literal).length > MOST_UNITS) {
    throw invalidSetting('time.format', `"${pattern}" has more than ${MOST_UNITS} units of time`, remedy);
  }
  const unit = smallestUnit(tokens);
  if (unit === undefined) throw invalidSetting('time.format', `"${pattern}" tells no time`, remedy);
  const format = new PatternFormat(pattern, unit, zone);
  for (const sample of SAMPLES) {
    const text = format.write(sample);
    const first = format.readText(text);
    if (!(first <= sample && sample <= format.lastAlike(first))) {
      throw invalidSetting(
        'time.format',
        `"${text}", written as "${pattern}", does not tell which time it is`,
        `${remedy}; it needs at least the year`,
      );
    }
  }
  return format;
}
