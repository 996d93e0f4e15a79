import assert from 'node:assert/strict';

import { KEYS } from '../support/embedded';
import { until } from '../support/fake-clock';
import { batchOut, connection, sink, tab, weldingLayout } from '../support/flow';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { objectsIn, recordsIn, storedIn, weld } from './archive';
import { RestartableStore } from './restartable-store';

describe('s3-batch-out: a store that does not take it', () => {
  const runner = useFlows();
  let store: RestartableStore;
  let plants = 0;
  let plant = '';
  before(async () => {
    store = await RestartableStore.start();
  });
  after(() => store.remove());
  beforeEach(async () => {
    plant = `store-${++plants}`;
    await store.start();
  });

  async function load(
    out: Record<string, unknown> = {},
    access: Record<string, unknown> = {},
  ): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load([tab(), connection(store.url, access), weldingLayout(), batchOut(out, 'sink'), sink()]);
    return flow;
  }

  const waits = (flow: FlowRunner) =>
    flow.until('the status to tell', () => flow.status('out').text?.includes('waiting') === true);

  it('the bucket is missing: held, told, and stored once it is there; other buckets go on', async () => {
    const flow = await load();
    await store.createBucket(`${plant}-b`);
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.send('out', weld(`${plant}-b`, 'D', '20181001 171035'));
    const flush = flow.give('out', { flush: true });
    await waits(flow);
    assert.deepEqual(flow.status('out'), { fill: 'red', shape: 'ring', text: 's3-batch-out.status.waiting' });
    const warnings = flow.logged('warn').filter((line) => line.includes(plant));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /The bucket does not exist.*Create it.*held and tried again in \d+ s$/);
    assert.equal((await recordsIn(store.store, `${plant}-b`)).length, 1);
    assert.equal(flow.completionsOf(flush).length, 0);

    await store.createBucket(plant);
    await flow.receives('sink', 2);
    assert.equal((await recordsIn(store.store, plant)).length, 1);
    await flow.until('the flush to be done', () => flow.completionsOf(flush).length === 1);
    await flow.until('a green status', () => flow.status('out').fill === 'green');
    assert.equal(flow.logged('error').length, 0);
  });

  it('the store is away for a while: held and stored, nothing dropped, nothing twice', async () => {
    await store.createBucket(plant);
    const flow = await load({ count: '2', completion: 'stored' });
    const sent = [0, 1].map((second) => flow.give('out', weld(plant, 'D', `20181001 17100${second}`)));
    await flow.receives('sink', 1);
    await store.stop();
    for (let second = 2; second < 9; second++)
      sent.push(flow.give('out', weld(plant, 'D', `20181001 17100${second}`)));
    const flush = flow.give('out', { flush: true });
    await waits(flow);
    assert.equal(flow.logged('warn').filter((line) => line.includes('cannot be reached')).length, 1);
    assert.equal(flow.completions.length, 2);
    await store.start();
    await flow.until('the flush to be done', () => flow.completionsOf(flush).length === 1);
    await flow.until('all to be done', () => sent.every((one) => flow.completionsOf(one).length === 1));
    const records = await recordsIn(store.store, plant);
    assert.deepEqual(
      records.map(({ time }) => new Date(time).getUTCSeconds()).sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    const stored = await flow.receives('sink', 5);
    assert.equal(
      stored.reduce((sum, one) => sum + storedIn(one).count, 0),
      9,
    );
    assert.equal((await objectsIn(store.store, plant)).length, 5);
  });

  it('the memory is full: refused with MEMORY_FULL, which says why; taken again later', async () => {
    await store.createBucket(plant);
    const flow = await load({ memory: '0.2', count: '1', compression: 'none' });
    await store.stop();
    const { topic } = weld(plant, 'D', '');
    const payload = JSON.stringify({ weldspot: { Timestamp: '20181001 171035' }, x: 'x'.repeat(60_000) });
    let error: Error | undefined;
    let taken = -1;
    do {
      taken++;
      error = await flow.send('out', { topic, payload });
      // Memory is less once a batch is encoded; the error names the failure of the upload once there is one.
      if (taken === 0) await waits(flow);
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (error === undefined && taken < 20);
    assert.equal((error as { code?: string }).code, 'MEMORY_FULL');
    assert.match(
      error?.message ?? '',
      /of 209715 bytes and wait to be stored: uploads fail \(The store cannot be/,
    );
    assert.ok(taken >= 2 && taken < 5, `${taken} taken`);
    await store.start();
    await flow.receives('sink', taken);
    assert.equal(await flow.send('out', { topic, payload }), undefined);
    await flow.receives('sink', taken + 1);
    assert.equal((await recordsIn(store.store, plant)).length, taken + 1);
  });

  it('the credentials are wrong: held, told, and stored after a deploy of the right ones', async () => {
    await store.createBucket(plant);
    const wrong = { accessKeyId: KEYS.accessKey, secretAccessKey: 'another-secret' };
    const flow = await load({}, { credentials: wrong });
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    flow.give('out', { flush: true });
    await waits(flow);
    const [warning] = flow.logged('warn').filter((line) => line.includes(plant));
    assert.match(warning ?? '', /does not accept the credentials.*Check access key ID/);
    await flow.deploy([
      tab(),
      connection(store.url, { name: 'mended' }),
      weldingLayout(),
      batchOut({}, 'sink'),
      sink(),
    ]);
    await flow.receives('sink', 1);
    assert.equal((await recordsIn(store.store, plant)).length, 1);
    await flow.until('a green status', () => flow.status('out').fill === 'green');
  });

  describe('when Node-RED stops', () => {
    it('everything open is stored first', async () => {
      await store.createBucket(plant);
      const flow = await load();
      for (let second = 0; second < 5; second++)
        await flow.send('out', weld(plant, `D${second}`, '20181001 171035'));
      await flow.unload();
      const [record] = await recordsIn(store.store, plant);
      assert.equal((await recordsIn(store.store, plant)).length, 5);
      assert.ok(record);
      assert.deepEqual(flow.logged('error'), []);
    });

    it('what arrives meanwhile is refused in clear words', async () => {
      await store.createBucket(plant);
      const flow = await load();
      await flow.send('out', weld(plant, 'D', '20181001 171035'));
      await store.stop();
      const node = flow.node('out');
      const closing = new Promise<void>((resolve) => {
        node.on('close', resolve);
      });
      const unloaded = flow.unload();
      // On its way when the stop began: still taken. Later: refused, and its sender hears of it.
      node.receive(weld(plant, 'D', '20181001 171036'));
      await closing;
      await new Promise(setImmediate);
      const late = { ...weld(plant, 'D', '20181001 171037'), _msgid: 'late' };
      const done = new Promise<Error | undefined>((resolve) => {
        const complete = (node as unknown as { _complete: (message: object, error?: Error) => void })
          ._complete;
        Object.assign(node, {
          _complete: (message: object, error?: Error) => {
            complete.call(node, message, error);
            if (message === late) resolve(error);
          },
        });
      });
      node.receive(late);
      assert.equal(((await done) as { code?: string }).code, 'CLOSED');
      await store.start();
      await unloaded;
      assert.equal((await recordsIn(store.store, plant)).length, 2);
    });

    it('and the store is away, the log tells how many records are lost', async () => {
      await store.createBucket(plant);
      const flow = await load({ count: '2' });
      await store.stop();
      for (let second = 0; second < 5; second++)
        await flow.send('out', weld(plant, 'D', `20181001 17103${second}`));
      await flow.unload();
      // Were it not within the time that Node-RED gives, there would be an error of Node-RED, too.
      const [line, ...others] = flow.logged('error');
      assert.deepEqual(others, []);
      assert.match(
        line ?? '',
        /^5 records in 3 batches could not be stored within 2 s \(The store cannot be reached.*\); .* they are lost$/,
      );
      // The process of this test goes on, and so do the uploads.
      await store.start();
      await until('the uploads', async () => (await recordsIn(store.store, plant)).length === 5);
      assert.equal((await recordsIn(store.store, plant)).length, 5);
    });
  });
});
