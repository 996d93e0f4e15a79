/** How bytes and times are shown to people. Needs nothing of Node.js, since browsers do it. */

/** Bytes in one line of hexadecimal digits. */
const LINE = 8;
/** Levels of JSON that are indented: deep ones would grow by the square of their depth. */
const DEEPEST = 50;

/** Bytes as lines of offset, hexadecimal digits and printable US-ASCII, with a dot for what is none. */
export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const line = Array.from(bytes.subarray(at, at + LINE));
    const digits = line.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${digits.padEnd(LINE * 3 - 1)}  ${text}`);
  }
  return lines.join('\n');
}

/** The text that these bytes are in UTF-8; undefined when they are none. A character that is cut off at the end may be. */
export function utf8Text(bytes: Uint8Array, isWhole: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !isWhole });
  } catch {
    return undefined;
  }
}

/**
 * A JSON text over several lines, with every number and string as it stands there; undefined when it is no JSON text.
 * Parsing and writing it anew would change long numbers.
 */
export function indentedJson(json: string): string | undefined {
  try {
    JSON.parse(json);
  } catch {
    return undefined;
  }
  let depth = 0;
  let indented = '';
  const newLine = (): string => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    if (token === '{' || token === '[') {
      depth++;
      indented += token + newLine();
    } else if (token === '}' || token === ']') {
      depth--;
      indented += newLine() + token;
    } else if (token === ',') indented += token + newLine();
    else if (token === ':') indented += ': ';
    else indented += /^[[{]/.test(token) ? token.replace(/\s+/, '') : token;
  }
  return indented;
}

/** A time in UTC as `2018-10-01 17:10:35`, with milliseconds where it has some. */
export function timeText(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/(\.000)?Z$/, '');
}

/** From one time to another one, with the date only as often as it takes. */
export function spanText(first: number, last: number): string {
  const [from, to] = [timeText(first), timeText(last)];
  if (from === to) return from;
  const isOneDay = from.slice(0, 10) === to.slice(0, 10);
  return `${from} – ${isOneDay ? to.slice(11) : to}`;
}
