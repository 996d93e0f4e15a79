import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

import type { NodeMessage } from 'node-red';

import { acknowledgements } from '../../lib/delivery/acknowledgements';
import { HeldWindow } from '../../lib/delivery/held-window';
import { parseAnnouncement } from '../../lib/delivery/announcement';
import { DIGEST_LENGTH } from '../../lib/delivery/digest';
import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, catchAll, connection, onTab, sink, tab, weldingLayout } from '../support/flow';
import { FlowRunner, useFlows } from '../support/node-red-helper';
import type { FlowNode } from '../support/node-red-process';
import { recordsIn, storedIn, weld } from './archive';

describe('s3-batch-out: journal', () => {
  const runner = useFlows();
  let embedded: TestStore;
  let folder: string;
  let plants = 0;
  let plant = '';
  before(async () => {
    embedded = await startTestStore();
  });
  after(() => embedded.stop());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-user-'));
    plant = `journal-${++plants}`;
    await embedded.createBucket(plant);
  });
  afterEach(async () => {
    embedded.server.faults.clear();
    await rm(folder, { recursive: true, force: true });
  });

  const flowWith = (out: Record<string, unknown>) => [
    tab(),
    connection(embedded.server.url),
    weldingLayout(),
    {
      ...batchOut({ journal: true, commitMs: '0', ...out }),
      wires: [['sink'], ['ledger'], ['announcements']],
    },
    catchAll('caught'),
    sink(),
    sink('ledger'),
    sink('announcements'),
    sink('caught'),
  ];

  async function load(out: Record<string, unknown> = {}): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load(flowWith(out), { userDir: folder });
    return flow;
  }

  const payloadOf = (message: NodeMessage | undefined): Record<string, number> =>
    (message?.payload ?? {}) as Record<string, number>;

  it('keeps records in a folder of its own that nobody else can read', async () => {
    const flow = await load({ completion: 'journaled' });
    assert.equal(await flow.send('out', weld(plant, 'D', '20181001 171035')), undefined);
    const journal = path.join(folder, 's3-batch', 'out');
    const names = (await readdir(journal)).filter((name) => name.endsWith('.journal'));
    assert.ok(names.length > 0);
    for (const name of names) assert.equal((await stat(path.join(journal, name))).mode & 0o777, 0o600);
    assert.equal((await stat(journal)).mode & 0o777, 0o700);
    assert.equal(flow.counts.journaled, 1);
    assert.equal((await recordsIn(embedded.store, plant)).length, 0);
  });

  it('goes on after a stop during which the store was away', async () => {
    embedded.server.faults.add({ kind: 'status', status: 503, code: 'SlowDown' });
    let flow = await load();
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.unload();
    assert.match(flow.logged('warn').join('\n'), /the journal keeps them for the next start/);
    embedded.server.faults.clear();

    // This process still has the journal; the next one finds its files without the lock.
    const own = path.join('s3-batch', 'out');
    const next = path.join(folder, 'next');
    await mkdir(path.join(next, own), { recursive: true });
    for (const name of await readdir(path.join(folder, own)))
      if (name.endsWith('.journal')) await cp(path.join(folder, own, name), path.join(next, own, name));
    runner.current = flow = new FlowRunner();
    await flow.load(flowWith({}), { userDir: next });
    const [message] = await flow.receives('sink', 1);
    assert.equal(storedIn(message).count, 1);
    assert.equal((await recordsIn(embedded.store, plant)).length, 1);
    assert.match(flow.logged('info').join('\n'), /recovered 1 records in 1 batches/);
    assert.deepEqual([flow.counts.received, flow.counts.recovered, flow.counts.stored], [1, 1, 1]);
  });

  it('says so while the disk cannot be used, and takes messages all the same', async () => {
    const file = path.join(folder, 'a-file');
    await writeFile(file, '');
    const flow = await load({ journalFolder: file });
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.until('status', () => flow.status('out').text?.includes('memoryOnly') === true);
    assert.equal(flow.status('out').fill, 'red');
    assert.match(
      flow.logged('error').join('\n'),
      /Messages are in memory only; the journal is tried again in \d+ s/,
    );
    await flow.send('out', { flush: true });
    assert.equal((await recordsIn(embedded.store, plant)).length, 1);
  });

  it('acknowledges a held message that only tells it to store', async () => {
    const flow = await load();
    const written: Buffer[] = [];
    const window = new HeldWindow({
      ...{ acknowledgements, when: 'journaled' },
      write: (packets) => written.push(packets),
    });
    const _msgid = window.arrive({ packetId: 7, qos: 1, topic: 'flush', length: 0, checksum: 0 }, 0);
    window.hold(7, 0x40);
    assert.equal(await flow.send('out', { flush: true, _msgid }), undefined);
    window.flush();
    assert.deepEqual(
      written.map((packet) => packet.readUInt16BE(2)),
      [7],
    );
  });

  it('has a held message sent again that it cannot take, though another one keeps its copy', async () => {
    const flow = runner.current;
    const written: Buffer[] = [];
    const window = new HeldWindow({
      ...{ acknowledgements, when: 'stored' },
      write: (packets) => written.push(packets),
    });
    const backup = { connection: 'gone', controlTopic: 'c', journal: false };
    const others = [
      { ...batchOut({ connection: 'gone' }), id: 'broken' },
      { ...batchOut({ journal: false }), id: 'second' },
      onTab('backup', 'batch-backup', backup),
    ];
    await flow.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut(), ...others]);
    for (const [packetId, { id }] of others.entries()) {
      const _msgid = window.arrive({ packetId, qos: 1, topic: 't', length: 1, checksum: 1 }, 0);
      window.hold(packetId, 0x40);
      const message = { ...weld(plant, 'D', '20181001 171000'), _msgid };
      assert.equal(await flow.send('out', message), undefined);
      assert.ok(await flow.send(id, { ...message, ...(id === 'second' && { flush: 1 }) }), id);
      await flow.send('out', { flush: true });
      window.flush();
      assert.deepEqual(written, [], id);
      acknowledgements.dismiss(_msgid);
      window.flush();
      written.splice(0);
    }
  });

  it('tells what is stored while a deploy has stopped the nodes behind it once they are there again', async () => {
    const flow = runner.current;
    const nodes = (name: string): FlowNode[] => [
      ...[tab(), connection(embedded.server.url), weldingLayout()],
      { ...batchOut({ controlTopic: 'control' }), wires: [['sink'], [], ['announcements']] },
      { ...sink(), name },
      { ...sink('announcements'), name },
    ];
    await flow.load(nodes('one'));
    await flow.send('out', weld(plant, 'D', '20181001 171000'));
    // As that of an mqtt-broker that says good-bye, its close takes a while.
    flow.node('announcements').on('close', (done: () => void) => void setTimeout(500).then(done));
    const deployed = flow.deploy(nodes('two'), 'nodes');
    while (flow.find('announcements')) await setTimeout(1);
    flow.give('out', { flush: true });
    await flow.until('it to be stored', () => flow.counts.stored === 1);
    assert.equal(flow.received('sink').length, 0);
    await deployed;
    await flow.receives('sink', 1);
    await flow.receives('announcements', 1);
  });

  it('sends the ledger on the second output, and it adds up', async () => {
    const flow = await load({ completion: 'stored', count: '2' });
    flow.give('out', weld(plant, 'D', '20181001 171035'));
    await flow.send('out', weld(plant, 'D', '20181001 171036'));
    await flow.send('out', { topic: 'no/payload' });
    flow.give('out', weld(plant, 'D', '20181001 171037'));
    await flow.until('the ledger', () => payloadOf(flow.received('ledger').at(-1)).received === 4);
    const message = flow.received('ledger').at(-1);
    assert.equal(message?.topic, 'stats');
    const { received, stored, open, refused, acknowledged, sealed, journaled } = payloadOf(message);
    assert.deepEqual(
      { received, stored, open, refused, acknowledged, sealed },
      { received: 4, stored: 2, open: 1, refused: 1, acknowledged: 2, sealed: 2 },
    );
    assert.ok(journaled !== undefined && journaled >= 2);
  });

  it('announces on the third output what each stored object held', async () => {
    const flow = await load({ controlTopic: 'control/stored' });
    for (let second = 10; second < 15; second++)
      await flow.send('out', weld(plant, 'D', `20181001 1710${second}`));
    await flow.send('out', { flush: true });
    const [message] = await flow.receives('announcements', 1);
    assert.equal(message?.topic, 'control/stored');
    const { batch, digests } = parseAnnouncement(message.payload as Buffer);
    assert.equal(digests.length, 5 * DIGEST_LENGTH);
    assert.equal(batch, storedIn(flow.received('sink')[0]).batch);
  });

  it('leaves no files of a node that is deleted, once its batches are stored', async () => {
    const flow = await load();
    await flow.send('out', weld(plant, 'D', '20181001 171035'));
    await flow.deploy(flowWith({}).filter(({ id }) => id !== 'out'));
    while ((await recordsIn(embedded.store, plant)).length === 0) await setTimeout(10);
    await flow.until('the folder to go', () => !existsSync(path.join(folder, 's3-batch', 'out')));
    assert.equal((await recordsIn(embedded.store, plant)).length, 1);
  });

  it('tells of a journal that no node has', async () => {
    const flow = await load();
    await flow.unload();
    runner.current = new FlowRunner();
    await mkdir(path.join(folder, 's3-batch', 'deleted-node'), { recursive: true });
    await runner.current.load(flowWith({}), { userDir: folder });
    await runner.current.until('the warning', () =>
      runner.current
        .logged('warn')
        .some((text) => text.includes('deleted-node belongs to no node that runs')),
    );
  });
});
