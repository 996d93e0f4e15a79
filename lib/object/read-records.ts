import { S3BatchError } from '../errors';
import { unframe } from './framing';
import { gunzip } from './gzip';
import type { Block, OffsetIndex } from './offset-index';

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
  /** Its place in the object. */
  place: number;
}

/**
 * The records' bytes of a block.
 * @param bytes exactly the block's bytes as they lie in the object
 * @throws OBJECT_CORRUPT when they do not decompress to the size that the index says
 */
export async function openBlock(index: OffsetIndex, block: Block, bytes: Buffer): Promise<Buffer> {
  if (bytes.length !== block.length) {
    throw new S3BatchError(
      'OBJECT_CORRUPT',
      `block ${block.number} came with ${bytes.length} bytes instead of ${block.length}`,
    );
  }
  return index.compression === 'gzip' ? gunzip(bytes, block.size, `block ${block.number}`) : bytes;
}

/**
 * Reads the records at `places` (ascending, all in `block`).
 * @param bytes what `openBlock` gave; the payloads are views of it where they could stay as they are
 */
export function* readRecords(
  index: OffsetIndex,
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
