/** One key of a bucket, with its UTF-8 bytes: S3 orders keys by these, which UTF-16 does not everywhere. */
export interface SortableKey {
  readonly key: string;
  readonly bytes: Buffer;
}

/** Where a listing goes on: behind a key, or behind everything that begins with a common prefix. */
export interface Marker {
  after: string;
  skipPrefix: boolean;
}

export interface Listing<T> {
  contents: T[];
  prefixes: string[];
  /** Where the next page begins, when there is one. */
  next?: Marker;
}

/** Index of the first of the sorted `keys` for which `isBefore` is false. */
function lowerBound<T>(keys: readonly T[], isBefore: (key: T) => boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && isBefore(key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first key behind all that begin with `prefix`; `keys` are sorted and begin there at `from`. */
function behindPrefix(keys: readonly SortableKey[], prefix: Buffer): number {
  return lowerBound(keys, ({ bytes }) => bytes.subarray(0, prefix.length).compare(prefix) <= 0);
}

/** Where a key has its place in the sorted `keys`. */
export function placeOf(keys: readonly SortableKey[], bytes: Buffer): number {
  return lowerBound(keys, (candidate) => candidate.bytes.compare(bytes) < 0);
}

/**
 * One page of a listing over `keys`, which are sorted by their bytes. Keys and common prefixes count alike
 * towards `maxKeys`.
 */
export function listPage<T extends SortableKey>(
  keys: readonly T[],
  options: { prefix: string; delimiter: string; marker?: Marker; maxKeys: number },
): Listing<T> {
  const { delimiter, marker, maxKeys } = options;
  const prefix = Buffer.from(options.prefix);
  const page: Listing<T> = { contents: [], prefixes: [] };
  let at = placeOf(keys, prefix);
  if (marker !== undefined) {
    const after = Buffer.from(marker.after);
    const behind = marker.skipPrefix
      ? behindPrefix(keys, after)
      : lowerBound(keys, ({ bytes }) => bytes.compare(after) <= 0);
    at = Math.max(at, behind);
  }
  let last: Marker | undefined;
  for (;;) {
    const entry = keys[at];
    if (entry?.bytes.subarray(0, prefix.length).equals(prefix) !== true) return page;
    if (page.contents.length + page.prefixes.length >= maxKeys) {
      if (last !== undefined) page.next = last;
      return page;
    }
    const cut = delimiter === '' ? -1 : entry.key.indexOf(delimiter, options.prefix.length);
    if (cut < 0) {
      page.contents.push(entry);
      last = { after: entry.key, skipPrefix: false };
      at++;
    } else {
      const common = entry.key.slice(0, cut + delimiter.length);
      page.prefixes.push(common);
      last = { after: common, skipPrefix: true };
      at = behindPrefix(keys, Buffer.from(common));
    }
  }
}
