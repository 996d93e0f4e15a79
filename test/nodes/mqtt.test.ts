import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import type { Aedes } from 'aedes' with { 'resolution-mode': 'import' };
import { connectAsync } from 'mqtt';

import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, connection, onTab, sink, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import { recordsIn, storedIn, weld } from './archive';

describe('s3-batch-out behind mqtt in', () => {
  const runner = useFlows();
  let embedded: TestStore;
  let broker: Aedes;
  let port = 0;
  let server: ReturnType<typeof createServer>;
  before(async () => {
    embedded = await startTestStore();
    const aedes = await import('aedes');
    broker = await aedes.Aedes.createBroker();
    server = createServer(broker.handle);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(async () => {
    await new Promise<void>((resolve) => {
      broker.close(resolve);
    });
    server.close();
    await embedded.stop();
  });

  it('stores what was published, to the byte, and takes flush messages from the broker', async () => {
    await embedded.createBucket('mqtt');
    const flow = runner.current;
    const mqtt = {
      id: 'broker',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: String(port),
      protocolVersion: '4',
    };
    const subscribed = once(broker, 'subscribe');
    const input = { topic: '#', qos: '1', datatype: 'buffer', broker: 'broker', rap: true, rh: 0, inputs: 0 };
    await flow.load([
      tab(),
      connection(embedded.server.url),
      weldingLayout({ unmatchedBucket: 'mqtt' }),
      { ...mqtt, clientid: '', autoConnect: true, cleansession: true, keepalive: '60', usetls: false },
      onTab('in', 'mqtt in', input, 'out'),
      batchOut({ flushTopic: 'control/flush' }, 'sink'),
      sink(),
    ]);
    await subscribed;
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
    const records = [
      weld('mqtt', 'D', '20181001 171035'),
      weld('mqtt', 'D', '20181001 171036'),
      { topic: 'other', payload: Buffer.from([0, 1, 0xff, 0xfe, 10, 13]) },
      { topic: 'empty', payload: Buffer.alloc(0) },
    ];
    for (const { topic, payload } of records) await client.publishAsync(topic, payload, { qos: 1 });
    await flow.until('all to be taken', () => flow.counts.received === records.length);
    await client.publishAsync('control/flush', 'mqtt/dt=2018-10-01', { qos: 1 });
    const [first] = await flow.receives('sink', 1);
    assert.equal(storedIn(first).count, 2);
    await client.publishAsync('control/flush', '', { qos: 1 });
    await flow.receives('sink', 2);
    const stored = await recordsIn(embedded.store, 'mqtt');
    assert.equal(stored.length, records.length);
    for (const { topic, payload } of records)
      assert.ok(
        stored.some((record) => record.topic === topic && record.payload.equals(payload)),
        topic,
      );
    await client.endAsync();
  });
});
