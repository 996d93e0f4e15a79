import { readAttributes } from '../object';
import type { ListedObject } from '../store/object-store';
import type { HeadedObject } from './read-index';

/** Bytes of memory: the attributes of some 6,000 objects with a whole map. */
const MOST_BYTES = 16 * 1024 * 1024;
/** What an entry takes besides its texts, measured: a key, an object and its place in the map. */
const ENTRY_BYTES = 600;

/** An object as a listing shows it. */
export interface NamedObject extends ListedObject {
  bucket: string;
}

interface Known {
  listed: NamedObject;
  attributes: Record<string, string>;
  bytes: number;
}

/**
 * Attributes of objects that were asked before, so that a query that lists them again saves the request: they are the
 * same as long as the listing shows the same entity tag, size and time. Keeps what was used of late, within a bound.
 */
export class AttributeCache {
  /** The least recently used first. */
  readonly #known = new Map<string, Known>();
  #bytes = 0;

  constructor(readonly mostBytes = MOST_BYTES) {}

  /** Bytes of memory that are held, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The object as HEAD would show it; undefined when that is not known. */
  get(listed: NamedObject): HeadedObject | undefined {
    const name = nameOf(listed);
    const known = this.#known.get(name);
    if (!known || !isSame(known.listed, listed)) return undefined;
    this.#known.delete(name);
    this.#known.set(name, known);
    const { bucket, key, size, etag, lastModified } = known.listed;
    // Each query gets attributes of its own: those of its answer go into a flow, which may change them.
    const attributes = { ...known.attributes };
    const summary = readAttributes(attributes, size);
    return { bucket, key, size, etag, ...(lastModified && { lastModified }), attributes, summary };
  }

  /** Keeps what HEAD has shown, unless the object is another one by now than was listed. */
  keep(listed: NamedObject, head: HeadedObject): void {
    if (withoutQuotes(head.etag) !== withoutQuotes(listed.etag) || head.size !== listed.size) return;
    const name = nameOf(listed);
    this.#drop(name);
    const attributes = { ...head.attributes };
    const texts = Object.entries(attributes).flat();
    const bytes = texts.reduce((sum, text) => sum + text.length, 2 * name.length + ENTRY_BYTES);
    // The tag as HEAD tells it is the one that ranges are asked for with.
    this.#known.set(name, { listed: { ...listed, etag: head.etag }, attributes, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#known.keys()) {
      if (this.#bytes <= this.mostBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#bytes -= this.#known.get(name)?.bytes ?? 0;
    this.#known.delete(name);
  }
}

const caches = new WeakMap<object, AttributeCache>();

/** The cache that all queries on one store share. @param store the connection's own, not one that wraps it */
export function attributeCacheOf(store: object): AttributeCache {
  let cache = caches.get(store);
  if (!cache) caches.set(store, (cache = new AttributeCache()));
  return cache;
}

/** Bucket names have no slash. */
function nameOf({ bucket, key }: NamedObject): string {
  return `${bucket}/${key}`;
}

function isSame(a: NamedObject, b: NamedObject): boolean {
  return (
    withoutQuotes(a.etag) === withoutQuotes(b.etag) &&
    a.size === b.size &&
    a.lastModified?.getTime() === b.lastModified?.getTime()
  );
}

/** Stores differ on whether a listing writes them. */
function withoutQuotes(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1');
}
