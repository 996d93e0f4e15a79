import assert from 'node:assert/strict';

import { until } from '../support/fake-clock';
import { batchFlush, batchOut, connection, onTab, sink, tab, weldingLayout } from '../support/flow';
import type { DeploymentType, FlowNode } from '../support/node-red-process';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { objectsIn, recordsIn, storedIn, weld } from './archive';
import { RestartableStore } from './restartable-store';

const TYPES: DeploymentType[] = ['full', 'flows', 'nodes'];

describe('s3-batch-out: a redeploy', () => {
  const runner = useFlows();
  let store: RestartableStore;
  let plants = 0;
  let plant = '';
  before(async () => {
    store = await RestartableStore.start();
  });
  after(() => store.remove());
  beforeEach(async () => {
    await store.start();
    plant = `redeploy-${++plants}`;
    await store.createBucket(plant);
  });

  /** The flow; the sink comes behind the node that sends to it, as in any flow that was drawn from left to right. */
  function flowWith(
    out: Record<string, unknown> = {},
    layout: Record<string, unknown> = {},
    access: Record<string, unknown> = {},
  ): FlowNode[] {
    return [
      tab(),
      connection(store.url, access),
      weldingLayout(layout),
      batchOut(out, 'sink'),
      batchFlush({}, 'flushed'),
      sink(),
      sink('flushed'),
    ];
  }

  /** Three records in one open batch. */
  async function open(flow: FlowRunner, settings: Record<string, unknown> = {}): Promise<void> {
    await flow.load(flowWith(settings));
    for (let second = 0; second < 3; second++) flow.give('out', weld(plant, 'D', `20181001 17100${second}`));
  }

  async function storedOnce(count: number): Promise<string[]> {
    const records = await recordsIn(store.store, plant);
    const seconds = records.map(({ time }) => new Date(time).getUTCSeconds()).sort((a, b) => a - b);
    assert.deepEqual(seconds, [...Array(count).keys()]);
    return [...new Set(records.map(({ object }) => object))];
  }

  const toldAsGone = (flow: FlowRunner): Promise<void> =>
    flow.until('the log to tell', () =>
      flow
        .logged('info')
        .some((line) => /^\[s3-batch-out:out\] stored redeploy-.* of the node that is gone$/.test(line)),
    );

  for (const type of TYPES) {
    describe(`of ${type === 'full' ? 'everything' : `changed ${type}`}`, () => {
      it('hands open batches to the node that follows', async () => {
        const flow = runner.current;
        await open(flow);
        await flow.until('the batch to be shown', () => flow.shown.batches.length === 1);
        const batch = flow.shown.batches[0]?.batch ?? '';
        const before = flow.node('out');
        await flow.deploy(flowWith({ name: 'renamed', count: '5000', age: '600' }), type);
        assert.notEqual(flow.node('out'), before);
        assert.equal(flow.shown.batches[0]?.batch, batch, 'shown from the start on');
        assert.equal(flow.shown.counts.received, 3);
        assert.equal(flow.status('out').text, 's3-batch-out.status.open');
        assert.deepEqual(await objectsIn(store.store, plant), []);
        await flow.send('out', weld(plant, 'D', '20181001 171003'));
        await flow.send('out', { flush: true });
        const [name] = await storedOnce(4);
        assert.ok(name?.includes(batch));
        const messages = await flow.receives('sink', 1);
        assert.equal(messages.length, 1);
        assert.deepEqual([storedIn(messages[0]).batch, storedIn(messages[0]).count], [batch, 4]);
      });

      it('with other limits: these hold for what is open', async () => {
        const flow = runner.current;
        await open(flow);
        await flow.deploy(flowWith({ age: '0.1' }), type);
        const [message] = await flow.receives('sink', 1);
        assert.deepEqual([storedIn(message).count, storedIn(message).trigger], [3, 'age']);
        await storedOnce(3);
      });

      it('of another connection: open batches go where it leads', async () => {
        const flow = runner.current;
        await open(flow);
        await flow.deploy(flowWith({}, {}, { name: 'renamed', requestTimeout: '31' }), type);
        assert.equal(flow.shown.batches[0]?.count, 3);
        await flow.send('out', { flush: true });
        assert.equal((await storedOnce(3)).length, 1);
      });

      const others: [string, () => FlowNode[], RegExp][] = [
        [
          'layout',
          () => flowWith({}, { objectName: 'new/{{batch}}{{extension}}' }),
          /^dt=2018-10-01\/.*\.ndjson\.gz$/,
        ],
        ['framing', () => flowWith({ framing: 'length' }), /^dt=2018-10-01\/.*\.ndjson\.gz$/],
        ['instance', () => flowWith({ instance: 'other' }), /^dt=2018-10-01\/.*\.ndjson\.gz$/],
      ];
      for (const [what, changed, name] of others) {
        it(`of another ${what}: open batches are stored under their old name`, async () => {
          const flow = runner.current;
          await open(flow);
          await flow.deploy(changed(), type);
          const [message] = await flow.receives('sink', 1);
          assert.deepEqual([storedIn(message).count, storedIn(message).trigger], [3, 'close']);
          const names = await storedOnce(3);
          assert.match(names.join(), name);
        });
      }

      it('without the node: its batches are stored', async () => {
        const flow = runner.current;
        await open(flow);
        await flow.deploy(
          flowWith().filter(({ id }) => id !== 'out'),
          type,
        );
        await toldAsGone(flow);
        await storedOnce(3);
      });

      const disabled: [string, () => FlowNode[]][] = [
        ['the node disabled', () => flowWith({ d: true })],
        ['its flow disabled', () => [tab({ disabled: true }), ...flowWith().slice(1)]],
        ['its flow deleted', () => flowWith().filter(({ z, id }) => z === undefined && id !== 'tab')],
      ];
      for (const [what, nodes] of disabled) {
        it(`with ${what}: its batches are stored`, async () => {
          const flow = runner.current;
          await open(flow);
          await flow.deploy(nodes(), type);
          await toldAsGone(flow);
          await storedOnce(3);
        });
      }

      it('with settings that cannot work: what is open is stored by the old ones', async () => {
        const flow = runner.current;
        await open(flow);
        await flow.deploy(flowWith({ flushTopic: '#/' }), type);
        assert.equal(flow.status('out').fill, 'red');
        await toldAsGone(flow);
        await storedOnce(3);
      });

      it('while the store is away: nothing is lost, whatever is deployed', async () => {
        const flow = runner.current;
        await open(flow, { completion: 'stored', count: '3' });
        await flow.until('these to be stored', () => flow.completions.length === 3);
        await store.stop();
        const waiting = [3, 4, 5, 6].map((second) =>
          flow.give('out', weld(plant, 'D', `20181001 17100${second}`)),
        );
        const flush = flow.give('flush', {});
        await flow.deploy(flowWith({ completion: 'stored', count: '3', name: 'renamed' }), type);
        assert.equal(flow.counts.received - flow.counts.stored, 4);
        await store.start();
        await flow.until('all to be done', () =>
          [...waiting, flush].every((message) => flow.completionsOf(message).length === 1),
        );
        assert.equal((await storedOnce(7)).length, 3);
      });

      it('in the middle of a stream: every message that reached the node is stored', async () => {
        const flow = runner.current;
        const source = onTab('source', 'helper', {}, 'out');
        await flow.load([...flowWith(), source]);
        let sent = 0;
        let deploying = true;
        const stream = async (): Promise<void> => {
          while (deploying) {
            // Node-RED delivers to nobody what is sent while no node of that id runs, and says nothing.
            flow.find('source')?.send(weld(plant, 'D', '20181001 171000', { number: sent++ }));
            await new Promise(setImmediate);
          }
        };
        const streaming = stream();
        for (let n = 0; n < 10; n++) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          await flow.deploy([...flowWith({ name: `deploy ${n}` }), source], type);
        }
        deploying = false;
        await streaming;
        await new Promise(setImmediate);
        const delivered = flow.received('out').map(({ payload }) => String(payload));
        assert.ok(delivered.length > 5);
        await flow.send('out', { flush: true });
        const records = await recordsIn(store.store, plant);
        assert.deepEqual(records.map(({ payload }) => payload.toString()).sort(), delivered.sort());
      });
    });
  }

  it('tells the flow of what was stored while no node was there', async () => {
    const flow = runner.current;
    await flow.load(flowWith({ count: '1' }));
    const answer = 300;
    const server = store.faults;
    server.add({ kind: 'delay', ms: answer, match: ({ operation }) => operation === 'PutObject' });
    try {
      await flow.send('out', weld(plant, 'D', '20181001 171000'));
      // The store's answer comes while the flow is stopped: another node takes its time to close.
      flow.node('flush').on('close', (done: () => void) => {
        setTimeout(done, answer * 2);
      });
      await flow.deploy(flowWith({ count: '1', name: 'renamed' }));
      const [message] = await flow.receives('sink', 1);
      assert.equal(storedIn(message).count, 1);
      await storedOnce(1);
    } finally {
      server.clear();
    }
  });

  it('that is a restart of the flows while the store is away: told as an error, but nothing is given up', async () => {
    const flow = runner.current;
    await open(flow);
    await store.stop();
    const flush = flow.give('flush', {});
    await flow.deploy([], 'reload');
    assert.match(flow.logged('error').join('\n'), /^3 records in 1 batches could not be stored within 2 s/);
    assert.equal(flow.counts.received, 3);
    await flow.send('out', weld(plant, 'D', '20181001 171003'));
    await store.start();
    await flow.send('out', { flush: true });
    assert.equal((await storedOnce(4)).length, 2);
    await flow.receives('sink', 2);
    await flow.until('the flush to be done', () => flow.completionsOf(flush).length === 1);
  });

  it('that removes the node while the store is away: the log tells, also when Node-RED stops', async () => {
    const flow = runner.current;
    await open(flow);
    await store.stop();
    await flow.deploy(flowWith().filter(({ id }) => id !== 'out'));
    await flow.until('a warning', () =>
      flow.logged('warn').some((line) => line.includes('3 records of the node that is gone still wait')),
    );
    await flow.unload();
    assert.match(flow.logged('error').join('\n'), /3 records of nodes that are gone are not stored yet/);
    await store.start();
    await until('the upload', async () => (await objectsIn(store.store, plant)).length > 0);
    await storedOnce(3);
  });
});
