import { openRange, unframe } from '../object';
import type { ObjectStore } from '../store/object-store';
import { checkMatch } from './check-match';
import { FetchedDuplicates } from './fetched-duplicates';
import { mapInOrder } from './in-order';
import type { Entry, MatchedBlock, ObjectMatch } from './match';
import { DEFAULT_MERGE, type MergedSpan, type MergeLimits, mergeSpans } from './ranges';
import { turnEvery } from './turns';

/** Records taken out of their blocks in one turn of the event loop. */
const RECORDS_A_TURN = 1000;

/** A record as it was published. */
export interface FetchedRecord {
  topic: string;
  payload: Buffer;
  /** Record time, ms since 1970. */
  time: number;
  key: string;
  series: string;
  /** `RecordFlag` bits. */
  flags: number;
  /** The object that it lies in. */
  object: ObjectMatch;
}

export interface FetchOptions {
  merge?: MergeLimits;
  /** Requests at a time. */
  parallel?: number;
  signal?: AbortSignal;
  /** Leaves out records of the same series, time, topic and payload as one that came before. */
  dropDuplicates?: boolean;
  /** Is kept up to date while records come. */
  progress?: FetchProgress;
}

/** How far fetching has come. */
export interface FetchProgress {
  /** Records that were fetched and left out. */
  duplicates: number;
}

/** One ranged GET. */
export interface RangeRequest {
  object: ObjectMatch;
  span: MergedSpan<MatchedBlock>;
}

/** The ranged GETs that bring the records of these objects. */
export function planRequests(
  objects: readonly ObjectMatch[],
  merge: MergeLimits = DEFAULT_MERGE,
): RangeRequest[] {
  return objects.flatMap((object) => {
    const blocks = object.blocks.filter(({ entries }) => entries.length > 0);
    return mergeSpans(blocks, merge).map((span) => ({ object, span }));
  });
}

/**
 * Fetches records with merged ranged GETs, each bound to the object that was indexed by its entity tag. Yields them
 * a request at a time, objects in the given order, and in each by series and time.
 * @throws RANGE_INVALID or OBJECT_TOO_LARGE, before anything is fetched, when the objects are not what a query found;
 * OBJECT_CHANGED when an object was replaced since, OBJECT_CORRUPT, or what the store says
 */
export async function* fetchRecords(
  store: ObjectStore,
  objects: readonly ObjectMatch[],
  options: FetchOptions = {},
): AsyncGenerator<FetchedRecord[]> {
  for (const object of objects) checkMatch(object);
  const requests = planRequests(objects, options.merge);
  const fetched = mapInOrder(requests, options.parallel ?? 8, async (request) => ({
    request,
    records: await fetchRange(store, request, options.signal),
  }));
  const duplicates = options.dropDuplicates === true ? await FetchedDuplicates.among(objects) : undefined;
  for await (const { request, records } of fetched) {
    const kept = duplicates ? await duplicates.drop(records, entriesOf(request)) : records;
    if (options.progress) options.progress.duplicates += records.length - kept.length;
    if (kept.length > 0) yield kept;
  }
}

function entriesOf({ span }: RangeRequest): Entry[] {
  return span.parts.flatMap(({ entries }) => entries);
}

async function fetchRange(
  store: ObjectStore,
  { object, span }: RangeRequest,
  signal: AbortSignal | undefined,
): Promise<FetchedRecord[]> {
  const bytes = await bytesOf(store, { object, span }, signal);
  const turn = turnEvery(RECORDS_A_TURN);
  const records: FetchedRecord[] = [];
  for (const block of span.parts) {
    const from = block.offset - span.offset;
    const open = await openRange(object.compression, block.size, bytes.subarray(from, from + block.length));
    for (const entry of block.entries) {
      records.push(recordOf(object, entry, open));
      await turn();
    }
  }
  return records;
}

async function bytesOf(
  store: ObjectStore,
  { object, span: { offset, length } }: RangeRequest,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  // Records without payload may take no bytes at all, and no range has none.
  if (length === 0) return Buffer.alloc(0);
  const options = { etag: object.etag, ...(signal && { signal }) };
  const { bytes } = await store.getRange(object.bucket, object.key, { offset, length }, options);
  return bytes;
}

function recordOf(object: ObjectMatch, entry: Entry, block: Buffer): FetchedRecord {
  const framed = block.subarray(entry.start, entry.start + entry.length);
  return {
    topic: entry.topic,
    payload: unframe(object.framing, framed, entry.flags, entry.lineBreaks),
    time: entry.time,
    key: entry.key,
    series: entry.series,
    flags: entry.flags,
    object,
  };
}
