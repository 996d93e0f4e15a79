import { S3BatchError } from '../errors';
import { checkVersion, FORMAT_VERSION, type KeyFormat, SIDECAR_SUFFIX } from './format';
import type { Framing } from './framing';
import { coversAll, type Directory, type PageEntry, placePages } from './directory';
import { type IndexLocation, isInside } from './tail';

/*
 * User metadata of an object. AWS takes 2 KB in all, some Ceph deployments 1,024 bytes a value; names come back in
 * lower case and with `-` for `_`; only printable US-ASCII without outer spaces survives everywhere.
 */

/** Names and values together, each name counted with its `x-amz-meta-` prefix. */
export const MAX_TOTAL = 2048;
export const MAX_VALUE = 1000;
export const PREFIX_LENGTH = 'x-amz-meta-'.length;
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
  framing: Framing;
  keyTemplate: string;
  /** Where the index lies in the object, or that it is the sidecar object. */
  index: IndexLocation | 'sidecar';
  /** One entry a page of the index, when they fit. */
  pages?: PageEntry[];
  /** The only page of the index, compressed, when it is small enough. */
  pageBytes?: Buffer;
  /** One entry a block, when they fit and the page itself does not. */
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
 * The attributes of an object. Of the map as much as fits: where the pages of the index lie; then the whole index
 * when it is one small page, else one entry a block. Never a part of any of these.
 * @param compressedPages the pages of the index, compressed
 */
export function buildAttributes(
  directory: Directory,
  key: KeyFormat,
  index: IndexLocation | 'sidecar',
  compressedPages: readonly Buffer[],
  blocks: readonly BlockEntry[],
): Record<string, string> {
  const { count, first, last, framing, batch, pages } = directory;
  const attributes: Record<string, string> = {
    format: `${FORMAT}/${FORMAT_VERSION}`,
    count: String(count),
    first: new Date(first).toISOString(),
    last: new Date(last).toISOString(),
    framing,
    index:
      index === 'sidecar'
        ? SIDECAR_SUFFIX
        : [index.offset, index.length, index.directoryLength, index.directorySize].join(','),
  };
  addIfFits(attributes, 'batch', encodeText(batch));
  addIfFits(attributes, 'key', encodeText(key.template));
  const hasPages =
    index !== 'sidecar' &&
    addIfFits(
      attributes,
      'map-pages',
      entriesText(pages, (p) => [p.length, p.records, p.indexLength, p.size]),
    );
  const [page, ...others] = compressedPages;
  const isSmall =
    hasPages && page && others.length === 0 && addIfFits(attributes, 'map-index', page.toString('base64'));
  if (!isSmall)
    addIfFits(
      attributes,
      'map-blocks',
      entriesText(blocks, (b) => [b.offset, b.length, b.records]),
    );
  return attributes;
}

function entriesText<T extends { series: string }>(
  entries: readonly T[],
  numbers: (entry: T) => number[],
): string {
  return entries.map((entry) => [encodeText(entry.series, ',;'), ...numbers(entry)].join(',')).join(';');
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
    framing: readFraming(attributes.framing),
  };
  const dataLength = index === 'sidecar' ? objectSize : index.offset;
  const pages = index === 'sidecar' ? undefined : readPages(joined(attributes, 'map-pages'), count, index);
  if (pages) summary.pages = pages;
  const [page, ...others] = pages ?? [];
  const pageBytes =
    page && others.length === 0 ? readMapIndex(joined(attributes, 'map-index'), page.size) : undefined;
  if (pageBytes) summary.pageBytes = pageBytes;
  const blocks = readBlocks(joined(attributes, 'map-blocks'));
  if (blocks && areWhole(blocks, count, dataLength)) summary.blocks = blocks;
  return summary;
}

function readFraming(text: string | undefined): Framing {
  if (text === 'newline' || text === 'length' || text === 'none') return text;
  throw new S3BatchError('OBJECT_CORRUPT', 'the attributes of the object name no known framing');
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
  const [offset, length, directoryLength, directorySize] = text.split(',').map(wholeNumber);
  if (offset === undefined || length === undefined) return undefined;
  if (directoryLength === undefined || directorySize === undefined) return undefined;
  const location = { offset, length, directoryLength, directorySize };
  return isInside(location, objectSize) ? location : undefined;
}

/** Undefined when there is none, or when a piece of it was lost: gzip ends in the size of what it holds. */
function readMapIndex(text: string | undefined, size: number): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/=]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length >= 4 && bytes.readUInt32LE(bytes.length - 4) === size ? bytes : undefined;
}

/** Entries of a series and `width` numbers; undefined when there are none, or when one is not right. */
function readEntries(
  text: string | undefined,
  width: number,
): { series: string; numbers: number[] }[] | undefined {
  if (text === undefined) return undefined;
  const entries: { series: string; numbers: number[] }[] = [];
  for (const entry of text.split(';')) {
    const [series = '', ...fields] = entry.split(',');
    const numbers = fields.map(wholeNumber).filter((number) => number !== undefined);
    if (fields.length !== width || numbers.length !== width) return undefined;
    entries.push({ series: decodeText(series), numbers });
  }
  return entries;
}

function readPages(text: string | undefined, count: number, index: IndexLocation): PageEntry[] | undefined {
  const entries = readEntries(text, 4)?.map(({ series, numbers }) => {
    const [length = 0, records = 0, indexLength = 0, size = 0] = numbers;
    return { series, length, records, indexLength, size };
  });
  if (!entries) return undefined;
  const pages = placePages(entries, index.offset);
  return coversAll(pages, count, index.offset, index.length - index.directoryLength) ? pages : undefined;
}

function readBlocks(text: string | undefined): BlockEntry[] | undefined {
  return readEntries(text, 3)?.map(({ series, numbers }) => {
    const [offset = 0, length = 0, records = 0] = numbers;
    return { series, offset, length, records };
  });
}

/** Whether blocks follow each other through all records and all bytes before the index. */
function areWhole(blocks: readonly BlockEntry[], count: number, dataLength: number): boolean {
  let offset = 0;
  let records = 0;
  for (const block of blocks) {
    if (block.offset !== offset || block.records === 0) return false;
    offset += block.length;
    records += block.records;
  }
  return offset === dataLength && records === count;
}
