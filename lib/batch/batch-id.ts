import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford's base 32, lower case

/**
 * A new identity of a batch: 20 characters, unique without any coordination, and in the order of time when sorted as
 * text (10 characters of the time in ms, 10 of chance; after the ULID, whose remaining 30 bits are not needed here).
 */
export function newBatchId(now: number): string {
  let time = '';
  // A clock that was never set may stand before 1970.
  for (let rest = Math.max(0, Math.floor(now)); time.length < 10; rest = Math.floor(rest / 32))
    time = (ALPHABET[rest % 32] ?? '') + time;
  return time + Array.from(randomBytes(10), (byte) => ALPHABET[byte & 31]).join('');
}
