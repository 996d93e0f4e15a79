import { S3BatchError } from '../errors';
import type { Layout } from '../layout';
import type { AttributeCache } from '../query/attribute-cache';
import { mapInOrder } from '../query/in-order';
import { concernsOneObject } from '../query/progress';
import { headObject } from '../query/read-index';
import type { ListedObject, ObjectStore } from '../store/object-store';

/** Objects asked for their attributes at a time. */
const PARALLEL = 8;

/** An object of a listing, with what its attributes tell of it. */
export interface DescribedObject extends ListedObject {
  /** Records; undefined where neither attributes nor name tell it. */
  count?: number;
  /** Earliest and latest record time, ms since 1970. */
  first?: number;
  last?: number;
  /** Why the object cannot be read. */
  failure?: { code: string; message: string };
}

export interface Descriptions {
  objects: DescribedObject[];
  /** Why the objects from some place on were not asked. What their names tell is there all the same. */
  failure?: S3BatchError;
}

/**
 * Asks objects for their attributes: one HEAD each, of which few are under way at a time, unless the attributes are
 * known already. A failure of the store ends it, and what was told until then is kept.
 * @param layout tells what the names say, where attributes are missing
 */
export async function describeObjects(
  store: ObjectStore,
  bucket: string,
  objects: readonly ListedObject[],
  {
    layout,
    cache,
    signal,
  }: { layout?: Layout | undefined; cache?: AttributeCache; signal?: AbortSignal } = {},
): Promise<Descriptions> {
  const described = objects.map((object): DescribedObject => ({
    ...object,
    ...namedTimes(object.key, layout),
  }));
  const describe = async (object: DescribedObject): Promise<DescribedObject> => {
    try {
      const named = { ...object, bucket };
      const known = cache?.get(named);
      const head = known ?? (await headObject(store, bucket, object.key, signal));
      if (!known) cache?.keep(named, head);
      if (!head.summary) return object;
      const { count, first, last } = head.summary;
      return { ...object, count, first, last };
    } catch (error) {
      if (!concernsOneObject(error)) throw error;
      return { ...object, failure: { code: error.code, message: error.message } };
    }
  };
  let done = 0;
  try {
    for await (const one of mapInOrder(described, PARALLEL, describe)) described[done++] = one;
  } catch (error) {
    if (!(error instanceof S3BatchError) || error.code === 'ABORTED') throw error;
    return { objects: described, failure: error };
  }
  return { objects: described };
}

/** What an object's name says of its records: the seconds within which the first and the last one lie. */
function namedTimes(
  key: string,
  layout: Layout | undefined,
): Pick<DescribedObject, 'first' | 'last' | 'count'> {
  const { first, last, count } = layout?.parseObjectName(key) ?? {};
  return {
    ...(first && { first: first.from }),
    ...(last && { last: last.to }),
    ...(count !== undefined && { count }),
  };
}
