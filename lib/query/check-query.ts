import { S3BatchError } from '../errors';
import type { Query } from './query';

const TEXTS = ['bucket', 'series', 'seriesPrefix', 'key', 'keyPrefix'] as const;

/** Queries come from messages, so their types are checked here. @throws QUERY_INVALID */
export function checkQuery(query: Query): void {
  for (const name of TEXTS) {
    const value: unknown = query[name];
    if (value !== undefined && typeof value !== 'string') throw invalid(`${name} must be text`);
  }
  for (const name of ['from', 'to'] as const) {
    const value: unknown = query[name];
    if (value !== undefined && (typeof value !== 'number' || Number.isNaN(value))) {
      throw invalid(`${name} must be a number of ms since 1970`);
    }
  }
  const { from = -Infinity, to = Infinity } = query;
  if (from > to) throw invalid('the time range ends before it begins: exchange from and to');
  const levels: unknown = query.levels ?? {};
  if (typeof levels !== 'object' || levels === null || Array.isArray(levels)) {
    throw invalid("levels must be an object such as {'PLANT-ID': 'PLANT-7'}");
  }
  for (const [level, value] of Object.entries(levels)) {
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string');
    if (typeof value !== 'string' && !isList)
      throw invalid(`the level ${level} must be text or a list of texts`);
  }
}

function invalid(message: string): S3BatchError {
  return new S3BatchError('QUERY_INVALID', message);
}
