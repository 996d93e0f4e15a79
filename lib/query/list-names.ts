import { type Layout, MAX_TIME, type NamePrefix, type ParsedName, type TimeSpan } from '../layout';
import { SIDECAR_SUFFIX } from '../object';
import type { ListedObject, ObjectStore } from '../store/object-store';
import type { NamedObject } from './attribute-cache';
import { concernsOneBucket, type QueryProgress, tellFailure } from './progress';
import { ALL_BUCKETS, bucketsOf, type Query, timeRangeOf, valueCombinations } from './query';
import { turnEvery } from './turns';

/** Names read in one turn of the event loop. */
const NAMES_A_TURN = 32;
/** More prefixes than this cost more listings than they save: then prefixes go no further than to the partition. */
const MAX_PREFIXES = 1000;

/** One listing, and the level values, any of which its objects may have. */
interface Listing {
  prefix: NamePrefix;
  values: Record<string, string>[];
}

/**
 * Lists by name prefix, partition by partition, and no further than objects can begin before the range's end. Of all
 * buckets, those that cannot be listed are told in the progress.
 */
export async function* listNames(
  store: ObjectStore,
  layout: Layout,
  query: Query,
  progress: QueryProgress,
  signal: AbortSignal | undefined,
): AsyncGenerator<NamedObject> {
  // An open range would be listed partition by partition from 1970 on.
  const range = timeRangeOf(query, layout);
  const { from, to } = range ?? { from: 0, to: MAX_TIME };
  const turn = turnEvery(NAMES_A_TURN);
  const listings = await listingsOf(layout, query, range);

  async function* namesIn(bucket: string): AsyncGenerator<NamedObject> {
    for (const { prefix: where, values } of listings) {
      for await (const objects of pagesOf(store, bucket, where, signal)) {
        for (const object of objects) {
          if (object.key.endsWith(SIDECAR_SUFFIX)) continue;
          progress.listed++;
          await turn();
          const named = layout.parseObjectName(object.key);
          if (!named) progress.foreignNames++;
          else if (!isInTime(named, from, to) || !(await hasValues(layout, object.key, named, values))) {
            progress.skippedByName++;
          } else yield { ...object, bucket };
        }
      }
    }
  }

  for (const bucket of await bucketsToSearch(store, layout, query, signal)) {
    try {
      yield* namesIn(bucket);
    } catch (error) {
      if (query.bucket !== ALL_BUCKETS || !concernsOneBucket(error)) throw error;
      tellFailure(progress, { bucket, key: '' }, error);
    }
  }
}

/** The buckets that can hold matching records. @throws QUERY_INVALID, or what the store says when it is to list them */
async function bucketsToSearch(
  store: ObjectStore,
  layout: Layout,
  query: Query,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  return query.bucket === ALL_BUCKETS ? store.buckets(signal ? { signal } : {}) : bucketsOf(query, layout);
}

async function* pagesOf(
  store: ObjectStore,
  bucket: string,
  { prefix, startAfter, stopAt }: NamePrefix,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedObject[]> {
  const stop = stopAt === undefined ? undefined : Buffer.from(stopAt);
  const options = { prefix, ...(startAfter !== undefined && { startAfter }), ...(signal && { signal }) };
  for await (const { objects } of store.list(bucket, options)) {
    yield objects;
    const last = objects.at(-1);
    if (stop && last && Buffer.compare(Buffer.from(last.key), stop) >= 0) return;
  }
}

function isInTime({ first, last, partition }: ParsedName, from: number, to: number): boolean {
  return (
    (first === undefined || first.from <= to) &&
    (last === undefined || last.to >= from) &&
    (partition === undefined || (partition.start <= to && partition.end > from))
  );
}

/** Whether an object of this name can hold records with any of these level values. */
async function hasValues(
  layout: Layout,
  key: string,
  named: ParsedName,
  values: readonly Record<string, string>[],
): Promise<boolean> {
  if (values.some((one) => layout.matchesValues(named.values, one))) return true;
  // A name may be read in several ways, of which `named` is one.
  const turn = turnEvery(NAMES_A_TURN);
  for (const one of values) {
    if (layout.parseObjectName(key, one)) return true;
    await turn();
  }
  return false;
}

async function listingsOf(layout: Layout, query: Query, range: TimeSpan | undefined): Promise<Listing[]> {
  const combinations = valueCombinations(levelsInNames(layout, query));
  const listings = await prefixesOf(layout, combinations, range);
  const few = listings.length > MAX_PREFIXES ? await prefixesOf(layout, combinations, undefined) : listings;
  return outermost(few);
}

/** The levels that object names tell; the others do not matter where names are looked at. */
function levelsInNames(layout: Layout, { levels = {} }: Query): NonNullable<Query['levels']> {
  // No value in a name is empty, so that one is refused by whoever compares it.
  const isTold = (level: string): boolean => !layout.matchesValues({ [level]: '' }, { [level]: level });
  return Object.fromEntries(Object.entries(levels).filter(([level]) => isTold(level)));
}

/** Each prefix once; no more than it takes to see that they are too many. */
async function prefixesOf(
  layout: Layout,
  combinations: readonly Record<string, string>[],
  range: TimeSpan | undefined,
): Promise<Listing[]> {
  const listings = new Map<string, Listing>();
  const turn = turnEvery(1);
  for (const values of combinations) {
    for (const prefix of layout.namePrefixes(values, range)) {
      const known = listings.get(prefix.prefix);
      if (known) known.values.push(values);
      else listings.set(prefix.prefix, { prefix, values: [values] });
    }
    if (listings.size > MAX_PREFIXES) break;
    await turn();
  }
  return [...listings.values()];
}

/** Without those prefixes that another one covers. */
function outermost(listings: readonly Listing[]): Listing[] {
  const outer: Listing[] = [];
  // Behind a prefix come those that begin with it, and only then others.
  for (const one of listings.toSorted((a, b) => (a.prefix.prefix < b.prefix.prefix ? -1 : 1))) {
    const last = outer.at(-1);
    if (!last || !one.prefix.prefix.startsWith(last.prefix.prefix)) {
      outer.push({ ...one });
      continue;
    }
    // Bounds hold for the prefix that they came with only.
    last.prefix = { prefix: last.prefix.prefix };
    last.values = [...new Set([...last.values, ...one.values])];
  }
  return outer;
}
