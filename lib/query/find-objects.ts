import { S3BatchError } from '../errors';
import type { Layout } from '../layout';
import type { ObjectStore } from '../store/object-store';
import type { AttributeCache, NamedObject } from './attribute-cache';
import { FoundDuplicates } from './found-duplicates';
import { mapInOrder } from './in-order';
import { listNames } from './list-names';
import { matchBlocks, type MatchedBlock, type ObjectMatch } from './match';
import { attempt, concernsOneBucket, concernsOneObject, type QueryProgress } from './progress';
import { ALL_BUCKETS, EVERYTHING, filterOf, type Query, type QueryFilter } from './query';
import { headObject, type HeadedObject, readIndex } from './read-index';
import { turnEvery } from './turns';

export interface FindOptions {
  /** HEADs at a time, 32 unless given: each takes a round trip, and brings 2 KB or so. */
  heads?: number;
  /** Indexes read at a time, 8 unless given: each may take megabytes. */
  parallel?: number;
  signal?: AbortSignal;
  /** Attributes that are known already, and where new ones are kept. */
  cache?: AttributeCache;
  /**
   * Leaves out records of the same series, time, topic and payload as one that came before. Only records that are like
   * another one are fetched for that.
   */
  dropDuplicates?: boolean;
  /** With `dropDuplicates`: only counts the records that would have to be compared, and leaves out none. */
  planOnly?: boolean;
}

/**
 * Finds the objects that hold matching records and where in them these lie: lists the names that can match, asks
 * those for their attributes, and reads the index of what is left. Yields them bucket by bucket, in the order of their
 * names. Objects that cannot be read are left out and told in the progress.
 * @param progress is kept up to date while objects come
 * @throws QUERY_INVALID, or what the store says
 */
export async function* findObjects(
  store: ObjectStore,
  layout: Layout,
  query: Query,
  progress: QueryProgress,
  options: FindOptions = {},
): AsyncGenerator<ObjectMatch> {
  const filter = filterOf(query, layout);
  const names = listNames(store, layout, query, progress, options.signal);
  // A bucket of others may be listed by everyone, and read by nobody else.
  const isItsOwn = query.bucket === ALL_BUCKETS ? concernsOneObjectOrBucket : concernsOneObject;
  const heads = mapInOrder(names, options.heads ?? 32, (named) =>
    attempt(progress, named, () => headOf(store, named, filter, progress, options), isItsOwn),
  );
  const matches = mapInOrder(
    heads,
    options.parallel ?? 8,
    async (head) => head && attempt(progress, head, () => matchOf(store, head, filter, progress, options)),
  );
  const duplicates =
    options.dropDuplicates === true ? new FoundDuplicates(store, progress, options) : undefined;
  for await (const match of matches) {
    if (!match) continue;
    const kept = duplicates ? await attempt(progress, match, () => duplicates.drop(match)) : match;
    if (!kept) continue;
    if (kept.blocks.length === 0) {
      progress.skippedAsDuplicates++;
      continue;
    }
    progress.matching++;
    progress.records += countEntries(kept);
    yield kept;
  }
}

/**
 * One object by its name, and where in it the matching records lie; there may be none.
 * @param query that the records have to match; its bucket does not matter
 * @throws QUERY_INVALID, what the object is not read for, or what the store says
 */
export async function findObject(
  store: ObjectStore,
  { bucket, key }: { bucket: string; key: string },
  query: Query,
  layout: Layout | undefined,
  progress: QueryProgress,
  options: FindOptions = {},
): Promise<ObjectMatch> {
  if (bucket === ALL_BUCKETS)
    throw new S3BatchError(
      'QUERY_INVALID',
      `one object is in one bucket: name it in the place of ${ALL_BUCKETS}`,
    );
  const wanted = { ...query };
  delete wanted.bucket;
  const filter = Object.keys(wanted).length > 0 ? filterOf(wanted, layout) : EVERYTHING;
  progress.listed++;
  const head = await headObject(store, bucket, key, options.signal);
  const match = await matchObject(store, head, filter, options.signal);
  const kept =
    options.dropDuplicates === true ? await new FoundDuplicates(store, progress, options).drop(match) : match;
  progress.matching++;
  progress.records += countEntries(kept);
  return kept;
}

function concernsOneObjectOrBucket(error: unknown): error is S3BatchError {
  return concernsOneObject(error) || concernsOneBucket(error);
}

function countEntries(match: ObjectMatch): number {
  return match.blocks.reduce((sum, block) => sum + block.entries.length, 0);
}

/** The attributes of an object that may hold matching records by what they say. */
async function headOf(
  store: ObjectStore,
  named: NamedObject,
  filter: QueryFilter,
  progress: QueryProgress,
  { cache, signal }: FindOptions,
): Promise<HeadedObject | undefined> {
  const known = cache?.get(named);
  const head = known ?? (await headObject(store, named.bucket, named.key, signal));
  if (!known) cache?.keep(named, head);
  if (!head.summary || filter.mayHold(head.summary)) return head;
  progress.skippedByAttributes++;
  return undefined;
}

async function matchOf(
  store: ObjectStore,
  head: HeadedObject,
  filter: QueryFilter,
  progress: QueryProgress,
  { signal }: FindOptions,
): Promise<ObjectMatch | undefined> {
  const match = await matchObject(store, head, filter, signal);
  if (match.blocks.length > 0) return match;
  progress.skippedByIndex++;
  return undefined;
}

/** The matching records of one object that HEAD has shown. */
export async function matchObject(
  store: ObjectStore,
  head: HeadedObject,
  filter: Pick<QueryFilter, 'records' | 'pagesOf'>,
  signal?: AbortSignal,
): Promise<ObjectMatch> {
  const index = await readIndex(store, head, filter.pagesOf(head.summary?.keyTemplate), signal);
  const { bucket, key, etag, size, attributes } = head;
  const { count, first, last, framing, compression } = index;
  const blocks: MatchedBlock[] = [];
  const turn = turnEvery(1);
  for (const page of index.pages) {
    // A hostile index has many, each with a format of its own for its keys, which takes a millisecond to make ready.
    await turn();
    for (const block of await matchBlocks(page, filter.records)) blocks.push(block);
  }
  return { bucket, key, etag, size, count, first, last, framing, compression, attributes, blocks };
}
