import assert from 'node:assert/strict';

import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, catchAll, connection, onTab, sink, tab, weldingLayout } from '../support/flow';
import type { FlowNode } from '../support/node-red-process';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { objectsIn, recordsIn, type StoredPayload, storedIn, weld } from './archive';

describe('s3-batch-out: batches', () => {
  const runner = useFlows();
  let embedded: TestStore;
  let plants = 0;
  /** A plant of the test's own; its bucket exists. */
  let plant = '';
  before(async () => {
    embedded = await startTestStore();
  });
  after(() => embedded.stop());
  beforeEach(async () => {
    plant = `batches-${++plants}`;
    await embedded.createBucket(plant);
  });

  async function load(out: Record<string, unknown>, ...more: FlowNode[]): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load([
      tab(),
      connection(embedded.server.url),
      weldingLayout(),
      batchOut(out, 'sink'),
      catchAll('caught'),
      sink(),
      sink('caught'),
      ...more,
    ]);
    return flow;
  }

  it('without batching, count 1: an object a message', async () => {
    const flow = await load({ count: '1' });
    for (let second = 10; second < 15; second++)
      assert.equal(await flow.send('out', weld(plant, 'D', `20181001 1710${second}`)), undefined);
    const messages = await flow.receives('sink', 5);
    for (const message of messages) assert.equal(storedIn(message).count, 1);
    assert.equal((await objectsIn(embedded.store, plant)).length, 5);
  });

  it('one a destination: each bucket and partition has its own', async () => {
    await embedded.createBucket(`${plant}-b`);
    const flow = await load({});
    for (const [of, time] of [
      [plant, '20181001 235959'],
      [plant, '20181002 000000'],
      [`${plant}-b`, '20181001 235959'],
      [plant, '20181001 000000'],
    ] as const)
      await flow.send('out', weld(of, 'D', time));
    await flow.send('out', { flush: true });
    const names = (await objectsIn(embedded.store, plant)).map(({ key }) => key.replace(/-[^-]*$/, ''));
    assert.deepEqual(names, [
      'dt=2018-10-01/20181001T000000Z-20181001T235959Z',
      'dt=2018-10-02/20181002T000000Z-20181002T000000Z',
    ]);
    assert.equal((await objectsIn(embedded.store, `${plant}-b`)).length, 1);
  });

  describe('are sealed', () => {
    const cases: [string, Record<string, unknown>, string][] = [
      ['by their count', { count: '3' }, 'count'],
      ['by their bytes', { bytes: '0.0001' }, 'bytes'],
      ['by their age, without any further message', { age: '0.3' }, 'age'],
      ['when nothing comes any more', { idle: '0.2' }, 'idle'],
    ];
    for (const [what, settings, trigger] of cases) {
      it(what, async () => {
        const flow = await load(settings);
        for (let second = 10; second < 13; second++)
          await flow.send('out', weld(plant, 'D', `20181001 1710${second}`));
        const [message] = await flow.receives('sink', 1);
        assert.equal(storedIn(message).trigger, trigger);
        await flow.send('out', { flush: true });
        assert.equal((await recordsIn(embedded.store, plant)).length, 3);
      });
    }

    it('never by themselves when all limits are off', async () => {
      const flow = await load({ count: '0', bytes: '0', age: '0', idle: '0' });
      for (let n = 0; n < 50; n++) await flow.send('out', weld(plant, 'D', '20181001 171035'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(flow.received('sink').length, 0);
      await flow.send('out', { flush: true });
      assert.equal(storedIn((await flow.receives('sink', 1))[0]).count, 50);
    });
  });

  describe('are stored on demand', () => {
    async function open(settings: Record<string, unknown> = {}): Promise<FlowRunner> {
      await embedded.createBucket(`${plant}-b`);
      const flow = await load(settings);
      await flow.send('out', weld(plant, 'D', '20181001 171035'));
      await flow.send('out', weld(plant, 'D', '20181002 171035'));
      await flow.send('out', weld(`${plant}-b`, 'D', '20181001 171035'));
      return flow;
    }
    const stored = async (): Promise<[number, number]> => [
      (await objectsIn(embedded.store, plant)).length,
      (await objectsIn(embedded.store, `${plant}-b`)).length,
    ];

    it('by msg.flush: all, or one destination; the payload is not stored', async () => {
      const flow = await open();
      const { topic, payload } = weld(plant, 'D', '20181001 171036');
      await flow.send('out', { topic, payload, flush: `${plant}/dt=2018-10-02` });
      assert.deepEqual(await stored(), [1, 0]);
      await flow.send('out', { topic, payload, flush: ` ${plant}-b ` });
      assert.deepEqual(await stored(), [1, 1]);
      await flow.send('out', { topic, payload, flush: 'elsewhere' });
      assert.deepEqual(await stored(), [1, 1]);
      await flow.send('out', { topic, payload, flush: true });
      assert.deepEqual(await stored(), [2, 1]);
      assert.equal(flow.counts.received, 3);
      assert.equal(storedIn((await flow.receives('sink', 1))[0]).trigger, 'flush');
    });

    it('not by a msg.flush that asks for nothing: the payload is stored', async () => {
      const flow = await load({});
      const record = weld(plant, 'D', '20181001 171035');
      for (const flush of [false, undefined, null, '', ' '])
        assert.equal(await flow.send('out', { ...record, flush }), undefined);
      assert.equal(flow.counts.received, 5);
      assert.equal(await flow.send('out', { flush: true }), undefined);
      assert.equal((await recordsIn(embedded.store, plant)).length, 5);
    });

    it('nor by one that cannot be understood: neither is done, and a catch node hears of it', async () => {
      const flow = await load({});
      const record = weld(plant, 'D', '20181001 171035');
      for (const flush of [1, 0, NaN, {}, ['x'], () => true]) {
        const error = await flow.send('out', { ...record, flush });
        assert.equal((error as { code?: string }).code, 'QUERY_INVALID');
      }
      assert.equal(flow.counts.received, 0);
      assert.equal((await flow.receives('caught', 6)).length, 6);
    });

    it('by the flush topic: the payload, text or Buffer, may name the destination', async () => {
      const flow = await open({ flushTopic: 'control/+/flush' });
      await flow.send('out', { topic: 'control/7/flush', payload: Buffer.from(`${plant}/dt=2018-10-01\n`) });
      assert.deepEqual(await stored(), [1, 0]);
      await flow.send('out', { topic: 'control/7/flush', payload: `${plant}-b` });
      assert.deepEqual(await stored(), [1, 1]);
      for (const payload of ['', Buffer.alloc(0), undefined, { any: 'thing' }]) {
        const before = (await recordsIn(embedded.store, plant)).length;
        await flow.send('out', weld(plant, 'D', '20181002 171035'));
        await flow.send('out', { topic: 'control/7/flush', payload });
        assert.ok((await recordsIn(embedded.store, plant)).length > before);
      }
      // Beside the topic it is a record as any other.
      await flow.send('out', { topic: 'control/flush', payload: 'x' });
      assert.equal(flow.counts.unmatchedTopic, 1);
      await embedded.createBucket('unmatched').catch(() => undefined);
    });

    it('once the store has them: a flush is done no earlier', async () => {
      const flow = await open();
      embedded.server.faults.add({
        kind: 'delay',
        ms: 300,
        match: ({ operation }) => operation === 'PutObject',
      });
      try {
        const began = performance.now();
        await flow.send('out', { flush: true });
        assert.ok(performance.now() - began > 290);
        assert.deepEqual(await stored(), [2, 1]);
      } finally {
        embedded.server.faults.clear();
      }
    });
  });

  describe('complete their messages', () => {
    it('at once, when they are done when batched', async () => {
      const flow = await load({ completion: 'batched' });
      const message = flow.give('out', weld(plant, 'D', '20181001 171035'));
      assert.equal(flow.completionsOf(message).length, 1);
      assert.equal(flow.received('sink').length, 0);
    });

    it('after their object is stored, when they are done when stored', async () => {
      const flow = await load({ completion: 'stored' });
      const messages = Array.from({ length: 450 }, (_, n) =>
        flow.give('out', weld(plant, 'D', `20181001 17${String(10 + (n % 50)).padStart(2, '0')}00`)),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(flow.completions.length, 0);
      await flow.send('out', { flush: true });
      await flow.until('all to be done', () => messages.every((one) => flow.completionsOf(one).length === 1));
      assert.ok(messages.every((one) => flow.completionsOf(one)[0]?.error === undefined));
      assert.equal((await recordsIn(embedded.store, plant)).length, 450);
    });

    it('at once with their error, when they are refused', async () => {
      const flow = await load({ completion: 'stored' });
      const message = flow.give('out', { topic: 't' });
      assert.equal((flow.completionsOf(message)[0]?.error as { code?: string }).code, 'PAYLOAD_MISSING');
    });
  });

  it('send a message for each stored object', async () => {
    const flow = await load({ instance: 'press-line' });
    for (const time of ['20181001 171036', '20181001 171035', '20181001 171037'])
      await flow.send('out', weld(plant, 'D', time));
    await flow.send('out', { flush: true });
    const [message] = await flow.receives('sink', 1);
    const [object] = await objectsIn(embedded.store, plant);
    assert.ok(object);
    const head = await embedded.store.head(plant, object.key);
    const { _msgid, ...rest } = message ?? {};
    assert.equal(typeof _msgid, 'string');
    const payload: StoredPayload = {
      bucket: plant,
      key: object.key,
      etag: head.etag,
      bytes: object.bytes.length,
      payloadBytes: 3 * (weld(plant, 'D', '20181001 171036').payload.length + 1),
      count: 3,
      first: '2018-10-01T17:10:35.000Z',
      last: '2018-10-01T17:10:37.000Z',
      batch: object.attributes.batch ?? '',
      trigger: 'flush',
    };
    assert.deepEqual(rest, {
      topic: `${plant}/${object.key}`,
      bucket: plant,
      key: object.key,
      etag: head.etag,
      payload,
    });
    assert.ok(object.key.includes(payload.batch));
  });

  it('show in status and context, until they are stored', async () => {
    const flow = await load({});
    assert.deepEqual(flow.status('out'), { fill: 'grey', shape: 'ring', text: 's3-batch-out.status.empty' });
    assert.equal(flow.shown.batches.length, 0);
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.send('out', weld(plant, 'D', '20181001 171036'));
    await flow.until('the batch to be shown', () => flow.shown.batches.length === 1);
    const { batches, counts } = flow.shown;
    assert.equal(flow.status('out').text, 's3-batch-out.status.open');
    assert.equal(flow.status('out').shape, 'dot');
    const batch = batches[0];
    assert.ok(batch);
    assert.deepEqual(
      { ...batch, batch: '', ageSeconds: 0 },
      {
        batch: '',
        bucket: plant,
        destination: `${plant}/dt=2018-10-01`,
        count: 2,
        bytes: 2 * (weld(plant, 'D', '20181001 171036').payload.length + 1),
        first: '2018-10-01T17:10:35.000Z',
        last: '2018-10-01T17:10:36.000Z',
        ageSeconds: 0,
      },
    );
    assert.equal(counts.received, 2);
    assert.equal(counts.stored, 0);
    // What is in the context is a picture of the moment, not what the node works with.
    batches.splice(0);
    counts.received = 99;
    await flow.send('out', { flush: true });
    await flow.until('the batch to be gone', () => flow.shown.counts.stored === 2);
    assert.equal(flow.shown.batches.length, 0);
    assert.equal(flow.shown.counts.received, 2);
    assert.equal(flow.shown.counts.storedObjects, 1);
    assert.deepEqual(flow.status('out'), {
      fill: 'green',
      shape: 'ring',
      text: 's3-batch-out.status.stored',
    });
    const [message] = await flow.receives('sink', 1);
    assert.equal(storedIn(message).batch, batch.batch);
  });

  describe('with settings', () => {
    it('that a flow written by hand leaves out: the defaults are taken', async () => {
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(embedded.server.url, { pathStyle: undefined, connectTimeout: undefined }),
        { id: 'layout', type: 'archive-layout', buckets: [{ topic: '#', bucket: plant }] },
        onTab('out', 's3-batch-out', { connection: 'connection', layout: 'layout' }, 'sink'),
        sink(),
      ]);
      assert.equal(await flow.send('out', { topic: 't', payload: '{}' }), undefined);
      assert.equal(await flow.send('out', { flush: true }), undefined);
      const [object] = await objectsIn(embedded.store, plant);
      assert.match(object?.key ?? '', /^dt=.*\.ndjson\.gz$/);
    });

    it('of no uploads at a time: one is made all the same', async () => {
      const flow = await load({ uploads: '0' });
      await flow.send('out', weld(plant, 'D', '20181001 171035'));
      assert.equal(await flow.send('out', { flush: true }), undefined);
      assert.equal((await recordsIn(embedded.store, plant)).length, 1);
    });

    const wrong: [string, (nodes: FlowNode[]) => FlowNode[], string, RegExp][] = [
      [
        'an invalid bucket name in a template',
        (nodes) => replaced(nodes, weldingLayout({ buckets: [{ topic: '#', bucket: 'Not a bucket!' }] })),
        'LAYOUT_INVALID',
        /"Not a bucket!" makes no valid bucket name/,
      ],
      [
        'an unknown variable in a template',
        (nodes) => replaced(nodes, weldingLayout({ buckets: [{ topic: '#', bucket: '{{NO-SUCH}}' }] })),
        'LAYOUT_INVALID',
        /"NO-SUCH" in "\{\{NO-SUCH\}\}" is unknown/,
      ],
      [
        'a flush topic that is none',
        (nodes) => replaced(nodes, batchOut({ flushTopic: 'a/#/b' })),
        'LAYOUT_INVALID',
        /flush topic "a\/#\/b" is no MQTT topic filter/,
      ],
      [
        'no connection',
        (nodes) => replaced(nodes, batchOut({ connection: '' })),
        'CONNECTION_INVALID',
        /no S3 connection is chosen/,
      ],
      [
        'a connection that is gone',
        (nodes) => nodes.filter(({ id }) => id !== 'connection'),
        'CONNECTION_INVALID',
        /no S3 connection is chosen/,
      ],
      [
        'a connection that cannot work',
        (nodes) => replaced(nodes, connection('no url')),
        'CONNECTION_INVALID',
        /"no url" is not a URL/,
      ],
      [
        'a connection without keys',
        (nodes) => replaced(nodes, connection(embedded.server.url, { credentials: {} })),
        'CONNECTION_INVALID',
        /access key ID is empty/,
      ],
      [
        'a layout that is gone',
        (nodes) => nodes.filter(({ id }) => id !== 'layout'),
        'LAYOUT_INVALID',
        /layout is missing or disabled/,
      ],
      [
        'a layout that is disabled',
        (nodes) => replaced(nodes, weldingLayout({ d: true })),
        'LAYOUT_INVALID',
        /layout is missing or disabled/,
      ],
    ];
    for (const [what, change, code, text] of wrong) {
      it(`that cannot work, ${what}: a red status, and each message is refused with ${code}`, async () => {
        const flow = runner.current;
        const nodes = [tab(), connection(embedded.server.url), weldingLayout(), batchOut({}, 'sink'), sink()];
        await flow.load(change(nodes));
        const { fill, text: shown } = flow.status('out');
        assert.equal(fill, 'red');
        assert.ok(shown?.endsWith(`headline.${code}`), shown);
        assert.match(flow.logged('error').join('\n'), text);
        for (let n = 0; n < 2; n++) {
          const error = await flow.send('out', weld(plant, 'D', '20181001 171035'));
          assert.equal((error as { code?: string }).code, code);
        }
        assert.equal(((await flow.send('out', { flush: true })) as { code?: string }).code, code);
      });
    }
  });
});

/** The flow with another node in place of that of the same id. */
function replaced(nodes: FlowNode[], node: FlowNode): FlowNode[] {
  return nodes.map((old) => (old.id === node.id ? node : old));
}
