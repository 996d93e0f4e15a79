/**
 * Maps `items`, up to `limit` at a time, and yields the results in the order of the items. Takes an item only when
 * there is room for it, so nothing runs far ahead of who consumes. After a failure, or when the consumer stops, what
 * still runs is waited for and its result dropped.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = map(item);
      // A failure is met when its turn comes; until then it must not count as unhandled.
      result.catch(() => undefined);
      running.push(result);
      if (running.length < limit) continue;
      const [oldest] = running.splice(0, 1);
      if (oldest) yield await oldest;
    }
    for (const result of running) yield await result;
  } finally {
    await Promise.allSettled(running);
  }
}
