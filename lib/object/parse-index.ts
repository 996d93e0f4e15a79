import { S3BatchError } from '../errors';
import { checkVersion, MAX_TIME } from './format';
import type { IndexPageJson } from './index-json';

/** Levels of arrays and objects that an index may have; version 1 has four. */
const MAX_DEPTH = 8;
/** An index has few arrays and objects, but one for each folded record, whose JSON takes more bytes than this. */
const BYTES_PER_CONTAINER = 8;
const SPARE_CONTAINERS = 1000;

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new S3BatchError('OBJECT_CORRUPT', `the offset index contradicts itself (${what})`);
}

/**
 * Parses the JSON of an index page and checks shapes and types; what the numbers mean is checked where they are used.
 * @param bytes untrusted
 * @throws OBJECT_VERSION, OBJECT_CORRUPT
 */
export function parseIndexPage(bytes: Buffer): IndexPageJson {
  const json = parseJson(bytes) as IndexPageJson;
  check(isObject(json) && isWhole(json.version), 'shape');
  // Before anything else is looked at: a later version may have another shape.
  checkVersion(json.version);
  check([json.count, json.offset].every(isWhole), 'shape');
  check([json.first, json.last].every(isTime) && json.first <= json.last, 'times');
  check([json.batch, json.framing, json.compression].every(isString), 'shape');
  check(isObject(json.key) && [json.key.template, json.key.format, json.key.zone].every(isString), 'key');
  check(json.key.time === null || Number.isSafeInteger(json.key.time), 'key');
  check(
    [json.topics, json.series].every((list) => Array.isArray(list) && list.every(isString)),
    'dictionaries',
  );
  check(isObject(json.blocks) && isObject(json.records) && isObject(json.records.lineBreaks), 'shape');
  const { blocks, records } = json;
  for (const column of [
    blocks.length,
    blocks.size,
    blocks.records,
    records.series,
    records.length,
    records.time,
    records.topic,
    records.flags,
  ]) {
    check(Array.isArray(column) && column.every(isWhole), 'columns');
  }
  check(isWhole(records.timeUnit) && records.timeUnit > 0, 'time unit');
  check(isWhole(records.shortest), 'record lengths');
  for (const breaks of Object.values(records.lineBreaks))
    check(Array.isArray(breaks) && breaks.every(isWhole), 'line breaks');
  return json;
}

/** @throws OBJECT_CORRUPT */
export function parseJson(bytes: Buffer): unknown {
  checkContainers(bytes);
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the offset index is not valid JSON', { cause: error });
  }
}

/** A text such as `[[[[…` would take 50 times its bytes as values; 64 KiB of gzip can hold 64 MiB of it. */
function checkContainers(bytes: Buffer): void {
  const most = SPARE_CONTAINERS + bytes.length / BYTES_PER_CONTAINER;
  let containers = 0;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) inString = !inString;
    else if (inString) {
      if (byte === 0x5c) at++;
    } else if (byte === 0x5b || byte === 0x7b) {
      check(++depth <= MAX_DEPTH && ++containers <= most, 'nesting');
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isString(value: unknown): boolean {
  return typeof value === 'string';
}

export function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isTime(value: unknown): boolean {
  return isWhole(value) && (value as number) <= MAX_TIME;
}
