import { Info, type Zone } from 'luxon';
import { MS_DAY, MS_HOUR, MS_MINUTE } from './calendar';

/** Hours whose offset is kept, a power of two. */
const SLOTS = 1024;

/** Longer names are no zone's. */
const LONGEST_NAME = 64;
const FIXED = /^utc(?:[+-]\d{1,2}(?::\d{2})?)?$/i;

/** A time zone whose offsets are remembered by the hour, for luxon takes microseconds to tell one. */
export class TimeZone {
  readonly name: string;
  readonly zone: Zone;
  /** Offset in ms where it never changes, else NaN. */
  readonly #fixed: number;
  readonly #hours = new Float64Array(SLOTS).fill(NaN);
  readonly #offsets = new Float64Array(SLOTS);

  private constructor(name: string, zone: Zone) {
    this.name = name;
    this.zone = zone;
    this.#fixed = zone.isUniversal ? Math.round(zone.offset(0) * MS_MINUTE) : NaN;
  }

  /** The zone of an IANA name, `UTC` or `UTC+3`; undefined when there is none. The zone of this machine has no name. */
  static named(name: string): TimeZone | undefined {
    if (name.length > LONGEST_NAME) return undefined;
    const known = FIXED.test(name) ? name : spelling(name);
    if (known === undefined) return undefined;
    const zone = Info.normalizeZone(known);
    return zone.isValid ? new TimeZone(name, zone) : undefined;
  }

  /** How far the zone's clock is ahead of UTC at a time, in ms. */
  offsetAt(ms: number): number {
    if (this.#fixed === this.#fixed) return this.#fixed;
    const hour = Math.floor(ms / MS_HOUR);
    const slot = hour & (SLOTS - 1);
    if (this.#hours[slot] !== hour) {
      const offset = this.#askOffset(hour * MS_HOUR);
      this.#hours[slot] = hour;
      this.#offsets[slot] = this.#askOffset((hour + 1) * MS_HOUR) === offset ? offset : NaN;
    }
    const offset = this.#offsets[slot] ?? NaN;
    return offset === offset ? offset : this.#askOffset(ms);
  }

  #askOffset(ms: number): number {
    return Math.round(this.zone.offset(ms) * MS_MINUTE);
  }

  /**
   * The time at which the zone's clock shows a clock time. Where it does so twice, the first; where never, because
   * the clock is set forward, the time is that much later. (luxon takes either of two, depending on today's date.)
   * NaN of NaN.
   */
  timeOf(clock: number): number {
    if (clock !== clock) return NaN;
    if (this.#fixed === this.#fixed) return clock - this.#fixed;
    // The offset of a day before holds up to the next change, so that the first of two times is met first.
    const before = this.offsetAt(clock - MS_DAY);
    const guess = clock - before;
    const offset = this.offsetAt(guess);
    if (offset === before) return guess;
    const later = this.offsetAt(clock - offset);
    return later === offset ? clock - offset : clock - Math.min(offset, later);
  }
}

/**
 * The one spelling of a zone's name that the platform has; undefined when there is no such zone. luxon remembers every name
 * that it is given, for good, be it no zone's or in other letters' case, and names come out of objects, too.
 */
function spelling(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
