import { clockTime, digitsAt, isTime, MS_HOUR, MS_MINUTE } from './calendar';
import type { TimeZone } from './time-zone';

/**
 * Reads the usual shape of an ISO 8601 time, `2018-10-01T17:10:35`, with up to nine digits of a fraction, with `Z`,
 * `+02:00`, `+0200`, `+02` or, in `zone`, nothing after it.
 * @returns ms since the epoch, fractions of them cut off; NaN when it has another shape or names no time.
 */
export function readUsualIso(bytes: Uint8Array, start: number, end: number, zone: TimeZone): number {
  if (end - start < 19) return NaN;
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d || bytes[start + 10] !== 0x54) return NaN;
  if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return NaN;
  let at = start + 19;
  let ms = 0;
  if (at < end && (bytes[at] === 0x2e || bytes[at] === 0x2c)) {
    const from = ++at;
    while (at < end && isDigit(bytes[at] ?? 0)) at++;
    const digits = at - from;
    if (digits === 0 || digits > 9) return NaN;
    ms = digitsAt(bytes, from, digits);
    ms = digits < 3 ? ms * 10 ** (3 - digits) : Math.floor(ms / 10 ** (digits - 3));
  }
  const clock = clockTime(
    digitsAt(bytes, start, 4),
    digitsAt(bytes, start + 5, 2),
    digitsAt(bytes, start + 8, 2),
    digitsAt(bytes, start + 11, 2),
    digitsAt(bytes, start + 14, 2),
    digitsAt(bytes, start + 17, 2),
    ms,
  );
  const time = at === end ? zone.timeOf(clock) : clock - readOffset(bytes, at, end);
  return isTime(time) ? time : NaN;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** The offset in ms that the bytes tell, or NaN. */
function readOffset(bytes: Uint8Array, at: number, end: number): number {
  const sign = bytes[at];
  const length = end - at;
  if (sign === 0x5a) return length === 1 ? 0 : NaN;
  if (sign !== 0x2b && sign !== 0x2d) return NaN;
  const hours = length >= 3 ? digitsAt(bytes, at + 1, 2) : -1;
  let minutes = -1;
  if (length === 3) minutes = 0;
  else if (length === 5) minutes = digitsAt(bytes, at + 3, 2);
  else if (length === 6 && bytes[at + 3] === 0x3a) minutes = digitsAt(bytes, at + 4, 2);
  if (hours < 0 || minutes < 0) return NaN;
  const offset = hours * MS_HOUR + minutes * MS_MINUTE;
  return sign === 0x2d ? -offset : offset;
}
