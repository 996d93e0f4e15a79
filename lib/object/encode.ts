import { crc32c } from '../crc32c';
import { buildAttributes } from './attributes';
import { type BlockPlan, gatherBlock, planBlocks } from './blocks';
import { type Directory, directoryJson, placePages } from './directory';
import { contentTypeOf, DEFAULT_BLOCK_SIZE, type ObjectFormat } from './format';
import { gzip, GzipMembers } from './gzip';
import { buildIndexPage, type IndexPageJson, planPages } from './index-json';
import { type Records, type SortedRecords, sortRecords } from './records';
import { nextTurn } from './slices';
import { type IndexLocation, indexMembers, writeTrailer } from './tail';

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

const GZIP = { level: 6 };
const INDEX_GZIP = { level: 9 };

/**
 * Makes an object of records: sorted blocks, offset index, attributes. Compression runs off the main thread; what
 * the main thread does between two turns of the event loop is bounded by one block, but for the text of an
 * index page, which takes 0.1 µs a record, and for putting the object together, which copies its bytes.
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
  const pages = await encodePages(records, sorted, blocks, bodies, format);
  const dataLength = total(bodies);
  const directory: Directory = {
    framing: format.framing,
    compression: format.compression,
    batch: format.batch,
    count: records.count,
    first: pages.reduce((least, { json }) => Math.min(least, json.first), Infinity),
    last: pages.reduce((most, { json }) => Math.max(most, json.last), -Infinity),
    pages: placePages(
      pages.map(({ json, text, members }) => ({
        series: json.series[0] ?? '',
        length: json.blocks.length.reduce((sum, length) => sum + length, 0),
        records: json.count,
        indexLength: members.length,
        size: text.length,
      })),
      dataLength,
    ),
  };
  const compressed = pages.map((page) => page.compressed);
  const entries = blockEntries(sorted, blocks, bodies);
  const contentType = contentTypeOf(format.framing, format.compression);
  if (format.compression === 'none') {
    const lines = pages.flatMap(({ text }) => [text, Buffer.from('\n')]);
    const sidecar = await gzip(Buffer.concat(lines), INDEX_GZIP);
    return {
      body: Buffer.concat(bodies, dataLength),
      contentType,
      attributes: buildAttributes(directory, format.key, 'sidecar', [], entries),
      sidecar,
      indexLength: sidecar.length,
    };
  }
  const directoryText = Buffer.from(JSON.stringify(directoryJson(directory)));
  const compressedDirectory = await gzip(directoryText, INDEX_GZIP);
  const members = [...pages.map((page) => page.members), indexMembers(compressedDirectory)];
  const location: IndexLocation = {
    offset: dataLength,
    length: total(members),
    directoryLength: members.at(-1)?.length ?? 0,
    directorySize: directoryText.length,
  };
  const trailer = writeTrailer({ ...location, count: records.count, checksum: crc32c(compressedDirectory) });
  return {
    body: Buffer.concat([...bodies, ...members, trailer]),
    contentType,
    attributes: buildAttributes(directory, format.key, location, compressed, entries),
    indexLength: location.length + trailer.length,
  };
}

function total(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0);
}

interface EncodedPage {
  json: IndexPageJson;
  text: Buffer;
  compressed: Buffer;
  members: Buffer;
}

async function encodePages(
  records: Records,
  sorted: SortedRecords,
  blocks: readonly BlockPlan[],
  bodies: readonly Buffer[],
  format: ObjectFormat,
): Promise<EncodedPage[]> {
  const pages: EncodedPage[] = [];
  const members = new GzipMembers(INDEX_GZIP);
  let offset = 0;
  let number = 0;
  try {
    for (const plan of planPages(blocks)) {
      const own = bodies.slice(number, (number += plan.blocks.length));
      const lengths = own.map((body) => body.length);
      const json = await buildIndexPage(records, sorted, plan, offset, lengths, format);
      offset += total(own);
      const text = Buffer.from(JSON.stringify(json));
      const compressed = await members.compress(text);
      pages.push({ json, text, compressed, members: indexMembers(compressed) });
    }
  } finally {
    members.close();
  }
  return pages;
}

async function encodeBlocks(
  records: Records,
  sorted: SortedRecords,
  blocks: readonly BlockPlan[],
  format: ObjectFormat,
): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  if (format.compression === 'none') {
    for (const block of blocks) {
      bodies.push(gatherBlock(records, sorted, block));
      await nextTurn();
    }
    return bodies;
  }
  // One behind the other: 50 MB/s are more than messages come at, and the other cores have a broker and the flow to run.
  const members = new GzipMembers(GZIP);
  const memory = Buffer.allocUnsafeSlow(blocks.reduce((most, { size }) => Math.max(most, size), 0));
  try {
    for (const block of blocks)
      bodies.push(await members.compress(gatherBlock(records, sorted, block, memory)));
  } finally {
    members.close();
  }
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
