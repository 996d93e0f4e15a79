import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { connectAsync, type MqttClient } from 'mqtt';

import type { BackupLedger } from '../../lib/delivery/backup-settings';
import { connection, onTab, tab, weldingLayout } from '../support/flow';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { TestBuckets } from './buckets';
import { mqttUrl, RUN, s3Access } from './environment';
import { type NumberedMessage, numberedMessages, ODD_KINDS } from './numbered-messages';
import { assertEachOnce, scanBuckets } from './scan';

const REPOSITORY = path.resolve(__dirname, '../../..');
const PLANT = `BACKUP-${RUN}`;
const BUCKET = PLANT.toLowerCase();
const UNMATCHED = `unmatched-backup-${RUN}`;
const CONTROL = `control/${RUN}`;
const FLUSH = `flush/${RUN}`;
/** First level of the messages' topics, which other tests use, too. */
const TOPICS = [`ROOT/+/+/${PLANT}/#`, `ROOT/REPORTS/${PLANT}/#`];
const PATIENCE = 90_000; // ms, for whatever is waited for
const MESSAGES = 1500;
const LONG = 600; // s, longer than this test

describe('A converter and its backup on Mosquitto and Ceph RGW', () => {
  const s3 = s3Access();
  const buckets = new TestBuckets(s3);
  const first = numberedMessages({
    plant: PLANT,
    count: MESSAGES,
    kinds: ['plain', ...ODD_KINDS],
    unmatchedBucket: UNMATCHED,
  });
  const second = numberedMessages({ plant: PLANT, count: MESSAGES, from: MESSAGES });
  const folders: string[] = [];
  let converter: NodeRedProcess;
  let backup: NodeRedProcess;
  let client: MqttClient;
  /** What converter and backup had received before the messages of the test. */
  let probed = [0, 0];

  before(async () => {
    for (const bucket of [BUCKET, UNMATCHED]) await buckets.create(bucket);
    client = await connectAsync(mqttUrl());
    [converter, backup] = await Promise.all([started('converter'), started('backup')]);
    await Promise.all([converter.deploy(converterFlow()), backup.deploy(backupFlow(LONG))]);
    await probe();
  });

  after(async () => {
    await Promise.all([converter.kill(), backup.kill()]);
    await client.endAsync();
    for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    await buckets.removeAll();
  });

  async function started(name: string): Promise<NodeRedProcess> {
    const userDir = await mkdtemp(path.join(tmpdir(), `s3-batch-${name}-`));
    folders.push(userDir);
    return startNodeRed({ userDir, packageFolder: REPOSITORY, settings: { mqttReconnectTime: 500 } });
  }

  const broker = (id: string, client: string): FlowNode => {
    const { hostname, port } = new URL(mqttUrl());
    return {
      id,
      type: 'mqtt-broker',
      broker: hostname,
      port,
      clientid: client,
      autoConnect: true,
      protocolVersion: '4',
      keepalive: '60',
      cleansession: client === '',
    };
  };

  const archive = (): FlowNode[] => [
    tab(),
    connection(s3.endpoint, {
      region: s3.region,
      requestTimeout: '30',
      credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
    }),
    weldingLayout({ unmatchedBucket: UNMATCHED }),
  ];

  const mqttIn = (id: string, topic: string, datatype: string, to: string): FlowNode =>
    onTab(id, 'mqtt in', { topic, qos: '1', datatype, broker: 'broker', inputs: 0 }, to);

  function converterFlow(): FlowNode[] {
    const settings = {
      connection: 'connection',
      layout: 'layout',
      ...{ count: 10_000, bytes: 32, age: 600, idle: 0, framing: 'newline', compression: 'gzip' },
      ...{ flushTopic: FLUSH, completion: 'batched', uploads: 4, memory: 256, instance: '', blockSize: 128 },
      ...{ journal: false, controlTopic: CONTROL },
    };
    return [
      ...archive(),
      broker('broker', `converter-${RUN}`),
      ...TOPICS.map((topic, n) => mqttIn(`in-${n}`, topic, 'buffer', 'out')),
      mqttIn('flush', FLUSH, 'buffer', 'out'),
      { ...onTab('out', 's3-batch-out', settings), wires: [[], [], ['control']] },
      onTab('control', 'mqtt out', { topic: CONTROL, qos: '1', broker: 'broker' }),
    ];
  }

  /** The messages come with held acknowledgements, parsed where they can be; the announcements as Buffers. */
  function backupFlow(timeout: number): FlowNode[] {
    const settings = {
      ...{ connection: 'connection', layout: 'layout', controlTopic: CONTROL, timeout },
      ...{ count: 10_000, bytes: 32, age: 1, framing: 'newline', compression: 'gzip' },
      ...{ memory: 256, journal: true, journalFolder: '', instance: '' },
    };
    const ackIn = (id: string, topic: string, datatype: string): FlowNode =>
      onTab(
        id,
        'mqtt-ack-in',
        {
          ...{ broker: 'broker', topic, qos: '1', clientId: `${id}-${RUN}`, datatype },
          ...{ acknowledge: 'journaled', window: 20, sessionExpiry: 3600, timeLimit: 600 },
        },
        'backup',
      );
    return [
      ...archive(),
      broker('broker', ''),
      ...TOPICS.map((topic, n) => ackIn(`backup-in-${n}`, topic, 'auto')),
      ackIn('backup-control', CONTROL, 'buffer'),
      { ...onTab('backup', 'batch-backup', settings), wires: [[], []] },
    ];
  }

  /** What a node shows in its context. */
  async function shown<T>(nodeRed: NodeRedProcess, node: string, key: string): Promise<T | undefined> {
    const response = await fetch(`${nodeRed.url}/context/node/${node}/${key}`);
    const { msg } = (await response.json()) as { msg?: string };
    return msg === undefined || msg === '(undefined)' ? undefined : (JSON.parse(msg) as T);
  }

  const ledger = async (): Promise<Partial<BackupLedger>> =>
    (await shown<BackupLedger>(backup, 'backup', 'ledger')) ?? {};
  const received = async (): Promise<number> =>
    (await shown<{ received: number }>(converter, 'out', 'counts'))?.received ?? 0;

  async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (!(await condition())) {
      const now = JSON.stringify(await ledger().catch(() => 'unknown'));
      assert.ok(performance.now() < end, `waited in vain for ${what}; the backup's ledger: ${now}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  async function publish(messages: readonly NumberedMessage[]): Promise<void> {
    for (let at = 0; at < messages.length; at += 100) {
      const some = messages.slice(at, at + 100);
      await Promise.all(some.map(({ topic, payload }) => client.publishAsync(topic, payload, { qos: 1 })));
    }
  }

  /** All subscriptions are made when both get a message of each; these are no records of the test. */
  async function probe(): Promise<void> {
    const probes = [`ROOT/JSON/NONE/${PLANT}/PROBE/WELD/1`, `ROOT/REPORTS/${PLANT}/PROBE`];
    const counts = async (): Promise<number[]> => [await received(), (await ledger()).received ?? 0];
    await until('both to subscribe', async () => {
      const before = await counts();
      for (const topic of probes) await client.publishAsync(topic, '{"number":-1}', { qos: 1 });
      // Contexts follow within a second.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      probed = await counts();
      return probed.every((count, n) => count === (before[n] ?? 0) + probes.length);
    });
  }

  const stored = async (): Promise<number[]> =>
    (await scanBuckets(s3, [BUCKET, UNMATCHED])).numbers.filter((number) => number >= 0);

  it('stores every message once while both run, whatever its payload and the type that it comes as', async () => {
    await publish(first);
    await until('the converter to have all', async () => (await received()) === probed[0]! + MESSAGES);
    await until('the backup to have all', async () => (await ledger()).received === probed[1]! + MESSAGES);
    assert.ok(((await ledger()).held ?? 0) > 0);
    await until('the backup to hold nothing', async () => {
      await client.publishAsync(FLUSH, '', { qos: 1 });
      return (await ledger()).held === 0;
    });
    const { uploaded, received: all, announced, refused, waiting } = await ledger();
    assert.deepEqual(
      { uploaded, announced, refused, waiting },
      { uploaded: 0, announced: all, refused: 0, waiting: 0 },
    );
    assertEachOnce(await stored(), first);
  });

  it('stores what the converter had when it was killed, even if the backup is killed as well', async () => {
    const published = publish(second);
    await until('some messages', async () => (await received()) >= MESSAGES + MESSAGES / 3);
    await converter.kill();
    await published;
    await until('some messages', async () => ((await ledger()).held ?? 0) >= MESSAGES / 2);
    const { userDir } = backup;
    await backup.kill();
    backup = await startNodeRed({ userDir, packageFolder: REPOSITORY });
    await backup.waitForLog(/holds \d+ messages again/, { timeout: PATIENCE });
    await until('the rest to come', async () => ((await ledger()).held ?? 0) >= MESSAGES);
    assert.equal((await ledger()).uploaded, 0);
    await backup.deploy(backupFlow(1), { type: 'nodes' });
    await until('the backup to store them', async () => {
      const { held, uploading } = await ledger();
      return held === 0 && uploading === 0;
    });
    const found = await stored();
    assertEachOnce(
      found.filter((number) => number < MESSAGES),
      first,
    );
    const numbers = new Set(found);
    assert.deepEqual(
      second.filter(({ number }) => !numbers.has(number)).map(({ number }) => number),
      [],
      'messages that are lost',
    );
  });
});
