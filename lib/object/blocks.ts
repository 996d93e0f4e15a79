import type { Records, SortedRecords } from './records';

/** A run of whole records, in the order of the object, that is compressed and fetched as one. */
export interface BlockPlan {
  /** Place of its first record in the order. */
  first: number;
  records: number;
  /** Bytes before compression. */
  size: number;
}

/**
 * Cuts sorted records into blocks of at most `blockSize` bytes (a larger record has a block of its own). A block
 * also ends where a series ends, once it is at least half full: then one series costs no bytes of another, while
 * many small series share a block.
 */
export function planBlocks(sorted: SortedRecords, blockSize: number): BlockPlan[] {
  const blocks: BlockPlan[] = [];
  let block: BlockPlan = { first: 0, records: 0, size: 0 };
  const end = (): void => {
    blocks.push(block);
    block = { first: block.first + block.records, records: 0, size: 0 };
  };
  let place = 0;
  for (const count of sorted.counts) {
    if (block.records > 0 && block.size * 2 >= blockSize) end();
    for (const last = place + count; place < last; place++) {
      const length = sorted.length[place] ?? 0;
      if (block.records > 0 && block.size + length > blockSize) end();
      block.records++;
      block.size += length;
    }
  }
  if (block.records > 0) blocks.push(block);
  return blocks;
}

/**
 * The bytes of a block: its records one behind the other.
 * @param into memory for them, of at least the block's size
 */
export function gatherBlock(
  records: Records,
  sorted: SortedRecords,
  block: BlockPlan,
  into: Buffer = Buffer.allocUnsafeSlow(block.size),
): Buffer {
  const bytes = into.subarray(0, block.size);
  let at = 0;
  for (let place = block.first; place < block.first + block.records; place++) {
    records.copy(sorted.order[place] ?? 0, bytes, at);
    at += sorted.length[place] ?? 0;
  }
  return bytes;
}
