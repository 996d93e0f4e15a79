import { S3BatchError } from '../errors';
import { DEFAULT_MAX_BLOCK, openRange, unframe } from '../object';
import type { ObjectStore } from '../store/object-store';
import { mapInOrder } from './in-order';
import type { Entry, MatchedBlock, ObjectMatch } from './match';
import { DEFAULT_MERGE, type MergedSpan, type MergeLimits, mergeSpans } from './ranges';

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
  return objects.flatMap((object) => mergeSpans(object.blocks, merge).map((span) => ({ object, span })));
}

/**
 * Fetches records with merged ranged GETs, each bound to the object that was indexed by its entity tag. Yields them
 * a request at a time, objects in the given order, and in each by series and time.
 * @throws OBJECT_CHANGED when an object was replaced since, OBJECT_CORRUPT, RANGE_INVALID, or what the store says
 */
export async function* fetchRecords(
  store: ObjectStore,
  objects: readonly ObjectMatch[],
  options: FetchOptions = {},
): AsyncGenerator<FetchedRecord[]> {
  const requests = planRequests(objects, options.merge);
  for (const { span } of requests) checkSpan(span);
  yield* mapInOrder(requests, options.parallel ?? 8, (request) => fetchRange(store, request, options.signal));
}

/** What a message brings may be of anyone's making: it is checked before memory is taken. */
function checkSpan(span: MergedSpan<MatchedBlock>): void {
  for (const { size, length, entries } of span.parts) {
    const inside = entries.every(
      (entry) => entry.start >= 0 && entry.length >= 0 && entry.start + entry.length <= size,
    );
    if (!inside || length < 0)
      throw new S3BatchError(
        'RANGE_INVALID',
        'an entry lies outside of its block: the offset map is not one of offset-index',
      );
    if (size > DEFAULT_MAX_BLOCK || length > DEFAULT_MAX_BLOCK) {
      throw new S3BatchError(
        'OBJECT_TOO_LARGE',
        `a block is ${Math.max(size, length)} bytes, more than the ${DEFAULT_MAX_BLOCK} that this reader takes`,
      );
    }
  }
}

async function fetchRange(
  store: ObjectStore,
  { object, span }: RangeRequest,
  signal: AbortSignal | undefined,
): Promise<FetchedRecord[]> {
  const { bytes } = await store.getRange(
    object.bucket,
    object.key,
    { offset: span.offset, length: span.length },
    { etag: object.etag, ...(signal && { signal }) },
  );
  const records: FetchedRecord[] = [];
  for (const block of span.parts) {
    const from = block.offset - span.offset;
    const open = await openRange(object.compression, block.size, bytes.subarray(from, from + block.length));
    for (const entry of block.entries) records.push(recordOf(object, entry, open));
  }
  return records;
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
