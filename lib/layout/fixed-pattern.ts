import { clockTime, digitsAt, padded } from './calendar';
import { patternTokens } from './time-pattern';

/** Widths of the units that always take the same number of digits. */
const WIDTHS = { yyyy: 4, MM: 2, dd: 2, HH: 2, mm: 2, ss: 2, SSS: 3 } as const;
export type FixedUnit = keyof typeof WIDTHS;
/** From large to small. */
export const FIXED_UNITS = Object.keys(WIDTHS) as FixedUnit[];

export type FixedToken = { unit: FixedUnit; width: number } | { text: string };

/**
 * A time pattern in which each unit takes a fixed number of digits (`yyyy MM dd HH mm ss SSS`, each at most once)
 * and all else is ASCII text. Reads and writes clock times without making objects: a clock time is the
 * milliseconds since the epoch that a clock in UTC with the same digits would have.
 */
export class FixedPattern {
  /** Length of every text of this pattern. */
  readonly length: number;
  readonly tokens: readonly FixedToken[];
  readonly #at: Readonly<Record<FixedUnit, number>>;
  readonly #textAt: readonly number[];
  readonly #textBytes: readonly number[];

  private constructor(tokens: readonly FixedToken[]) {
    const at: Record<FixedUnit, number> = { yyyy: -1, MM: -1, dd: -1, HH: -1, mm: -1, ss: -1, SSS: -1 };
    const textAt: number[] = [];
    const textBytes: number[] = [];
    let length = 0;
    for (const token of tokens) {
      if ('unit' in token) {
        at[token.unit] = length;
        length += token.width;
      } else {
        for (const character of token.text) {
          textAt.push(length++);
          textBytes.push(character.charCodeAt(0));
        }
      }
    }
    this.tokens = tokens;
    this.length = length;
    this.#at = at;
    this.#textAt = textAt;
    this.#textBytes = textBytes;
  }

  /** The pattern compiled, or undefined when it is none of this kind. */
  static compile(pattern: string): FixedPattern | undefined {
    const tokens: FixedToken[] = [];
    const seen = new Set<string>();
    for (const { text, literal } of patternTokens(pattern)) {
      if (literal) {
        // Neither quotes nor backslashes: in a JSON string these are not what they look like.
        if (!/^[ !#-[\]-~]+$/.test(text)) return undefined;
        tokens.push({ text });
      } else {
        const unit = FIXED_UNITS.find((name) => name === text);
        if (unit === undefined || seen.has(unit)) return undefined;
        seen.add(unit);
        tokens.push({ unit, width: WIDTHS[unit] });
      }
    }
    return seen.size === 0 ? undefined : new FixedPattern(tokens);
  }

  has(unit: FixedUnit): boolean {
    return this.#at[unit] !== -1;
  }

  /**
   * The clock time that the bytes from `start` to `end` tell; units that the pattern lacks are at their least.
   * @returns NaN when the bytes do not fit the pattern, name no date or hour that exists, or the pattern has no year.
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    if (end - start !== this.length || !this.#textFits(bytes, start)) return NaN;
    const at = this.#at;
    if (at.yyyy === -1) return NaN;
    const year = digitsAt(bytes, start + at.yyyy, 4);
    const month = at.MM === -1 ? 1 : digitsAt(bytes, start + at.MM, 2);
    const day = at.dd === -1 ? 1 : digitsAt(bytes, start + at.dd, 2);
    const hour = at.HH === -1 ? 0 : digitsAt(bytes, start + at.HH, 2);
    const minute = at.mm === -1 ? 0 : digitsAt(bytes, start + at.mm, 2);
    const second = at.ss === -1 ? 0 : digitsAt(bytes, start + at.ss, 2);
    const ms = at.SSS === -1 ? 0 : digitsAt(bytes, start + at.SSS, 3);
    return clockTime(year, month, day, hour, minute, second, ms);
  }

  /**
   * The numbers that the bytes from `start` on tell, each within its digits only.
   * @returns undefined when the bytes do not fit the pattern.
   */
  units(bytes: Uint8Array, start: number): Partial<Record<FixedUnit, number>> | undefined {
    const units: Partial<Record<FixedUnit, number>> = {};
    if (start + this.length > bytes.length || !this.#textFits(bytes, start)) return undefined;
    for (const token of this.tokens) {
      if (!('unit' in token)) continue;
      const value = digitsAt(bytes, start + this.#at[token.unit], token.width);
      if (value === -1) return undefined;
      units[token.unit] = value;
    }
    return units;
  }

  #textFits(bytes: Uint8Array, start: number): boolean {
    const textAt = this.#textAt;
    const textBytes = this.#textBytes;
    for (let index = 0; index < textAt.length; index++) {
      if (bytes[start + (textAt[index] ?? 0)] !== textBytes[index]) return false;
    }
    return true;
  }

  /** Whether texts of this pattern are in the order of their times: it goes from the year down, without a gap. */
  get isSorted(): boolean {
    const units = this.tokens.flatMap((token) => ('unit' in token ? [token.unit] : []));
    return units.every((unit, index) => unit === FIXED_UNITS[index]);
  }

  /** The text of a clock time in the years 0 to 9999. */
  write(clock: number): string {
    const date = new Date(clock);
    return this.tokens
      .map((token) => ('unit' in token ? padded(unitOf(date, token.unit), token.width) : token.text))
      .join('');
  }
}

function unitOf(date: Date, unit: FixedUnit): number {
  switch (unit) {
    case 'yyyy':
      return date.getUTCFullYear();
    case 'MM':
      return date.getUTCMonth() + 1;
    case 'dd':
      return date.getUTCDate();
    case 'HH':
      return date.getUTCHours();
    case 'mm':
      return date.getUTCMinutes();
    case 'ss':
      return date.getUTCSeconds();
    case 'SSS':
      return date.getUTCMilliseconds();
  }
}
