import { buildAttributes } from './attributes';
import { type BlockPlan, gatherBlock, planBlocks } from './blocks';
import { contentTypeOf, DEFAULT_BLOCK_SIZE, type ObjectFormat } from './format';
import { gzip } from './gzip';
import { buildIndex } from './index-json';
import { type Records, type SortedRecords, sortRecords } from './records';
import { nextTurn } from './slices';
import { writeTail } from './tail';

/** An object ready to be stored. The same records and format always give the same bytes. */
export interface EncodedObject {
  body: Buffer;
  contentType: string;
  /** User metadata. */
  attributes: Record<string, string>;
  /** For an object that is not compressed: its offset index, to be stored BEFORE it under its name + SIDECAR_SUFFIX. */
  sidecar?: Buffer;
  /** Bytes that index and trailer take (of `body`, or of `sidecar`). */
  indexLength: number;
}

export interface EncodeOptions {
  /** Most bytes of a block before compression (a larger record has a block of its own). */
  blockSize?: number;
}

/** Blocks of one object that are compressed at a time; each occupies a thread of libuv's pool of four. */
const BLOCKS_AT_A_TIME = 2;
const GZIP = { level: 6 };

/**
 * Makes an object of records: sorted blocks, offset index, attributes. Compression runs off the main thread; what
 * the main thread does between two turns of the event loop is bounded by one block, but for the text of the index,
 * which takes 0.1 µs a record, and for putting the object together, which copies its bytes.
 * @param records at least one
 */
export async function encodeObject(
  records: Records,
  format: ObjectFormat,
  options: EncodeOptions = {},
): Promise<EncodedObject> {
  const sorted = await sortRecords(records);
  const blocks = planBlocks(sorted, options.blockSize ?? DEFAULT_BLOCK_SIZE);
  const bodies = await encodeBlocks(records, sorted, blocks, format);
  const lengths = bodies.map((body) => body.length);
  const json = await buildIndex(records, sorted, blocks, lengths, format);
  const indexJson = Buffer.from(JSON.stringify(json));
  const index = await gzip(indexJson, { level: 9 });
  const dataLength = bodies.reduce((sum, body) => sum + body.length, 0);

  const entries = blockEntries(sorted, blocks, bodies);
  const contentType = contentTypeOf(format.framing, format.compression);
  if (format.compression === 'none') {
    return {
      body: Buffer.concat(bodies, dataLength),
      contentType,
      attributes: buildAttributes(format, json, 'sidecar', index, indexJson.length, entries),
      sidecar: index,
      indexLength: index.length,
    };
  }
  const tail = writeTail(index, indexJson.length, records.count, dataLength);
  const location = { offset: dataLength, length: tail.index.length, size: indexJson.length };
  return {
    body: Buffer.concat([...bodies, tail.index, tail.trailer]),
    contentType,
    attributes: buildAttributes(format, json, location, index, indexJson.length, entries),
    indexLength: tail.index.length + tail.trailer.length,
  };
}

async function encodeBlocks(
  records: Records,
  sorted: SortedRecords,
  blocks: readonly BlockPlan[],
  format: ObjectFormat,
): Promise<Buffer[]> {
  const bodies = new Array<Buffer>(blocks.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < blocks.length; number = next++) {
      const block = blocks[number];
      if (!block) return;
      const bytes = gatherBlock(records, sorted, block);
      bodies[number] = format.compression === 'gzip' ? await gzip(bytes, GZIP) : bytes;
      if (format.compression === 'none') await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: BLOCKS_AT_A_TIME }, worker));
  return bodies;
}

function blockEntries(sorted: SortedRecords, blocks: readonly BlockPlan[], bodies: readonly Buffer[]) {
  let offset = 0;
  let rank = 0;
  let seriesEnd = sorted.counts[0] ?? 0;
  return blocks.map((block, number) => {
    while (block.first >= seriesEnd && rank + 1 < sorted.series.length)
      seriesEnd += sorted.counts[++rank] ?? 0;
    const length = bodies[number]?.length ?? 0;
    const entry = { series: sorted.series[rank] ?? '', offset, length, records: block.records };
    offset += length;
    return entry;
  });
}
