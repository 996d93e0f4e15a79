import { type Compression, checkVersion, FORMAT_VERSION } from './format';
import type { Framing } from './framing';
import { check, isObject, isString, isTime, isWhole, parseJson } from './parse-index';

/** One page of the index, as directory and attributes tell it. */
export interface PageEntry {
  /** Series of its first record. */
  series: string;
  /** Where its blocks lie in the object, and how many records they hold. */
  offset: number;
  length: number;
  records: number;
  /** Where its members lie in the object, and the bytes of its JSON. */
  indexOffset: number;
  indexLength: number;
  size: number;
}

/** What the directory of an index tells: the object as a whole, and where each page lies. */
export interface Directory {
  framing: Framing;
  compression: Compression;
  batch: string;
  count: number;
  /** Earliest and latest record time, ms since 1970. */
  first: number;
  last: number;
  pages: PageEntry[];
}

/** The directory as JSON; docs/object-format.md describes each member. */
export interface DirectoryJson {
  version: number;
  batch: string;
  framing: string;
  compression: string;
  count: number;
  first: number;
  last: number;
  /** A column each, in the order of the pages. */
  pages: {
    series: string[];
    length: number[];
    records: number[];
    indexLength: number[];
    size: number[];
  };
}

export function directoryJson(directory: Directory): DirectoryJson {
  const { batch, framing, compression, count, first, last, pages } = directory;
  return {
    version: FORMAT_VERSION,
    batch,
    framing,
    compression,
    count,
    first,
    last,
    pages: {
      series: pages.map((page) => page.series),
      length: pages.map((page) => page.length),
      records: pages.map((page) => page.records),
      indexLength: pages.map((page) => page.indexLength),
      size: pages.map((page) => page.size),
    },
  };
}

/**
 * @param bytes the directory's JSON: untrusted
 * @param dataLength bytes that all blocks take; the pages follow them
 * @param pagesLength bytes that all pages take
 * @throws OBJECT_VERSION, OBJECT_CORRUPT
 */
export function parseDirectory(bytes: Buffer, dataLength: number, pagesLength: number): Directory {
  const json = parseJson(bytes) as DirectoryJson;
  check(isObject(json) && isWhole(json.version), 'directory');
  checkVersion(json.version);
  check([json.first, json.last].every(isTime) && json.first <= json.last, 'times');
  check(isWhole(json.count) && isString(json.batch) && isObject(json.pages), 'directory');
  check(['newline', 'length', 'none'].includes(json.framing), 'framing');
  check(['gzip', 'none'].includes(json.compression), 'compression');
  const { series, ...columns } = json.pages;
  check(Array.isArray(series) && series.every(isString), 'directory');
  for (const column of [columns.length, columns.records, columns.indexLength, columns.size]) {
    check(Array.isArray(column) && column.length === series.length && column.every(isWhole), 'directory');
  }
  const pages = placePages(
    series.map((text, number) => ({
      series: text,
      length: columns.length[number] ?? 0,
      records: columns.records[number] ?? 0,
      indexLength: columns.indexLength[number] ?? 0,
      size: columns.size[number] ?? 0,
    })),
    dataLength,
  );
  check(coversAll(pages, json.count, dataLength, pagesLength), 'pages');
  return {
    framing: json.framing as Framing,
    compression: json.compression as Compression,
    batch: json.batch,
    count: json.count,
    first: json.first,
    last: json.last,
    pages,
  };
}

/** Pages follow each other, as do the blocks that they cover. */
export function placePages(
  pages: readonly Omit<PageEntry, 'offset' | 'indexOffset'>[],
  dataLength: number,
): PageEntry[] {
  let offset = 0;
  let indexOffset = dataLength;
  return pages.map((page) => {
    const placed = { ...page, offset, indexOffset };
    offset += page.length;
    indexOffset += page.indexLength;
    return placed;
  });
}

/** Whether pages make up all records, all bytes of the blocks, and all bytes of the pages. */
export function coversAll(
  pages: readonly PageEntry[],
  count: number,
  dataLength: number,
  pagesLength: number,
): boolean {
  const sum = (of: (page: PageEntry) => number): number => pages.reduce((total, page) => total + of(page), 0);
  return (
    count > 0 &&
    pages.every((page) => page.records > 0) &&
    sum((page) => page.records) === count &&
    sum((page) => page.length) === dataLength &&
    sum((page) => page.indexLength) === pagesLength
  );
}
