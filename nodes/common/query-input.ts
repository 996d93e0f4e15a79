import { types } from 'node:util';

import type { NodeMessage } from 'node-red';

import { S3BatchError } from '../../lib/errors';
import { Layout } from '../../lib/layout';
import type { Query } from '../../lib/query';

/** The members of a query before they are checked: from a dialogue, or of `msg.query`. */
export type QueryInput = Partial<Record<keyof Query, unknown>>;

const TEXTS = ['bucket', 'series', 'seriesPrefix', 'key', 'keyPrefix'] as const;
const MEMBERS: readonly string[] = [...TEXTS, 'levels', 'from', 'to'];
/** Reads times where no layout is chosen. */
const NO_LAYOUT = new Layout();

/** `msg.query`, or nothing. @throws QUERY_INVALID when it is no query */
export function queryOf(message: NodeMessage): QueryInput {
  const { query } = message;
  if (query === undefined) return {};
  if (typeof query !== 'object' || query === null || Array.isArray(query)) {
    throw new S3BatchError('QUERY_INVALID', `msg.query must be an object with any of ${MEMBERS.join(', ')}`);
  }
  const unknown = Object.keys(query).filter((name) => !MEMBERS.includes(name));
  if (unknown.length > 0) {
    throw new S3BatchError(
      'QUERY_INVALID',
      `msg.query has ${unknown.join(', ')}, which is none of ${MEMBERS.join(', ')}`,
    );
  }
  return query;
}

/** Checks a query and reads its times. Empty texts ask nothing. @throws QUERY_INVALID */
export function checkQuery(input: QueryInput, layout: Layout | undefined): Query {
  const query: Query = {};
  for (const name of TEXTS) {
    const value = input[name];
    if (value === undefined || value === null || value === '') continue;
    if (typeof value !== 'string') throw new S3BatchError('QUERY_INVALID', `${name} must be text`);
    query[name] = value;
  }
  for (const name of ['from', 'to'] as const) {
    const time = timeOf(name, input[name], layout);
    if (time !== undefined) query[name] = time;
  }
  const levels = levelsOf(input.levels);
  if (Object.keys(levels).length > 0) query.levels = levels;
  return query;
}

/** ms since 1970 from a Date, a number of ms, or text in the layout's format or in ISO 8601. */
function timeOf(name: string, value: unknown, layout: Layout | undefined): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const time =
    // Function nodes have a Date of their own, so `instanceof` would not know it.
    types.isDate(value)
      ? value.getTime()
      : typeof value === 'number'
        ? value
        : typeof value === 'string'
          ? (layout ?? NO_LAYOUT).parseTime(value)
          : undefined;
  if (time !== undefined && Number.isFinite(time)) return time;
  throw new S3BatchError(
    'QUERY_INVALID',
    `${name} is no time: give ISO 8601, ms since 1970, or the format of the layout's record time`,
  );
}

/** The levels of the dialogue, with those of `msg.query` in their place. @throws QUERY_INVALID */
export function mergeLevels(dialogue: Record<string, unknown>, asked: unknown): Record<string, unknown> {
  return { ...dialogue, ...membersOf(asked) };
}

/** The name of one object, if any is asked for. @throws QUERY_INVALID */
export function objectNameOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new S3BatchError('QUERY_INVALID', "the object's name must be text");
}

function membersOf(value: unknown): object {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value;
  throw new S3BatchError('QUERY_INVALID', "levels must be an object such as {'PLANT-ID': 'PLANT-7'}");
}

function levelsOf(value: unknown): Record<string, string | readonly string[]> {
  const levels: Record<string, string | readonly string[]> = {};
  for (const [level, wanted] of Object.entries(membersOf(value) as Record<string, unknown>)) {
    if (wanted === undefined || wanted === null || wanted === '') continue;
    if (typeof wanted === 'string') levels[level] = wanted;
    else if (Array.isArray(wanted) && wanted.every((one) => typeof one === 'string')) levels[level] = wanted;
    else throw new S3BatchError('QUERY_INVALID', `the level ${level} must be text or a list of texts`);
  }
  return levels;
}
