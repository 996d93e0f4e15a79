import { MAX_TIME, type Partition, partitionAt } from '../layout';
import { SIDECAR_SUFFIX } from '../object';
import type { ListedObject, ObjectStore } from '../store/object-store';

/** Listings asked for one page of a folder, at most: names may be there that are not shown. */
const MOST_LISTINGS = 10;

/** What lies directly under a prefix, in the order of the names' UTF-8 bytes. */
export interface FolderPage {
  /** Prefixes of the folders in it, each with its slash at the end. */
  folders: string[];
  objects: ListedObject[];
  /** What `after` has to be for the next page; undefined when this was the last one. */
  next?: string;
}

export interface FolderOptions {
  /** Ends in a slash, or is empty. */
  prefix?: string;
  /** Only names behind this one. */
  after?: string | undefined;
  /** Folders and objects in one page. */
  most?: number;
  signal?: AbortSignal;
}

interface Named {
  name: string;
  object?: ListedObject;
}

/**
 * One page of a folder, by delimiter listing: no more of a bucket is listed than is shown. Objects that hold the offset
 * index of another one are left out.
 * @throws what the store says
 */
export async function listFolder(
  store: ObjectStore,
  bucket: string,
  { prefix = '', after, most = 100, signal }: FolderOptions = {},
): Promise<FolderPage> {
  const listing = store.list(bucket, {
    prefix,
    delimiter: '/',
    // One more tells whether there is a next page; another one, that the last folder may be listed again.
    pageSize: most + 2,
    ...(after !== undefined && { startAfter: after }),
    ...(signal && { signal }),
  });
  const named: Named[] = [];
  let last = after;
  let listings = 0;
  let isWhole = true;
  for await (const { objects, prefixes } of listing) {
    const page: Named[] = [
      ...prefixes.map((name) => ({ name })),
      ...objects.map((object) => ({ name: object.key, object })),
    ];
    for (const one of page.sort((a, b) => compare(a.name, b.name))) {
      // Stores differ on whether they list the folder again that `after` names.
      if (last !== undefined && compare(one.name, last) <= 0) continue;
      last = one.name;
      // Some tools store an empty object in place of a folder.
      if (one.name !== prefix && !one.object?.key.endsWith(SIDECAR_SUFFIX)) named.push(one);
    }
    isWhole = false;
    if (named.length > most || ++listings === MOST_LISTINGS) break;
    isWhole = true;
  }
  const shown = named.slice(0, most);
  const end = named.length > most ? shown.at(-1)?.name : isWhole ? undefined : last;
  return {
    folders: shown.flatMap(({ name, object }) => (object ? [] : [name])),
    objects: shown.flatMap(({ object }) => object ?? []),
    ...(end !== undefined && { next: end }),
  };
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const PARTITION = /(?:^|\/)(dt=(\d{4})-(\d\d)(?:-(\d\d)(?:\/hr=(\d\d))?)?)\/$/;

/** The time partition that a folder is; undefined when its name is none of a partition. */
export function partitionOfFolder(prefix: string): Partition | undefined {
  const [, name, year, month, day, hour] = PARTITION.exec(prefix) ?? [];
  if (name === undefined) return undefined;
  const start = Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1), Number(hour ?? 0));
  if (!(start >= 0 && start <= MAX_TIME)) return undefined;
  const partition = partitionAt(hour !== undefined ? 'hour' : day !== undefined ? 'day' : 'month', start);
  return partition.name === name ? partition : undefined;
}
