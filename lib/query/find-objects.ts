import { S3BatchError } from '../errors';
import { type Layout, MAX_TIME, type NamePrefix, type ParsedName } from '../layout';
import { SIDECAR_SUFFIX } from '../object';
import type { ListedObject, ObjectStore } from '../store/object-store';
import { mapInOrder } from './in-order';
import { matchBlocks, matchingPlaces, type ObjectMatch } from './match';
import { bucketsOf, filterOf, type Query, type QueryFilter, valueCombinations } from './query';
import { headObject, type HeadedObject, readIndex } from './read-index';

/** How far a query has come. */
export interface QueryProgress {
  /** Objects whose names were seen. */
  listed: number;
  /** Not asked further, since the name says that nothing can match. */
  skippedByName: number;
  /** Names under the prefix that the layout does not make. */
  foreignNames: number;
  /** Index not read, since the attributes say that nothing can match. */
  skippedByAttributes: number;
  /** Index read, nothing matched. */
  skippedByIndex: number;
  matching: number;
  /** Records that match. */
  records: number;
  /** Objects that could not be read. */
  failed: { bucket: string; key: string; code: string; message: string }[];
}

export function noProgress(): QueryProgress {
  return {
    listed: 0,
    skippedByName: 0,
    foreignNames: 0,
    skippedByAttributes: 0,
    skippedByIndex: 0,
    matching: 0,
    records: 0,
    failed: [],
  };
}

export interface FindOptions {
  /** Objects asked at a time. */
  parallel?: number;
  signal?: AbortSignal;
}

interface NamedObject extends ListedObject {
  bucket: string;
}

/** Failures of one object, which do not end a query over many: they are told in its progress. */
const OF_ONE_OBJECT: ReadonlySet<string> = new Set([
  'OBJECT_FOREIGN',
  'OBJECT_VERSION',
  'OBJECT_CORRUPT',
  'OBJECT_TOO_LARGE',
  'OBJECT_CHANGED',
  'OBJECT_MISSING',
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
  const names = listCandidates(store, layout, query, progress, options.signal);
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
  const blocks = index.pages.flatMap((page) => matchBlocks(page, matchingPlaces(page, filter.records)));
  return { bucket, key, etag, size, count, first, last, framing, compression, attributes, blocks };
}

/** Lists by name prefix, partition by partition, and no further than objects can begin before the range's end. */
async function* listCandidates(
  store: ObjectStore,
  layout: Layout,
  query: Query,
  progress: QueryProgress,
  signal: AbortSignal | undefined,
): AsyncGenerator<NamedObject> {
  const { from = 0, to = MAX_TIME } = query;
  // An open range would be listed partition by partition from 1970 on.
  const range = query.from === undefined && query.to === undefined ? undefined : { from, to };
  const combinations = valueCombinations(query.levels);
  for (const bucket of bucketsOf(query, layout)) {
    const prefixes = combinations.flatMap((values) => layout.namePrefixes(values, range));
    for (const { prefix, startAfter, stopAt } of outermost(prefixes)) {
      const stop = stopAt === undefined ? undefined : Buffer.from(stopAt);
      const options = { prefix, ...(startAfter !== undefined && { startAfter }), ...(signal && { signal }) };
      for await (const page of store.list(bucket, options)) {
        for (const object of page.objects) {
          if (object.key.endsWith(SIDECAR_SUFFIX)) continue;
          progress.listed++;
          const named = layout.parseObjectName(object.key);
          if (!named) progress.foreignNames++;
          else if (
            !inTime(named, from, to) ||
            !combinations.some((values) => layout.parseObjectName(object.key, values))
          ) {
            progress.skippedByName++;
          } else yield { ...object, bucket };
        }
        const last = page.objects.at(-1);
        if (stop && last && Buffer.compare(Buffer.from(last.key), stop) >= 0) break;
      }
    }
  }
}

function inTime({ first, last }: ParsedName, from: number, to: number): boolean {
  return (first === undefined || first.from <= to) && (last === undefined || last.to >= from);
}

/** Without those prefixes that another one covers. */
function outermost(prefixes: readonly NamePrefix[]): NamePrefix[] {
  const sorted = prefixes.toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1));
  const outer: NamePrefix[] = [];
  for (const one of sorted) {
    const covering = outer.findIndex((other) => one.prefix.startsWith(other.prefix));
    if (covering < 0) outer.push(one);
    // Bounds hold for the prefix that they came with only.
    else if (one.prefix !== outer[covering]?.prefix)
      outer[covering] = { prefix: outer[covering]?.prefix ?? '' };
  }
  return outer;
}
