import type { ListOptions, ListPage, ObjectStore } from '../store/object-store';

/** What was asked of a store. */
export interface Traffic {
  list: number;
  head: number;
  get: number;
  /** Bytes of objects that came back. */
  bytes: number;
}

export function noTraffic(): Traffic {
  return { list: 0, head: 0, get: 0, bytes: 0 };
}

export function requestsOf(traffic: Traffic): number {
  return traffic.list + traffic.head + traffic.get;
}

/** The same store, counting what is read through it. */
export function counted(store: ObjectStore, traffic: Traffic): ObjectStore {
  return {
    put: store.put.bind(store),
    delete: store.delete.bind(store),
    buckets: async (...args) => {
      traffic.list++;
      return store.buckets(...args);
    },
    head: (...args) => {
      traffic.head++;
      return store.head(...args);
    },
    getRange: async (...args) => {
      traffic.get++;
      const part = await store.getRange(...args);
      traffic.bytes += part.bytes.length;
      return part;
    },
    list: (bucket, options) => countPages(store, traffic, bucket, options),
  };
}

async function* countPages(
  store: ObjectStore,
  traffic: Traffic,
  bucket: string,
  options: ListOptions | undefined,
): AsyncGenerator<ListPage> {
  try {
    for await (const page of store.list(bucket, options)) {
      traffic.list++;
      yield page;
    }
  } catch (error) {
    traffic.list++;
    throw error;
  }
}
