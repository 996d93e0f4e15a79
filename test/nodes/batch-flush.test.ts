import assert from 'node:assert/strict';

import { startTestStore, type TestStore } from '../support/embedded';
import { batchFlush, batchOut, catchAll, connection, sink, tab, weldingLayout } from '../support/flow';
import type { FlowNode } from '../support/node-red-process';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { objectsIn, type StoredPayload, storedIn, weld } from './archive';

const PATH = '/s3-batch/flush';

describe('batch-flush', () => {
  const runner = useFlows();
  let embedded: TestStore;
  let plants = 0;
  let plant = '';
  before(async () => {
    embedded = await startTestStore();
  });
  after(() => embedded.stop());
  beforeEach(async () => {
    plant = `flush-${++plants}`;
    await embedded.createBucket(plant);
    await embedded.createBucket(`${plant}-b`);
  });

  function flowWith(flush: Record<string, unknown>, out: Record<string, unknown> = {}): FlowNode[] {
    return [
      tab(),
      connection(embedded.server.url),
      weldingLayout(),
      batchOut(out, 'sink'),
      batchFlush(flush, 'flushed'),
      catchAll('caught'),
      sink(),
      sink('flushed'),
      sink('caught'),
    ];
  }

  /** Three open batches: two days of one plant, one of another. */
  async function open(flush: Record<string, unknown> = {}): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load(flowWith(flush));
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.send('out', weld(plant, 'D', '20181002 171035'));
    await flow.send('out', weld(`${plant}-b`, 'D', '20181001 171035'));
    await flow.send('out', weld(`${plant}-b`, 'D', '20181001 171036'));
    return flow;
  }

  const stored = async (): Promise<[number, number]> => [
    (await objectsIn(embedded.store, plant)).length,
    (await objectsIn(embedded.store, `${plant}-b`)).length,
  ];

  it('stores all batches and answers with what was stored, as s3-batch-out sends it', async () => {
    const flow = await open();
    assert.equal(await flow.send('flush', { topic: 'shift/end', shift: 3, payload: 'x' }), undefined);
    assert.deepEqual(await stored(), [2, 1]);
    const [answer] = await flow.receives('flushed', 1);
    const payload = answer?.payload as StoredPayload[];
    assert.deepEqual([answer?.topic, answer?.shift], ['shift/end', 3]);
    assert.deepEqual(
      payload.map(({ bucket, count, first, trigger }) => [bucket, count, first, trigger]),
      [
        [plant, 1, '2018-10-01T17:10:35.000Z', 'flush'],
        [plant, 1, '2018-10-02T17:10:35.000Z', 'flush'],
        [`${plant}-b`, 2, '2018-10-01T17:10:35.000Z', 'flush'],
      ],
    );
    const sent = (await flow.receives('sink', 3)).map(storedIn);
    for (const one of payload) {
      assert.deepEqual(
        sent.find(({ key, bucket }) => key === one.key && bucket === one.bucket),
        one,
      );
    }
    assert.deepEqual(flow.statuses('flush'), [
      { fill: 'blue', shape: 'dot', text: 'batch-flush.status.flushing' },
      { fill: 'green', shape: 'dot', text: 'batch-flush.status.flushed' },
    ]);
  });

  it('answers with nothing when nothing was open', async () => {
    const flow = runner.current;
    await flow.load(flowWith({}));
    assert.equal(await flow.send('flush', {}), undefined);
    const [answer] = await flow.receives('flushed', 1);
    assert.deepEqual(answer?.payload, []);
  });

  it('stores one destination: a bucket, or a bucket and a prefix', async () => {
    const flow = await open({ destination: `flush-${plants}/dt=2018-10-02`, destinationType: 'str' });
    await flow.send('flush', {});
    assert.deepEqual(await stored(), [1, 0]);
    await flow.deploy(flowWith({ destination: `${plant}-b` }), 'nodes');
    await flow.send('flush', {});
    assert.deepEqual(await stored(), [1, 1]);
    const answers = (await flow.receives('flushed', 2)).map(({ payload }) => payload as StoredPayload[]);
    assert.deepEqual(
      answers.map((answer) => answer.map(({ bucket, count }) => [bucket, count])),
      [[[plant, 1]], [[`${plant}-b`, 2]]],
    );
  });

  it('takes the destination from the message; without it, all', async () => {
    const flow = await open({ destination: 'where.to', destinationType: 'msg' });
    await flow.send('flush', { where: { to: `${plant}-b` } });
    assert.deepEqual(await stored(), [0, 1]);
    await flow.send('flush', { where: { to: 'elsewhere' } });
    assert.deepEqual(await stored(), [0, 1]);
    await flow.send('flush', {});
    assert.deepEqual(await stored(), [2, 1]);
  });

  it('takes it from the flow and by an expression, too', async () => {
    const flow = await open({ destination: 'place', destinationType: 'flow' });
    flow.node('flush').context().flow.set('place', `${plant}-b/dt=`);
    await flow.send('flush', {});
    assert.deepEqual(await stored(), [0, 1]);
    await flow.deploy(flowWith({ destination: '"flush-" & number', destinationType: 'jsonata' }));
    await flow.send('flush', { number: plants });
    assert.deepEqual(await stored(), [2, 1]);
  });

  it('refuses a destination that is no text, and stores nothing', async () => {
    const flow = await open({ destination: 'where', destinationType: 'msg' });
    for (const where of [7, true, { bucket: plant }, [plant]]) {
      const error = await flow.send('flush', { where });
      assert.equal((error as { code?: string }).code, 'QUERY_INVALID');
    }
    assert.deepEqual(await stored(), [0, 0]);
    assert.equal(flow.status('flush').fill, 'red');
  });

  it('tells of an expression that fails', async () => {
    const flow = await open({ destination: '$number("x")', destinationType: 'jsonata' });
    const error = await flow.send('flush', {});
    assert.match(error?.message ?? '', /Unable to cast value to a number: "x"/);
    assert.match(flow.status('flush').text ?? '', /Unable to cast/);
    assert.deepEqual(await stored(), [0, 0]);
  });

  const gone: [string, (nodes: FlowNode[]) => FlowNode[]][] = [
    ['none', (nodes) => nodes.map((node) => (node.id === 'flush' ? { ...node, target: '' } : node))],
    ['one that is gone', (nodes) => nodes.filter(({ id }) => id !== 'out')],
    [
      'one that is disabled',
      (nodes) => nodes.map((node) => (node.id === 'out' ? { ...node, d: true } : node)),
    ],
    [
      'another node',
      (nodes) => nodes.map((node) => (node.id === 'flush' ? { ...node, target: 'sink' } : node)),
    ],
    ['one that cannot work', (nodes) => nodes.filter(({ id }) => id !== 'connection')],
  ];
  for (const [what, change] of gone) {
    it(`fails when its target is ${what}`, async () => {
      const flow = runner.current;
      await flow.load(change(flowWith({})));
      const error = await flow.send('flush', {});
      assert.equal(error?.message, 'batch-flush.error.noTarget');
      assert.equal(flow.status('flush').fill, 'red');
      assert.equal((await flow.receives('caught', 1)).length, 1);
      assert.equal(flow.received('flushed').length, 0);
    });
  }

  describe('by the button in the editor', () => {
    it('does the same', async () => {
      const flow = await open();
      assert.equal(await flow.post(`${PATH}/flush`), 200);
      assert.equal((await flow.receives('flushed', 1)).length, 1);
      assert.deepEqual(await stored(), [2, 1]);
    });

    it('answers 404 for what is no batch-flush', async () => {
      const flow = await open();
      const ids = ['out', 'sink', 'connection', 'nobody', '__proto__', '..%2F..%2Fflows', '%00', ''];
      for (const id of ids) assert.equal(await flow.post(`${PATH}/${id}`), 404, id);
      assert.deepEqual(await stored(), [0, 0]);
    });

    it('answers at once, and tells of failures as any message does', async () => {
      const flow = runner.current;
      await flow.load(flowWith({ target: 'nobody' }));
      assert.equal(await flow.post(`${PATH}/flush`), 200);
      assert.equal((await flow.receives('caught', 1)).length, 1);
    });
  });

  it('waits through a redeploy of the target', async () => {
    const flow = await open();
    embedded.server.faults.add({
      kind: 'delay',
      ms: 200,
      match: ({ operation }) => operation === 'PutObject',
    });
    try {
      const flush = flow.give('flush', {});
      await flow.deploy(flowWith({}, { name: 'renamed' }), 'nodes');
      await flow.until('the flush to be done', () => flow.completionsOf(flush).length === 1);
      const [answer] = await flow.receives('flushed', 1);
      assert.equal((answer?.payload as unknown[]).length, 3);
    } finally {
      embedded.server.faults.clear();
    }
  });
});
