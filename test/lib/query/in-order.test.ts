import assert from 'node:assert/strict';

import fc from 'fast-check';

import { mapInOrder } from '../../../lib/query/in-order';
import { nextTurn } from '../../support/fake-clock';

/** Fails the test when a promise's rejection is met by nobody. */
async function withoutUnhandled(work: () => Promise<void>): Promise<void> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    await work();
    for (let turn = 0; turn < 5; turn++) await nextTurn();
  } finally {
    process.off('unhandledRejection', listener);
  }
  assert.deepEqual(unhandled, []);
}

/** Ends after so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('mapping in order', () => {
  it('yields in the order of the items, whatever takes how long, and runs no more than the limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(6), { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        async (times, limit) => {
          let running = 0;
          let most = 0;
          const results = await collect(
            mapInOrder(times.entries(), limit, async ([n, time]) => {
              most = Math.max(most, ++running);
              await turns(time + 1);
              running--;
              return n;
            }),
          );
          assert.deepEqual(results, [...times.keys()]);
          assert.equal(most, Math.min(limit, times.length));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes an item only when there is room: nothing runs far ahead of who consumes', async () => {
    let taken = 0;
    function* items(): Generator<number> {
      for (;;) yield taken++;
    }
    const results = mapInOrder(items(), 3, (item) => Promise.resolve(item));
    for (let n = 0; n < 10; n++) {
      assert.equal((await results.next()).value, n);
      await turns(3);
      assert.ok(taken <= n + 4);
    }
    await results.return(undefined);
  });

  it('takes items that come asynchronously', async () => {
    async function* items(): AsyncGenerator<number> {
      for (let n = 0; n < 5; n++) {
        await nextTurn();
        yield n;
      }
    }
    assert.deepEqual(await collect(mapInOrder(items(), 2, (n) => Promise.resolve(n * n))), [0, 1, 4, 9, 16]);
  });

  it('yields nothing of nothing', async () => {
    assert.deepEqual(await collect(mapInOrder([], 4, (n) => Promise.resolve(n))), []);
  });

  it('meets a failure in its turn, after the results before it', () =>
    withoutUnhandled(async () => {
      const results: number[] = [];
      const failing = mapInOrder([5, 4, 0, 1, 2], 5, async (time) => {
        await turns(time);
        if (time === 0) throw new Error('third');
        return time;
      });
      await assert.rejects(async () => {
        for await (const result of failing) results.push(result);
      }, /third/);
      assert.deepEqual(results, [5, 4]);
    }));

  it('leaves no failure unhandled when several fail', () =>
    withoutUnhandled(async () => {
      const failing = mapInOrder([3, 2, 1, 0], 4, async (time) => {
        await turns(time);
        throw new Error(`failure ${time}`);
      });
      await assert.rejects(collect(failing), /failure 3/);
    }));

  it('waits, when its consumer stops, for what still runs, and leaves none of its failures unhandled', () =>
    withoutUnhandled(async () => {
      let running = 0;
      let closed = false;
      function* items(): Generator<number> {
        try {
          for (let n = 0; ; n++) yield n;
        } finally {
          closed = true;
        }
      }
      for await (const result of mapInOrder(items(), 4, async (n) => {
        running++;
        await turns(n * 3);
        running--;
        if (n > 1) throw new Error(`failure ${n}`);
        return n;
      })) {
        assert.equal(result, 0);
        break;
      }
      assert.equal(running, 0);
      assert.ok(closed);
    }));

  it('ends with the failure of its source', () =>
    withoutUnhandled(async () => {
      async function* items(): AsyncGenerator<number> {
        yield 1;
        await nextTurn();
        throw new Error('listing');
      }
      await assert.rejects(
        collect(mapInOrder(items(), 8, (n) => Promise.reject(new Error(`item ${n}`)))),
        /listing/,
      );
    }));
});
