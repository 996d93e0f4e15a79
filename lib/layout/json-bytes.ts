/** What was met in the strings of a JSON text so far. */
export interface StringsSeen {
  /** A byte from 0x80 on was met: whether the text is UTF-8 is still to be checked. */
  high: boolean;
  /** Where the last escape was met, or -1. */
  escapeAt: number;
}

const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

const ESCAPED = new Uint8Array(256);
for (const letter of '"\\/bfnrt') ESCAPED[letter.charCodeAt(0)] = 1;

const HEX = new Uint8Array(256);
for (const digit of '0123456789abcdefABCDEF') HEX[digit.charCodeAt(0)] = 1;

/**
 * Where the JSON string ends whose content begins at `at`.
 * @returns the position of the closing quote, or -1 when this is no JSON string. Whether its bytes are UTF-8 is left open.
 */
export function endOfString(bytes: Buffer, at: number, seen: StringsSeen): number {
  // V8 reads bytes more slowly where it has once read one that is not there, so loops over bytes do not.
  const length = bytes.length;
  for (;;) {
    while (at < length && PLAIN[bytes[at] ?? 0] === 1) at++;
    const byte = bytes[at] ?? 0;
    if (byte === 0x22) return at;
    if (byte >= 0x80) {
      seen.high = true;
      at++;
    } else if (byte === 0x5c) {
      seen.escapeAt = at;
      const letter = bytes[at + 1] ?? 0;
      if (ESCAPED[letter] === 1) {
        at += 2;
      } else if (letter === 0x75 && fourHexDigits(bytes, at + 2)) {
        at += 6;
      } else {
        return -1;
      }
    } else {
      return -1;
    }
  }
}

function fourHexDigits(bytes: Buffer, at: number): boolean {
  for (let end = at + 4; at < end; at++) {
    if (HEX[bytes[at] ?? 0] === 0) return false;
  }
  return true;
}

function endOfDigits(bytes: Buffer, at: number): number {
  const length = bytes.length;
  while (at < length && isDigit(bytes[at] ?? 0)) at++;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Where the JSON number ends that begins at `at`, or -1 when there is none. */
export function endOfNumber(bytes: Buffer, at: number): number {
  if (bytes[at] === 0x2d) at++;
  let from = at;
  at = endOfDigits(bytes, at);
  if (at === from || (bytes[from] === 0x30 && at > from + 1)) return -1;
  let byte = bytes[at] ?? 0;
  if (byte === 0x2e) {
    from = ++at;
    at = endOfDigits(bytes, at);
    if (at === from) return -1;
    byte = bytes[at] ?? 0;
  }
  if (byte === 0x65 || byte === 0x45) {
    const sign = bytes[++at] ?? 0;
    if (sign === 0x2b || sign === 0x2d) at++;
    from = at;
    at = endOfDigits(bytes, at);
    if (at === from) return -1;
  }
  return at;
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** Where `true`, `false` or `null` ends that begins at `at`, or -1 when none does. */
export function endOfLiteral(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const literal = first === 0x74 ? TRUE : first === 0x66 ? FALSE : NULL;
  for (let index = 0; index < literal.length; index++) {
    if (bytes[at + index] !== literal[index]) return -1;
  }
  return at + literal.length;
}
