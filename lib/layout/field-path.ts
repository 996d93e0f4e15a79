/**
 * A path to a payload field: member names, or for arrays the index in decimal digits.
 */
export type FieldPath = readonly string[];

const PLAIN_SEGMENT = /^[^.[\]"'\s{}/%\p{Cc}\p{Cs}]+$/u;
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Reads a path such as `weldspot.Timestamp`, `points[0].x` or `["a.b"].c`. Brackets hold an index or a member name
 * as a JSON string.
 * @returns undefined when the text is no path.
 */
export function parseFieldPath(text: string): FieldPath | undefined {
  const segments: string[] = [];
  let at = 0;
  while (at < text.length || segments.length === 0) {
    if (text[at] === '[') {
      const bracket = /^\[(\d+|"(?:[^"\\]|\\.)*")\]/.exec(text.slice(at));
      const content = bracket?.[1];
      if (bracket === null || content === undefined) return undefined;
      const segment = content.startsWith('"') ? jsonString(content) : content;
      if (segment === undefined) return undefined;
      segments.push(segment);
      at += bracket[0].length;
    } else {
      if (segments.length > 0) {
        if (text[at] !== '.') return undefined;
        at++;
      }
      const plain = /^[^.[\]"'\s{}]+/.exec(text.slice(at))?.[0];
      if (plain === undefined) return undefined;
      segments.push(plain);
      at += plain.length;
    }
  }
  return segments.some((segment) => LONE_SURROGATE.test(segment)) ? undefined : segments;
}

function jsonString(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

/** The one text of a path: what {@link parseFieldPath} reads back, equal for equal paths. */
export function fieldPathText(path: FieldPath): string {
  return path
    .map((segment, index) => {
      if (!PLAIN_SEGMENT.test(segment)) return `[${JSON.stringify(segment)}]`;
      return index === 0 ? segment : `.${segment}`;
    })
    .join('');
}
