import { createHash } from 'node:crypto';

/** Every UTF-8 byte of a text as `%XX`. Lone surrogates, which UTF-8 cannot have, become U+FFFD. */
export function percentEncoded(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&');
}

/** The first `digits` hexadecimal digits of the SHA-256 of a text. */
export function shortHash(text: string, digits: number): string {
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, digits);
}

const NOT_IN_KEYS = /[%/\p{Cc}\p{Cs}]/gu;
const NOT_IN_KEYS_OF_TOPICS = /[%\p{Cc}\p{Cs}]/gu;

/** A text as one part of an offset key: '%', '/' and control characters percent-encoded. */
export function keyPart(text: string): string {
  return text.replace(NOT_IN_KEYS, percentEncoded);
}

/** A whole topic in an offset key: its slashes stay, so that it takes as many parts as it has levels. */
export function keyTopic(topic: string): string {
  return topic.replace(NOT_IN_KEYS_OF_TOPICS, percentEncoded);
}

/** The text that was encoded as {@link keyPart}. */
export function decodedKeyPart(part: string): string {
  return part.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Bytes that mark a cut value: `%-` (no escape, so no value is mistaken for a cut one) and 16 digits of its hash. */
export const CUT_MARK_BYTES = 18;
const HASH_DIGITS = CUT_MARK_BYTES - 2;

const PLAIN_VALUE = /^[A-Za-z0-9_.=@+,-]+$/;
const NOT_IN_VALUES = /[^A-Za-z0-9_.=@+,-]+/g;
const ONLY_DOTS = /^\.\.?$/;

/** What stands in an object name for an empty value. */
export const EMPTY_VALUE = '%00';

/**
 * A text as part of an object name: never empty, never `.` or `..`, of `A-Za-z0-9_.=@+,-` and escapes `%XX` only.
 * @param limit encoded bytes up to which it stays whole; a longer one is cut there and gets {@link CUT_MARK_BYTES} more
 */
export function nameValue(text: string, limit: number): string {
  if (text.length <= limit && PLAIN_VALUE.test(text))
    return ONLY_DOTS.test(text) ? percentEncoded(text) : text;
  if (text === '') return EMPTY_VALUE;
  const encoded = text.replace(NOT_IN_VALUES, percentEncoded);
  if (encoded.length <= limit) return encoded;
  const cut = encoded.slice(0, limit).replace(/%[0-9A-F]?$/, '');
  return `${cut}%-${shortHash(text, HASH_DIGITS)}`;
}
