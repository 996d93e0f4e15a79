import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { acknowledgements } from '../../lib/delivery/acknowledgements';
import { announcementsOf } from '../../lib/delivery/announcement';
import type { BackupLedger } from '../../lib/delivery/backup-settings';
import { DIGEST_LENGTH, writeDigest } from '../../lib/delivery/digest';
import { HeldWindow } from '../../lib/delivery/held-window';
import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, catchAll, connection, onTab, sink, tab, weldingLayout } from '../support/flow';
import { FlowRunner, useFlows } from '../support/node-red-helper';
import type { FlowNode } from '../support/node-red-process';
import { recordsIn, storedIn, weld } from './archive';

const CONTROL = 'control/stored';

describe('batch-backup', () => {
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
    plant = `backup-${++plants}`;
    await embedded.createBucket(plant);
  });
  afterEach(async () => {
    embedded.server.faults.clear();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The backup `backup` with settings that suit a test. */
  function backupNode(settings: Record<string, unknown> = {}): FlowNode {
    const defaults = {
      connection: 'connection',
      layout: 'layout',
      controlTopic: CONTROL,
      timeout: '600',
      count: '10000',
      bytes: '32',
      age: '0.1',
      framing: 'newline',
      compression: 'gzip',
      memory: '256',
      journal: true,
      journalFolder: '',
      instance: '',
    };
    return {
      ...onTab('backup', 'batch-backup', { ...defaults, ...settings }),
      wires: [['sink'], ['ledger']],
    };
  }

  const flowWith = (settings: Record<string, unknown> = {}): FlowNode[] => [
    tab(),
    connection(embedded.server.url),
    weldingLayout(),
    backupNode(settings),
    catchAll('caught'),
    sink(),
    sink('ledger'),
    sink('caught'),
  ];

  async function load(settings: Record<string, unknown> = {}): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load(flowWith(settings), { userDir: folder });
    return flow;
  }

  const message = (second: number): { topic: string; payload: Buffer } =>
    weld(plant, 'D', `20181001 1710${String(second).padStart(2, '0')}`);

  function announcement(batch: string, ...seconds: number[]): { topic: string; payload: Buffer } {
    const digests = Buffer.alloc(DIGEST_LENGTH * seconds.length);
    seconds.forEach((second, at) => {
      const { topic, payload } = message(second);
      writeDigest(topic, payload, digests, at * DIGEST_LENGTH);
    });
    return { topic: CONTROL, payload: announcementsOf(batch, digests)[0]! };
  }

  /** What the node shows in its context; undefined while it is not there. */
  const ledgerOf = (flow: FlowRunner): BackupLedger | undefined =>
    flow.find('backup')?.context().get('ledger') as BackupLedger | undefined;

  const secondsStored = async (): Promise<number[]> =>
    (await recordsIn(embedded.store, plant))
      .map(({ time }) => new Date(time).getUTCSeconds())
      .sort((a, b) => a - b);

  /** The journal as the next process finds it: without the lock of this one. */
  async function journalForNext(): Promise<string> {
    const own = path.join('s3-batch', 'backup');
    const next = path.join(folder, 'next');
    await mkdir(path.join(next, own), { recursive: true });
    for (const name of await readdir(path.join(folder, own))) {
      if (name.endsWith('.journal')) await cp(path.join(folder, own, name), path.join(next, own, name));
    }
    return next;
  }

  it('stores what nobody announces, and tells it', async () => {
    const flow = await load({ timeout: '1' });
    for (let second = 0; second < 4; second++)
      assert.equal(await flow.send('backup', message(second)), undefined);
    assert.equal(await flow.send('backup', announcement('b1', 0, 2)), undefined);
    const [stored] = await flow.receives('sink', 1);
    assert.equal(stored?.topic, `${plant}/${storedIn(stored).key}`);
    assert.equal(storedIn(stored).count, 2);
    assert.deepEqual(await secondsStored(), [1, 3]);
    await flow.until(
      'the ledger',
      () => (flow.received('ledger').at(-1)?.payload as BackupLedger | undefined)?.uploaded === 2,
    );
    const told = flow.received('ledger').at(-1)!;
    assert.equal(told.topic, 'stats');
    const { received, announced, uploaded, held, refused } = told.payload as BackupLedger;
    assert.deepEqual(
      { received, announced, uploaded, held, refused },
      { received: 4, announced: 2, uploaded: 2, held: 0, refused: 0 },
    );
    await flow.until('the status', () => flow.status('backup').text === 'batch-backup.status.uploaded');
    assert.equal(flow.received('sink').length, 1);
  });

  it('knows the messages of an s3-batch-out, whatever their payloads are', async () => {
    const flow = runner.current;
    const out = { ...batchOut({ controlTopic: CONTROL, journal: false }), wires: [[], [], ['backup']] };
    await flow.load([...flowWith(), out], { userDir: folder });
    const text = '{ "weldspot": { "Timestamp": "20181001 171000", "Current": 8.10 } }\n';
    const topic = `ROOT/JSON/NONE/${plant}/D/WELD/1`;
    const kinds = [Buffer.from(text), text, JSON.parse(text) as object];
    for (const payload of kinds) {
      await flow.send('out', { topic, payload });
      for (const other of kinds) await flow.send('backup', { topic, payload: other });
    }
    await flow.until('all to be held', () => ledgerOf(flow)?.held === 9);
    const batches: Promise<unknown>[] = [];
    for (let copy = 0; copy < 1; copy++) batches.push(flow.send('out', { flush: true }));
    await Promise.all(batches);
    await flow.until('the announcement', () => ledgerOf(flow)?.announced === 3);
    assert.equal(ledgerOf(flow)?.held, 6);
    assert.equal(ledgerOf(flow)?.waiting, 0);
  });

  it('tells what it holds, and refuses with a code what it cannot take', async () => {
    const flow = await load();
    await flow.send('backup', message(1));
    await flow.until('the status', () => flow.status('backup').text === 'batch-backup.status.held');
    assert.equal(flow.status('backup').fill, 'green');
    const codeOf = async (given: object): Promise<unknown> =>
      ((await flow.send('backup', given)) as { code?: string }).code;
    assert.equal(await codeOf({ topic: CONTROL, payload: 'nonsense' }), 'ANNOUNCEMENT_INVALID');
    assert.equal(await codeOf({ topic: CONTROL, payload: { batch: 1 } }), 'ANNOUNCEMENT_INVALID');
    assert.equal(await codeOf({ topic: 'a/b' }), 'PAYLOAD_MISSING');
    assert.equal(await codeOf({ payload: 'x' }), 'TOPIC_MISSING');
    await flow.receives('caught', 4);
    await flow.until('the ledger', () => ledgerOf(flow)?.refused === 2);
    const { received, held, refusedAnnouncements } = ledgerOf(flow)!;
    assert.deepEqual(
      { received, held, refusedAnnouncements },
      { received: 3, held: 1, refusedAnnouncements: 2 },
    );
  });

  it('refuses everything while its settings are wrong, and says why', async () => {
    const flow = await load({ controlTopic: 'a/#/b' });
    assert.equal(flow.status('backup').fill, 'red');
    assert.match((await flow.send('backup', message(1)))?.message ?? '', /no MQTT topic filter/);
    await flow.deploy(flowWith({ connection: '' }));
    assert.match((await flow.send('backup', message(1)))?.message ?? '', /no S3 connection is chosen/);
  });

  it('refuses messages when its memory is full', async () => {
    const flow = await load({ memory: '1', journal: false });
    let error: Error | undefined;
    for (let n = 0; n < 100 && !error; n++) {
      error = await flow.send('backup', {
        topic: `ROOT/JSON/NONE/${plant}/D/WELD/1`,
        payload: Buffer.alloc(50_000, n),
      });
    }
    assert.equal((error as { code?: string } | undefined)?.code, 'MEMORY_FULL');
    assert.ok((ledgerOf(flow)?.memoryBytes ?? 0) < 2 ** 20);
  });

  for (const journal of [true, false]) {
    describe(`a redeploy ${journal ? 'with' : 'without'} a journal`, () => {
      it('hands over what is held, and what waits', async () => {
        const flow = await load({ journal });
        await flow.send('backup', message(1));
        await flow.send('backup', announcement('b1', 7));
        await flow.deploy(flowWith({ journal, name: 'renamed', memory: '128' }));
        await flow.send('backup', message(7));
        await flow.send('backup', announcement('b1', 1));
        await flow.send('backup', announcement('b2', 1));
        await flow.until('the ledger', () => ledgerOf(flow)?.announced === 2);
        const { received, held, waiting, repeated } = ledgerOf(flow)!;
        assert.deepEqual(
          { received, held, waiting, repeated },
          { received: 2, held: 0, waiting: 0, repeated: 1 },
        );
        assert.deepEqual(await secondsStored(), []);
      });

      it('that removes the node stores what it held', async () => {
        const flow = await load({ journal });
        await flow.send('backup', message(1));
        await flow.send('backup', message(2));
        await flow.send('backup', announcement('b1', 3));
        await flow.deploy(flowWith().filter(({ id }) => id !== 'backup'));
        await flow.until('the log to tell', () =>
          flow.logged('info').some((line) => line.includes(`stored ${plant}/`)),
        );
        assert.deepEqual(await secondsStored(), [1, 2]);
        await flow.until(
          'the journal to be gone',
          () => !existsSync(path.join(folder, 's3-batch', 'backup')),
        );
      });
    });
  }

  it('keeps in its journal over a stop what it holds, and what it knows', async () => {
    let flow = await load();
    for (const second of [1, 2, 3]) flow.give('backup', message(second));
    flow.give('backup', announcement('b1', 2, 7));
    await flow.unload();
    assert.deepEqual(await secondsStored(), []);
    const userDir = await journalForNext();
    runner.current = flow = new FlowRunner();
    await flow.load(flowWith(), { userDir });
    await flow.send('backup', announcement('b1', 2, 7));
    await flow.send('backup', message(7));
    await flow.until('the ledger', () => ledgerOf(flow)?.received === 3);
    const { received, recovered, held, waiting, announced, repeated } = ledgerOf(flow)!;
    assert.deepEqual(
      { received, recovered, held, waiting, announced, repeated },
      { received: 3, recovered: 2, held: 2, waiting: 0, announced: 1, repeated: 1 },
    );
    assert.match(flow.logged('info').join('\n'), /holds 2 messages again/);
  });

  it('stores everything when it stops and has no journal', async () => {
    const flow = await load({ journal: false });
    for (const second of [1, 2]) await flow.send('backup', message(second));
    await flow.unload();
    assert.deepEqual(await secondsStored(), [1, 2]);
  });

  it('says so when it stops and can neither store nor keep what it holds', async () => {
    const flow = await load({ journal: false });
    embedded.server.faults.add({ kind: 'status', status: 503, code: 'SlowDown' });
    await flow.send('backup', message(1));
    await flow.unload();
    assert.match(
      flow.logged('error').join('\n'),
      /1 held messages could not be stored .* this backup loses them/,
    );
  });

  it('shows a journal that cannot be used, and holds messages all the same', async () => {
    const file = path.join(folder, 'a-file');
    await writeFile(file, '');
    const flow = await load({ journalFolder: file });
    assert.equal(await flow.send('backup', message(1)), undefined);
    await flow.until('the status', () => flow.status('backup').text?.includes('memoryOnly') === true);
    assert.equal(flow.status('backup').fill, 'red');
    await flow.send('backup', announcement('b1', 1));
    await flow.until('the ledger', () => ledgerOf(flow)?.announced === 1);
  });

  it('shows why the store does not take what is overdue, and stores it when it does', async () => {
    embedded.server.faults.add({ kind: 'status', status: 403, code: 'AccessDenied' });
    const flow = await load({ timeout: '1' });
    await flow.send('backup', message(1));
    await flow.until('the status', () => flow.status('backup').text === 'batch-backup.status.waiting');
    assert.match(flow.logged('warn').join('\n'), /it is held and tried again in \d+ s/);
    embedded.server.faults.clear();
    await flow.receives('sink', 1);
    assert.deepEqual(await secondsStored(), [1]);
  });

  it('releases held acknowledgements when the journal has their messages, and never those of refused ones', async () => {
    const written: number[] = [];
    const window = new HeldWindow({
      acknowledgements,
      when: 'stored',
      write: (packets) => {
        for (let at = 0; at < packets.length; at += 4) written.push(packets.readUInt16BE(at + 2));
      },
    });
    const flow = await load();
    const messageIds: string[] = [];
    const give = (id: number, given: object): Promise<Error | undefined> => {
      const _msgid = window.arrive({ packetId: id, qos: 1, topic: 'topic', length: 0, checksum: 0 }, 0);
      messageIds.push(_msgid);
      window.hold(id, 0x40);
      return flow.send('backup', { ...given, _msgid });
    };
    await give(1, message(1));
    await give(2, announcement('b1', 1));
    await give(3, { topic: CONTROL, payload: 'nonsense' });
    await flow.until('the acknowledgements', () => {
      window.flush();
      return written.length >= 2;
    });
    assert.deepEqual(written, [1, 2]);
    assert.equal(acknowledgements.size, 1);
    acknowledgements.dismiss(messageIds[2]);
    window.flush();
    assert.equal(acknowledgements.size, 0);
  });
});
