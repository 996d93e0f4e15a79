import { fieldPathText, parseFieldPath } from './field-path';
import type { LayoutSettings } from './settings';
import { payloadName } from './variables';

/** What the time is called in a key, unless a payload field gives it a name of its own. */
export const TIME = 'time';

/** What the time may be called in a key: first the name that the template gets. */
export function namesOfTime({ time }: Pick<LayoutSettings, 'time'>): string[] {
  const path = time.source === 'field' ? parseFieldPath(time.field) : undefined;
  const last = path?.at(-1);
  if (time.source === 'arrival' || path === undefined || last === undefined) return [TIME];
  // A lone "payload" or "topic" has a meaning of its own.
  const short =
    /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(last) && last !== 'topic' && last !== 'payload' ? [last] : [];
  return [...new Set([...short, TIME, fieldPathText(path), time.field, payloadName(path)])];
}

/** The parts of a key when nobody says which. */
export function defaultParts(
  { compressedLevel }: Pick<LayoutSettings, 'compressedLevel'>,
  levels: readonly string[],
): string[] {
  const names = levels.filter((name) => name !== compressedLevel);
  return names.length === 0 ? ['topic', TIME] : [...names, TIME];
}

/** Splits at the slashes outside of brackets: a payload field's name may hold one. */
export function splitParts(key: string): string[] {
  return [...`${key}/`.matchAll(/((?:\["(?:[^"\\]|\\.)*"\]|[^/])*)\//g)].map(([, part = '']) => part);
}
