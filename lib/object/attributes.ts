import { S3BatchError } from '../errors';
import { checkVersion, FORMAT_VERSION, type ObjectFormat, SIDECAR_SUFFIX } from './format';
import { type IndexLocation, TRAILER_LENGTH } from './tail';

/*
 * User metadata of an object. AWS takes 2 KB in all, some Ceph deployments 1,024 bytes a value; names come back in
 * lower case and with `-` for `_`; only printable US-ASCII without outer spaces survives everywhere.
 */

/** Names and values together, each name counted with its `x-amz-meta-` prefix. */
const MAX_TOTAL = 2048;
const MAX_VALUE = 1000;
const PREFIX_LENGTH = 'x-amz-meta-'.length;
const FORMAT = 's3-batch';

/** One block as the attributes tell it. */
export interface BlockEntry {
  /** Series of the block's first record. */
  series: string;
  offset: number;
  length: number;
  records: number;
}

/** What a HEAD tells about an object: everything but its records. */
export interface ObjectSummary {
  count: number;
  /** Earliest and latest record time, ms since 1970. */
  first: number;
  last: number;
  batch: string;
  keyTemplate: string;
  /** Where the index lies in the object, or that it is the sidecar object. */
  index: IndexLocation | 'sidecar';
  /** The compressed index itself, when it is small enough. */
  indexBytes?: Buffer;
  /** Size of `indexBytes` decompressed. */
  indexSize?: number;
  /** One entry a block, when they fit and the index itself does not. */
  blocks?: BlockEntry[];
}

/** Percent-encodes what is not printable US-ASCII, `%` itself, `extra` characters, and outer spaces. */
export function encodeText(text: string, extra = ''): string {
  const encoded = text.toWellFormed().replace(/[^\x20-\x7e]+|%/g, (run) => encodeURIComponent(run));
  return encoded.replace(/^ +| +$|[;,]/g, (run) =>
    run.startsWith(' ')
      ? '%20'.repeat(run.length)
      : extra.includes(run)
        ? `%${run.charCodeAt(0).toString(16).toUpperCase()}`
        : run,
  );
}

/** Undoes `encodeText`; text that is not well encoded stays as it is. */
export function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The attributes of an object. The map is the whole index when it fits, else one entry a block when those fit,
 * else nothing: never a part of it.
 */
export function buildAttributes(
  format: ObjectFormat,
  range: { count: number; first: number; last: number },
  index: IndexLocation | 'sidecar',
  compressedIndex: Buffer,
  indexSize: number,
  blocks: readonly BlockEntry[],
): Record<string, string> {
  const attributes: Record<string, string> = {
    format: `${FORMAT}/${FORMAT_VERSION}`,
    count: String(range.count),
    first: new Date(range.first).toISOString(),
    last: new Date(range.last).toISOString(),
    framing: format.framing,
    index: index === 'sidecar' ? SIDECAR_SUFFIX : `${index.offset},${index.length},${index.size}`,
  };
  addIfFits(attributes, 'batch', encodeText(format.batch));
  addIfFits(attributes, 'key', encodeText(format.key.template));
  if (!addIfFits(attributes, 'map-index', `${indexSize},${compressedIndex.toString('base64')}`)) {
    addIfFits(
      attributes,
      'map-blocks',
      blocks.map((b) => `${encodeText(b.series, ',;')},${b.offset},${b.length},${b.records}`).join(';'),
    );
  }
  return attributes;
}

/**
 * Adds `value` under `name`, and what is longer than one value may be in pieces under `name-1`, `name-2`, …
 * @returns false, with all left as it is, when it does not fit
 */
function addIfFits(attributes: Record<string, string>, name: string, value: string): boolean {
  const added: Record<string, string> = {};
  for (let at = 0, piece = 0; at < value.length; piece++) {
    // A piece never begins or ends with a space: stores trim those.
    let end = Math.min(at + MAX_VALUE, value.length);
    while (end < value.length && (value[end] === ' ' || value[end - 1] === ' ')) end--;
    if (end <= at) return false;
    added[piece === 0 ? name : `${name}-${piece}`] = value.slice(at, end);
    at = end;
  }
  if (totalLength(attributes) + totalLength(added) > MAX_TOTAL) return false;
  Object.assign(attributes, added);
  return true;
}

