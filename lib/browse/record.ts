import { S3BatchError } from '../errors';
import { openRange, unframe } from '../object';
import type { ObjectStore } from '../store/object-store';
import { entryAt, type MapEntry, type MapPage } from './object-map';

/** Bytes of a block, fetched or decompressed, that are taken to show one record. */
const LARGEST_BLOCK = 16 * 1024 * 1024;

/** One record as it was published. */
export interface BrowsedRecord extends MapEntry {
  series: string;
  payload: Buffer;
}

/**
 * Fetches one record with one ranged GET: of a compressed object its block, of a plain one its bytes only.
 * @param place of the record in the page
 * @throws OBJECT_TOO_LARGE when its block is; QUERY_INVALID when there is no such record; OBJECT_CORRUPT,
 * OBJECT_CHANGED, or what the store says
 */
export async function readRecord(
  store: ObjectStore,
  { head: { bucket, key, etag }, index: { compression, framing }, page }: MapPage,
  place: number,
  signal?: AbortSignal,
): Promise<BrowsedRecord> {
  const entry = entryAt(page, place);
  const block = page.blockAt(place);
  const isPlain = compression === 'none';
  const span = isPlain
    ? { offset: block.offset + entry.start, length: entry.length, size: entry.length }
    : block;
  const start = isPlain ? 0 : entry.start;
  const largest = Math.max(span.length, span.size);
  if (largest > LARGEST_BLOCK) {
    throw new S3BatchError(
      'OBJECT_TOO_LARGE',
      `the record lies in a block of ${largest} bytes, more than the ${LARGEST_BLOCK} that are fetched to show one: fetch it with s3-range-in`,
    );
  }
  const bytes = await bytesOf();
  const opened = await openRange(compression, span.size, bytes);
  const framed = opened.subarray(start, start + entry.length);
  const payload = unframe(framing, framed, entry.flags, page.lineBreaks(place));
  return { ...entry, series: page.series[page.seriesAt(place)] ?? '', payload };

  async function bytesOf(): Promise<Buffer> {
    // A record without payload may take no bytes at all, and no range has none.
    if (span.length === 0) return Buffer.alloc(0);
    const options = { etag, ...(signal && { signal }) };
    const { offset, length } = span;
    return (await store.getRange(bucket, key, { offset, length }, options)).bytes;
  }
}
