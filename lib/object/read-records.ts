import { S3BatchError } from '../errors';
import type { Compression } from './format';
import { unframe } from './framing';
import { gunzip } from './gzip';
import type { Block, IndexPage } from './index-page';

/** One record as it was published. */
export interface StoredRecord {
  topic: string;
  /** Exactly the published bytes (decompressed, where the flags say so). */
  payload: Buffer;
  /** Record time, ms since 1970. */
  time: number;
  series: string;
  /** `RecordFlag` bits. */
  flags: number;
  /** Its place in the page. */
  place: number;
}

/**
 * The records' bytes of a range that an index named: a block, or a run of records of a plain object.
 * @param size bytes that they take decompressed
 * @throws OBJECT_CORRUPT when they do not decompress to exactly that
 */
export async function openRange(compression: Compression, size: number, bytes: Buffer): Promise<Buffer> {
  if (compression === 'gzip') return gunzip(bytes, size, 'a block');
  if (bytes.length !== size) {
    throw new S3BatchError('OBJECT_CORRUPT', `a range came with ${bytes.length} bytes instead of ${size}`);
  }
  return bytes;
}

/**
 * Reads the records at `places` (ascending, all in `block`).
 * @param bytes what `openRange` gave for the block; the payloads are views of it where they could stay as they are
 */
export function* readRecords(
  index: IndexPage,
  block: Block,
  bytes: Buffer,
  places: Iterable<number>,
): Generator<StoredRecord> {
  let at = 0;
  let next = block.first;
  for (const place of places) {
    for (; next < place; next++) at += index.length[next] ?? 0;
    const record = bytes.subarray(at, at + (index.length[place] ?? 0));
    const flags = index.flags[place] ?? 0;
    yield {
      topic: index.topics[index.topic[place] ?? 0] ?? '',
      payload: unframe(index.framing, record, flags, index.lineBreaks(place)),
      time: index.time[place] ?? 0,
      series: index.series[index.seriesAt(place)] ?? '',
      flags,
      place,
    };
  }
}
