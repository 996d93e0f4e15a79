/** What no JSON text can do without. Trying to parse any other text would cost an exception each. */
const MAY_BE_JSON = /^[ \t\n\r]*(?:\{[^]*\}|\[[^]*\]|"[^]*"|-?[0-9][0-9.eE+-]*|true|false|null)[ \t\n\r]*$/;

/**
 * The text that a payload has whichever way a flow hands it on: as a Buffer, as a string, or as a value that was
 * parsed from JSON, which forgets white space, escapes and the spelling of numbers.
 * - JSON: what `JSON.stringify(JSON.parse(text))` gives; but of a JSON string its content, which is what a parsed
 *   one becomes as a payload
 * - anything else: its bytes as UTF-8 text, where each invalid byte sequence is a replacement character
 */
export function canonicalText(payload: Buffer): string {
  let text = payload.toString('utf8');
  // A string inside a string inside a string: quotes and escapes grow with each, so these are few rounds.
  while (MAY_BE_JSON.test(text)) {
    let value: unknown;
    try {
      value = JSON.parse(text);
      if (typeof value !== 'string') return JSON.stringify(value);
    } catch {
      // Not JSON, or nested too deeply to be written again.
      return text;
    }
    text = value;
  }
  return text;
}
