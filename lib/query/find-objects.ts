import { S3BatchError } from '../errors';
import type { Layout } from '../layout';
import type { ObjectStore } from '../store/object-store';
import { mapInOrder } from './in-order';
import { listNames, type NamedObject } from './list-names';
import { matchBlocks, type MatchedBlock, type ObjectMatch } from './match';
import { filterOf, type Query, type QueryFilter } from './query';
import type { QueryProgress } from './progress';
import { headObject, type HeadedObject, readIndex } from './read-index';

export interface FindOptions {
  /** Objects asked at a time. */
  parallel?: number;
  signal?: AbortSignal;
}

/** Failures of one object, which do not end a query over many: they are told in its progress. */
const OF_ONE_OBJECT: ReadonlySet<string> = new Set([
  'OBJECT_FOREIGN',
  'OBJECT_VERSION',
  'OBJECT_CORRUPT',
  'OBJECT_TOO_LARGE',
  'OBJECT_CHANGED',
  'OBJECT_MISSING',
  'RANGE_INVALID',
]);

/**
 * Finds the objects that hold matching records and where in them these lie: lists the names that can match, asks
 * those for their attributes, and reads the index of what is left.
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
  const matches = mapInOrder(names, options.parallel ?? 8, (named) =>
    examine(store, named, filter, progress, options.signal),
  );
  for await (const match of matches) {
    if (!match) continue;
    progress.matching++;
    progress.records += countEntries(match);
    yield match;
  }
}

function countEntries(match: ObjectMatch): number {
  return match.blocks.reduce((sum, block) => sum + block.entries.length, 0);
}

async function examine(
  store: ObjectStore,
  { bucket, key }: NamedObject,
  filter: QueryFilter,
  progress: QueryProgress,
  signal: AbortSignal | undefined,
): Promise<ObjectMatch | undefined> {
  try {
    const head = await headObject(store, bucket, key, signal);
    if (head.summary && !filter.mayHold(head.summary)) {
      progress.skippedByAttributes++;
      return undefined;
    }
    const match = await matchObject(store, head, filter, signal);
    if (match.blocks.length > 0) return match;
    progress.skippedByIndex++;
  } catch (error) {
    if (!(error instanceof S3BatchError) || !OF_ONE_OBJECT.has(error.code)) throw error;
    progress.failed.push({ bucket, key, code: error.code, message: error.message });
  }
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
  for (const page of index.pages) {
    for (const block of await matchBlocks(page, filter.records)) blocks.push(block);
  }
  return { bucket, key, etag, size, count, first, last, framing, compression, attributes, blocks };
}