function totalLength(attributes: Record<string, string>): number {
  return Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + PREFIX_LENGTH + name.length + value.length,
    0,
  );
}

function joined(attributes: Record<string, string>, name: string): string | undefined {
  let value = attributes[name];
  if (value === undefined) return undefined;
  for (let piece = 1; ; piece++) {
    const next = attributes[`${name}-${piece}`];
    if (next === undefined) return value;
    value += next;
  }
}

/**
 * Reads what the attributes tell.
 * @param attributes user metadata as a store gave it: untrusted
 * @param objectSize size of the object they are on
 * @returns undefined when the object has no attributes of ours (lost in a copy, or not our object)
 * @throws OBJECT_VERSION, OBJECT_CORRUPT
 */
export function readAttributes(
  attributes: Record<string, string>,
  objectSize: number,
): ObjectSummary | undefined {
  const format = /^s3-batch\/(\d{1,9})$/.exec(attributes.format ?? '');
  if (!format) return undefined;
  checkVersion(Number(format[1]));
  const count = wholeNumber(attributes.count);
  const first = isoTime(attributes.first);
  const last = isoTime(attributes.last);
  const index = readIndexLocation(attributes.index ?? '', objectSize);
  if (!count || !(first <= last) || index === undefined) {
    throw new S3BatchError('OBJECT_CORRUPT', 'the attributes of the object contradict themselves');
  }
  const summary: ObjectSummary = {
    count,
    first,
    last,
    index,
    batch: decodeText(joined(attributes, 'batch') ?? ''),
    keyTemplate: decodeText(joined(attributes, 'key') ?? ''),
  };
  const map = readMapIndex(joined(attributes, 'map-index'));
  if (map) Object.assign(summary, map);
  const blocks = readBlocks(joined(attributes, 'map-blocks'));
  if (blocks && areWhole(blocks, count, index === 'sidecar' ? objectSize : index.offset))
    summary.blocks = blocks;
  return summary;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** NaN when the text is no time as `toISOString` writes it. */
function isoTime(text = ''): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) ? Date.parse(text) : NaN;
}

function readIndexLocation(text: string, objectSize: number): IndexLocation | 'sidecar' | undefined {
  if (text === SIDECAR_SUFFIX) return 'sidecar';
  const [offset, length, size] = text.split(',').map(wholeNumber);
  if (offset === undefined || length === undefined || size === undefined) return undefined;
  return offset + length + TRAILER_LENGTH === objectSize ? { offset, length, size } : undefined;
}

/** Undefined when there is none, or when a piece of it was lost: gzip ends in the size of what it holds. */
function readMapIndex(text = ''): { indexBytes: Buffer; indexSize: number } | undefined {
  const map = /^(\d{1,9}),([A-Za-z0-9+/=]+)$/.exec(text);
  const indexBytes = Buffer.from(map?.[2] ?? '', 'base64');
  const indexSize = Number(map?.[1]);
  if (indexBytes.length < 4 || indexBytes.readUInt32LE(indexBytes.length - 4) !== indexSize) return undefined;
  return { indexBytes, indexSize };
}

function readBlocks(text: string | undefined): BlockEntry[] | undefined {
  if (text === undefined) return undefined;
  const blocks: BlockEntry[] = [];
  for (const entry of text.split(';')) {
    const [series, ...numbers] = entry.split(',');
    const [offset, length, records] = numbers.map(wholeNumber);
    if (series === undefined || offset === undefined || length === undefined || !records) return undefined;
    blocks.push({ series: decodeText(series), offset, length, records });
  }
  return blocks;
}

/** Whether blocks follow each other through all records and all bytes before the index. */
function areWhole(blocks: readonly BlockEntry[], count: number, dataLength: number): boolean {
  let offset = 0;
  let records = 0;
  for (const block of blocks) {
    if (block.offset !== offset) return false;
    offset += block.length;
    records += block.records;
  }
  return offset === dataLength && records === count;
}
