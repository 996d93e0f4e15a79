import { MAX_NAME_BYTES, type NameTemplate, type NameToken } from './object-name';
import { type Partition, partitionAt } from './partition';
import type { FixedPattern } from './fixed-pattern';
import type { PartitionUnit } from './settings';
import { spanOf, type TimeSpan, type Units } from './time-span';

/** What an object's name says. */
export interface ParsedName {
  /** Values of the record variables by name, encoded as they stand in the name. */
  values: Record<string, string>;
  /** Within which the first record's time lies; absent when the name does not tell it. */
  first?: TimeSpan;
  last?: TimeSpan;
  count?: number;
  batch?: string;
  instance?: string;
  extension?: string;
  partition?: Partition;
}

const DOT = 0x2e;
const VALUE = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.=@+,-%') {
  VALUE[character.charCodeAt(0)] = 1;
}

function isValue(code: number): boolean {
  return VALUE[code] === 1;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * Reads a name by a template, in steps of at most tokens times length, whatever the name. Where values stand side
 * by side and it can be read in several ways, earlier values are as short as can be, but times hold for all of them.
 * @param known encoded values that the record variables must have, by position among the template's variables
 * @returns undefined when the name is none of this template, or does not fit the known values.
 */
export function parseName(
  template: NameTemplate,
  unit: PartitionUnit,
  name: string,
  known: readonly (string | undefined)[],
): ParsedName | undefined {
  if (name.length > MAX_NAME_BYTES) return undefined;
  const bytes = asciiBytes(name);
  const tokens = template.tokens.map((token) => place(token, name, bytes, known));
  // ends[k] has a 1 wherever the tokens from k on can take the rest of the name.
  const ends: Uint8Array[] = [new Uint8Array(name.length + 1).fill(1, name.length)];
  for (const token of tokens.toReversed()) ends.unshift(startsBefore(token, ends[0] ?? bytes, bytes));
  if (ends[0]?.[0] !== 1) return undefined;
  // starts[k] has a 1 wherever token k begins in some reading of the name.
  const starts: Uint8Array[] = [new Uint8Array(name.length + 1).fill(1, 0, 1)];
  for (const [index, token] of tokens.entries()) {
    starts.push(endsAfter(token, starts[index] ?? bytes, ends[index + 1] ?? bytes, bytes));
  }
  return describe(template, unit, shortestTexts(tokens, ends, name, bytes), starts, bytes);
}

/** One byte for each UTF-16 unit of the name, 0xff where it is no ASCII character. */
function asciiBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let at = 0; at < name.length; at++) bytes[at] = Math.min(name.charCodeAt(at), 0xff);
  return bytes;
}

/** A token in a name: either its length where it stands is fixed, or it is a run of characters. */
type Place =
  /** Length at a place, or -1 when it is not there. */
  | { lengthAt: (at: number) => number }
  /** Any number of characters, at least one; with `dot`, none or a dot first. */
  | { runs: (code: number) => boolean; dot: boolean };

function place(
  token: NameToken,
  name: string,
  bytes: Uint8Array,
  known: readonly (string | undefined)[],
): Place {
  const text = token.kind === 'text' ? token.text : token.kind === 'value' ? known[token.index] : undefined;
  if (text !== undefined) return { lengthAt: (at) => (name.startsWith(text, at) ? text.length : -1) };
  if (token.kind === 'time' || token.kind === 'partition') {
    return { lengthAt: (at) => (spanAt(token.pattern, bytes, at) === undefined ? -1 : token.pattern.length) };
  }
  return { runs: token.kind === 'count' ? isDigit : isValue, dot: token.kind === 'extension' };
}

/** The span that the text of a pattern tells; without a year, of a leap year. */
function spanAt(pattern: FixedPattern, bytes: Uint8Array, at: number): TimeSpan | undefined {
  const units = pattern.units(bytes, at);
  return units && spanOf({ yyyy: 2000, ...units });
}

