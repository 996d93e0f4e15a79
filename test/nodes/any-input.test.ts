import assert from 'node:assert/strict';

import fc from 'fast-check';

import { startTestStore, type TestStore } from '../support/embedded';
import {
  batchFlush,
  batchOut,
  catchAll,
  connection,
  offsetIndex,
  onTab,
  rangeIn,
  sink,
  tab,
  weldingLayout,
} from '../support/flow';
import { useFlows } from '../support/node-red-helper';

/** Whatever a function node may have put there. */
const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});
const thrower = fc.constantFrom<unknown>(
  {
    toJSON: () => {
      throw new Error('no JSON');
    },
  },
  // eslint says rightly that nobody should: flows do it all the same.
  { toJSON: () => Promise.reject(new Error('later')).catch(() => undefined) },
  { toJSON: () => undefined },
  () => 1,
  Symbol('symbol'),
  new Proxy(
    {},
    {
      get: () => {
        throw new Error('no access');
      },
    },
  ),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('any', 'any/x', '..', '', 'a'.repeat(2000)),
);
const value = fc.oneof(
  anything,
  text,
  thrower,
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);
/** Members that the nodes look at, and any others. */
const members = [
  ...[
    'topic',
    'payload',
    'flush',
    'query',
    'bucket',
    'key',
    'etag',
    'offset',
    'length',
    'parts',
    'from',
    'to',
  ],
  ...['req', 'res', 'error', '_event'],
];
const message = fc.oneof(
  fc.record(Object.fromEntries(members.map((name) => [name, value])), { requiredKeys: [] }),
  { weight: 3, arbitrary: fc.record({ topic: text, payload: value }) },
  fc.record({ topic: text, payload: value, flush: value }),
  fc.record({ bucket: fc.constant('asked'), key: text, query: value }, { requiredKeys: ['bucket'] }),
);

describe('any message', () => {
  const runner = useFlows();
  let embedded: TestStore;
  before(async () => {
    embedded = await startTestStore();
    for (const bucket of ['any', 'asked']) await embedded.createBucket(bucket);
  });
  after(() => embedded.stop());

  for (const completion of ['batched', 'stored'])
    it(`is done exactly once by each node, nothing is thrown; done when ${completion}`, async () => {
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(embedded.server.url),
        weldingLayout({
          buckets: [
            { topic: '#', bucket: 'any' },
            { topic: '$SYS/#', bucket: 'any' },
          ],
        }),
        batchOut({ completion, count: '20', flushTopic: '+/flush', uploads: '2' }, 'sink'),
        batchFlush({ destination: 'payload', destinationType: 'msg' }, 'sink'),
        // A query without a bucket goes over all that this layout knows.
        weldingLayout({ id: 'asked', buckets: [{ topic: '#', bucket: 'asked' }] }),
        offsetIndex({ layout: 'asked' }, 'sink'),
        rangeIn({}, 'sink'),
        sink(),
      ]);
      const ids = ['out', 'flush', 'index', 'range'];
      await fc.assert(
        fc.asyncProperty(fc.array(message, { minLength: 4, maxLength: 12 }), async (messages) => {
          const given = messages.flatMap((one) => ids.map((id) => ({ id, sent: flow.give(id, one) })));
          // Whatever waits for its object is stored by this at the latest.
          await flow.send('flush', {});
          await flow.until('all to be done', () =>
            given.every(({ sent }) => flow.completionsOf(sent).length > 0),
          );
          for (const { id, sent } of given) {
            const all = flow.completionsOf(sent);
            assert.equal(all.length, 1);
            assert.equal(all[0]?.node, id);
            const { error } = all[0];
            if (error !== undefined) assert.match(error.message, /\w/);
          }
          flow.completions.length = 0;
        }),
        { numRuns: 25, seed: 11 },
      );
      assert.ok(flow.counts.stored > 50, `${flow.counts.stored} stored`);
    });

  it('too deep to be copied is done all the same, and Node-RED goes on', async () => {
    const deep: unknown[] = [];
    for (let at = deep, depth = 0; depth < 50_000; depth++) {
      const next: unknown[] = [];
      at.push(next);
      at = next;
    }
    const flow = runner.current;
    await flow.load([
      tab(),
      connection(embedded.server.url),
      weldingLayout({ buckets: [{ topic: '#', bucket: 'any' }] }),
      batchOut({ completion: 'stored' }, 'sink'),
      batchFlush({}, 'sink', 'other'),
      offsetIndex({}, 'sink', 'other'),
      rangeIn({}, 'sink', 'other'),
      // These get copies of the messages that are done, or were refused.
      onTab('complete', 'complete', { scope: ['out', 'flush', 'index', 'range'], uncaught: false }, 'sink'),
      catchAll('sink'),
      sink(),
      sink('other'),
    ]);
    const ids = ['out', 'flush', 'index', 'range'];
    const given = ids.flatMap((id) =>
      [
        { deep, topic: 't', payload: 'x' },
        { deep, bucket: 'asked', key: 'x', query: 5 },
        { deep, flush: true },
      ].map((one) => ({ id, sent: flow.give(id, one) })),
    );
    await flow.until('all to be done', () =>
      given.every(({ sent }) => flow.completionsOf(sent).length === 1),
    );
    assert.equal(flow.counts.stored, 1);
    assert.ok(flow.logged('error').some((line) => line.includes('Maximum call stack')));
    // Nothing of it hinders what comes next.
    assert.equal(await flow.send('flush', {}), undefined);
  });
});