/** Where a token can begin so that it ends at a mark. */
function startsBefore(token: Place, marks: Uint8Array, bytes: Uint8Array): Uint8Array {
  const found = new Uint8Array(marks.length);
  let reaches = false;
  for (let at = marks.length - 1; at >= 0; at--) {
    if ('lengthAt' in token) {
      const length = token.lengthAt(at);
      if (length !== -1 && marks[at + length] === 1) found[at] = 1;
    } else {
      reaches = at < bytes.length && token.runs(bytes[at] ?? 0) && (reaches || marks[at + 1] === 1);
      if (token.dot ? marks[at] === 1 || (reaches && bytes[at] === DOT) : reaches) found[at] = 1;
    }
  }
  return found;
}

/** Where, among `allowed`, a token can end that begins at a mark. */
function endsAfter(token: Place, marks: Uint8Array, allowed: Uint8Array, bytes: Uint8Array): Uint8Array {
  const found = new Uint8Array(marks.length);
  const mark = (at: number): void => {
    if (allowed[at] === 1) found[at] = 1;
  };
  let open = false;
  for (let at = 0; at < marks.length; at++) {
    if ('lengthAt' in token) {
      const length = marks[at] === 1 ? token.lengthAt(at) : -1;
      if (length !== -1) mark(at + length);
    } else {
      if (open || (token.dot && marks[at] === 1)) mark(at);
      if (marks[at] === 1 && (!token.dot || bytes[at] === DOT)) open = true;
      if (!token.runs(bytes[at] ?? 0)) open = false;
    }
  }
  return found;
}

/** The tokens' texts, each as short as can be. */
function shortestTexts(
  tokens: readonly Place[],
  ends: readonly Uint8Array[],
  name: string,
  bytes: Uint8Array,
): string[] {
  let start = 0;
  return tokens.map((token, index) => {
    const allowed = ends[index + 1] ?? bytes;
    let end = start;
    if ('lengthAt' in token) end += token.lengthAt(start);
    else {
      if (!token.dot) end++;
      while (end < name.length && allowed[end] !== 1) end++;
    }
    const text = name.slice(start, end);
    start = end;
    return text;
  });
}

function describe(
  template: NameTemplate,
  unit: PartitionUnit,
  texts: readonly string[],
  starts: readonly Uint8Array[],
  bytes: Uint8Array,
): ParsedName {
  const parsed: ParsedName = { values: {} };
  for (const [index, token] of template.tokens.entries()) {
    const text = texts[index] ?? '';
    switch (token.kind) {
      case 'text':
      case 'time':
        break;
      case 'value': {
        const variable = template.variables[token.index]?.name ?? '';
        if (!Object.hasOwn(parsed.values, variable)) parsed.values[variable] = text;
        break;
      }
      case 'partition': {
        const [at, ...others] = placesOf(starts[index]);
        const span = at === undefined || others.length > 0 ? undefined : spanAt(token.pattern, bytes, at);
        if (span !== undefined) parsed.partition = partitionAt(unit, span.from);
        break;
      }
      case 'count':
        if (Number.isSafeInteger(Number(text))) parsed.count = Number(text);
        break;
      default:
        parsed[token.kind] ??= text;
    }
  }
  for (const of of ['first', 'last'] as const) {
    const span = timeSpan(template, of, starts, bytes);
    if (span !== undefined) parsed[of] = span;
  }
  return parsed;
}

function placesOf(marks: Uint8Array | undefined): number[] {
  return [...(marks ?? []).entries()].flatMap(([at, mark]) => (mark === 1 ? [at] : []));
}

/** The span that holds the time in every reading of the name; undefined when a reading does not tell it. */
function timeSpan(
  template: NameTemplate,
  of: 'first' | 'last',
  starts: readonly Uint8Array[],
  bytes: Uint8Array,
): TimeSpan | undefined {
  const pieces = template.tokens.flatMap((token, index) =>
    token.kind === 'time' && token.of === of
      ? [placesOf(starts[index]).map((at) => token.pattern.units(bytes, at) ?? {})]
      : [],
  );
  const [only] = pieces;
  if (only === undefined) return undefined;
  if (pieces.length === 1) {
    const spans = only.map(spanOf);
    const told = spans.filter((span) => span !== undefined);
    if (told.length < spans.length) return undefined;
    return { from: Math.min(...told.map(({ from }) => from)), to: Math.max(...told.map(({ to }) => to)) };
  }
  const isOne = pieces.every((places) => places.length === 1);
  return isOne ? spanOf(Object.assign({}, ...pieces.flat()) as Units) : undefined;
}
