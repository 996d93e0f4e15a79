import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';

import { BatchWriter, type Recovery, type StoredObject } from '../../../lib/batch';
import type { BatchWriterSettings } from '../../../lib/batch';
import { systemClock } from '../../../lib/clock';
import type { S3BatchError } from '../../../lib/errors';
import { nodeFileSystem } from '../../../lib/journal';
import { Layout } from '../../../lib/layout';
import { recordsIn } from '../../nodes/archive';
import { MemoryStore } from '../../support/memory-store';
import { LAYOUT, linesOf, MIB, thrownBy, until } from './support';

type Given = Partial<Omit<BatchWriterSettings, 'limits'>> & {
  limits?: Partial<BatchWriterSettings['limits']>;
};

/** A writer with a journal and what it has told. */
class JournaledWriter {
  readonly stored: StoredObject[] = [];
  readonly journalFailures: S3BatchError[] = [];
  readonly refused: S3BatchError[] = [];
  recovery: Recovery | undefined;
  readonly settings: BatchWriterSettings;
  readonly writer: BatchWriter;

  constructor(
    readonly folder: string,
    readonly store: MemoryStore,
    given: Given = {},
  ) {
    this.settings = this.settingsWith(given);
    this.writer = new BatchWriter(this.settings, {
      stored: (object) => this.stored.push(object),
      failed: () => undefined,
      journalFailed: (error) => this.journalFailures.push(error),
      recovered: (recovery) => (this.recovery = recovery),
      refused: (error) => this.refused.push(error),
    });
  }

  settingsWith({ limits, ...rest }: Given): BatchWriterSettings {
    return {
      layout: new Layout(LAYOUT),
      store: this.store,
      limits: { count: 0, bytes: 0, age: 0, idle: 0, ...limits },
      framing: 'newline',
      compression: 'gzip',
      blockSize: 128 * 1024,
      uploads: 4,
      memory: 64 * MIB,
      instance: 'test',
      journal: { folder: this.folder, commit: { ms: 0, records: 1 } },
      ...rest,
    };
  }

  append(topic: string, payload: string): void {
    this.writer.append(topic, Buffer.from(payload), systemClock.now());
  }

  get open(): { batch: string; count: number }[] {
    return this.writer.openBatches.map(({ batch, count }) => ({ batch, count }));
  }

  /** What a crash leaves at this moment, in a folder of its own. */
  async crash(): Promise<string> {
    await this.writer.opened;
    await this.writer.commit();
    const left = await mkdtemp(path.join(tmpdir(), 's3-batch-crash-'));
    folders.push(left);
    try {
      for (const name of await readdir(this.folder)) {
        if (name.endsWith('.journal')) await cp(path.join(this.folder, name), path.join(left, name));
      }
    } catch {
      // A segment was deleted in between: no crash leaves half of that.
      return this.crash();
    }
    return left;
  }
}

const folders: string[] = [];
const writers: JournaledWriter[] = [];

describe('batches in a journal', () => {
  let folder: string;
  beforeEach(async () => {
    folder = path.join(await mkdtemp(path.join(tmpdir(), 's3-batch-journal-')), 'node');
    folders.push(path.dirname(folder));
  });
  afterEach(async () => {
    for (const { writer } of writers.splice(0)) await writer.close(0);
    for (const name of folders.splice(0)) await rm(name, { recursive: true, force: true });
  });

  function start(where = folder, store = new MemoryStore(), given: Given = {}): JournaledWriter {
    const started = new JournaledWriter(where, store, given);
    writers.push(started);
    return started;
  }

  const lines = (store: MemoryStore): string[] =>
    store.names.flatMap((name) => {
      const [bucket = '', ...key] = name.split('/');
      return linesOf(store.body(bucket, key.join('/')));
    });

  it('go on where they were after a crash: same batch, same place, nothing twice', async () => {
    const before = start();
    for (let n = 0; n < 5; n++) before.append('plant/a', `{"n":${n}}`);
    before.append('other/b', 'not json \n at all');
    const left = await before.crash();

    const store = new MemoryStore();
    const after = start(left, store, { limits: { count: 7 } });
    for (let n = 5; n < 7; n++) after.append('plant/a', `{"n":${n}}`);
    await until('the object', () => after.stored.length === 1);
    assert.deepEqual(after.recovery, { records: 6, batches: 2, damage: [], unreadable: [] });
    assert.equal(after.stored[0]?.batch, before.open[0]?.batch);
    assert.equal(after.stored[0]?.trigger, 'count');
    assert.deepEqual(
      lines(store),
      [0, 1, 2, 3, 4, 5, 6].map((n) => `{"n":${n}}`),
    );
    assert.deepEqual(after.open, [{ batch: before.open[1]?.batch, count: 1 }]);
    await after.writer.flush();
    assert.deepEqual(lines(store).at(-1), '"not json \\n at all"');
    const { received, recovered, stored, refused } = after.writer.counts;
    assert.deepEqual(
      { received, recovered, stored, refused },
      { received: 8, recovered: 6, stored: 8, refused: 0 },
    );
  });

  it('that were sealed get the same name and the same bytes again', async () => {
    const away = new MemoryStore();
    away.fault = () => 'STORE_UNREACHABLE';
    const before = start(folder, away);
    for (let n = 0; n < 500; n++)
      before.append(`plant/${n % 7}`, `{"t":${1_000_000 + ((n * 7919) % 500)},"n":${n}}`);
    await before.writer.opened;
    before.writer.sealAll('flush');
    const left = await before.crash();

    const store = new MemoryStore();
    const after = start(left, store);
    await until('the object', () => after.stored.length === 1);
    away.fault = () => undefined;
    await before.writer.flush();
    assert.deepEqual(store.names, away.names);
    const { bucket, key } = before.stored[0]!;
    assert.deepEqual(store.body(bucket, key), away.body(bucket, key));
    assert.deepEqual({ ...after.stored[0] }, { ...before.stored[0] });
  });

  it('that the disk damaged are stored under another name: the whole object may be there already', async () => {
    const away = new MemoryStore();
    away.fault = () => 'STORE_UNREACHABLE';
    const before = start(folder, away);
    for (let n = 0; n < 20; n++) before.append('plant/a', `{"t":${1_000_000 + n},"n":"number ${n}"}`);
    await before.writer.opened;
    before.writer.sealAll('flush');
    const left = await before.crash();
    for (const name of await readdir(left)) {
      const bytes = await readFile(path.join(left, name));
      const at = bytes.indexOf('number 7');
      if (at === -1) continue;
      bytes[at] = 0x4e;
      await writeFile(path.join(left, name), bytes);
    }
    away.fault = () => undefined;
    await before.writer.flush();
    const [whole] = before.stored;
    const after = start(left, away);
    await until('the object', () => after.stored.length === 1);
    assert.equal(after.recovery?.damage.length, 1);
    assert.notEqual(after.stored[0]?.key, whole?.key);
    assert.equal(after.stored[0]?.count, 19);
    assert.equal(linesOf(away.body('plant', whole?.key ?? '')).length, 20);
  });

  it('that were stored are forgotten', async () => {
    const before = start();
    for (let n = 0; n < 5; n++) before.append('plant/a', `{"n":${n}}`);
    await before.writer.flush();
    const left = await before.crash();
    const after = start(left);
    await until('recovery', () => after.recovery !== undefined);
    assert.equal(after.recovery?.records, 0);
    assert.equal(after.writer.openRecords, 0);
  });

  it('whose object would be another one now are stored as they were meant', async () => {
    const before = start();
    before.append('plant/a', '{"n":1}');
    const left = await before.crash();
    const store = new MemoryStore();
    const after = start(left, store, {
      layout: new Layout({ ...LAYOUT, buckets: [{ topic: '#', bucket: 'elsewhere' }] }),
    });
    await until('the object', () => after.stored.length === 1);
    assert.equal(after.stored[0]?.bucket, 'plant');
    assert.equal(after.stored[0].trigger, 'recovered');
  });

  it('tell who waits when records are on disk, and when they are stored', async () => {
    const store = new MemoryStore();
    const test = start(folder, store);
    const told: string[] = [];
    const append = (name: string, safeAt: 'journaled' | 'stored') =>
      test.writer.append(
        'plant/a',
        Buffer.from('1'),
        1,
        (error) => told.push(error?.message ?? name),
        safeAt,
      );
    append('on disk', 'journaled');
    append('stored', 'stored');
    await until('the first', () => told.length === 1);
    assert.deepEqual(told, ['on disk']);
    assert.equal(store.calls.length, 0);
    await test.writer.flush();
    await until('the second', () => told.length === 2);
    assert.deepEqual(told, ['on disk', 'stored']);
    assert.equal(test.writer.counts.acknowledged, 2);
    assert.equal(test.writer.counts.journaled, 2);
  });

  it('leave memory while the store is away, and are stored oldest first when it is back', async () => {
    const store = new MemoryStore();
    store.fault = () => 'STORE_UNREACHABLE';
    const test = start(folder, store, { memory: MIB, limits: { count: 100 } });
    await test.writer.opened;
    const wanted: string[] = [];
    for (let n = 0; n < 4000; n++) {
      const line = JSON.stringify({ n, noise: String(Math.sin(n)).repeat(60).slice(0, 1000) });
      wanted.push(line);
      test.append('plant/a', line);
      assert.ok(test.writer.heldBytes < 1.3 * MIB, `${test.writer.heldBytes} bytes after ${n}`);
      // A disk takes some megabytes a second at least; a loop without a turn would not let it.
      if (n % 50 === 0) await test.writer.commit();
    }
    assert.equal(test.writer.counts.refused, 0);
    assert.equal(test.writer.uploads.pending, 40);
    store.fault = () => undefined;
    await test.writer.flush();
    assert.deepEqual(lines(store).sort(), wanted.sort());
    const order = test.stored.map(({ batch }) => batch);
    // Four at a time end in any order.
    for (const [place, batch] of [...order].sort().entries())
      assert.ok(Math.abs(order.indexOf(batch) - place) < 4);
    assert.ok(store.mostActive <= 4);
    assert.equal(test.writer.openRecords, 0);
  });

  it('go on in memory while the journal cannot be used, and on disk again when it can', async () => {
    const holder = start(folder);
    await holder.writer.opened;
    const store = new MemoryStore();
    const test = start(folder, store);
    const told: string[] = [];
    test.writer.append('plant/a', Buffer.from('1'), 1, () => told.push('safe'), 'journaled');
    await until('the failure', () => test.journalFailures.length > 0);
    assert.equal(test.journalFailures[0]?.code, 'JOURNAL_LOCKED');
    assert.equal(test.writer.journal?.error?.code, 'JOURNAL_LOCKED');
    assert.equal(test.open[0]?.count, 1);
    assert.equal(told.length, 0);
    await test.writer.flush();
    await until('told', () => told.length === 1);
    assert.deepEqual(lines(store), ['1']);
    await holder.writer.close(0);
    await until('the journal', () => test.writer.journal?.error === undefined, 30_000);
    test.writer.append('plant/a', Buffer.from('2'), 1, () => told.push('safe'), 'journaled');
    await until('told', () => told.length === 2);
    assert.equal(store.names.length, 1);
  }).timeout(60_000);

  it('refuse what does not fit, counted, while neither store nor disk takes anything', async () => {
    const holder = start(folder);
    await holder.writer.opened;
    const store = new MemoryStore();
    store.fault = () => 'STORE_UNREACHABLE';
    const test = start(folder, store, { memory: MIB / 4 });
    await test.writer.opened;
    let refused = 0;
    for (let n = 0; n < 1000; n++) {
      try {
        test.append('plant/a', JSON.stringify(String(Math.random()).repeat(50)));
      } catch {
        refused++;
      }
    }
    assert.ok(refused > 0);
    assert.equal(test.writer.counts.refused, refused);
    assert.equal(test.writer.openRecords, 1000 - refused);
    thrownBy('MEMORY_FULL', () => test.append('plant/a', 'x'.repeat(200_000)));
  });

  it('are handed to another folder, or to none, with what is open', async () => {
    const store = new MemoryStore();
    const test = start(folder, store);
    test.append('plant/a', '1');
    await test.writer.opened;
    const other = `${folder}-other`;
    test.writer.configure({ ...test.settings, journal: { folder: other, commit: { ms: 0, records: 1 } } });
    test.append('plant/a', '2');
    await test.writer.opened;
    await until('the first', () => test.stored.length === 1);
    test.writer.configure({ ...test.settings, journal: undefined });
    test.append('plant/a', '3');
    await test.writer.flush();
    assert.deepEqual(lines(store).sort(), ['1', '2', '3']);
    // Both folders are given up, for there is nothing in them.
    await until('empty', () => test.writer.journal === undefined);
    const again = start(folder, store);
    await until('recovery', () => again.recovery !== undefined);
    assert.equal(again.recovery?.records, 0);
  });

  it('take what waited for the journal by the settings that are in force then', async () => {
    for (const framing of ['length', 'none'] as const) {
      const store = new MemoryStore();
      const own = path.join(folder, framing);
      const test = start(path.join(own, 'one'), store);
      const payloads = [1, 2, 3].map((n) => `{"n":\n${n}}`);
      for (const payload of payloads) test.append('plant/a', payload);
      const journal = { folder: path.join(own, 'two'), commit: { ms: 0, records: 1 } };
      test.writer.configure({ ...test.settings, framing, journal });
      test.append('plant/a', 'late');
      await test.writer.opened;
      await test.writer.flush();
      const records = await recordsIn(store, 'plant');
      const found = records.map(({ payload }) => payload.toString());
      assert.deepEqual(found.sort(), [...payloads, 'late'].sort(), framing);
      assert.equal(test.writer.openRecords, 0);
    }
  });

  it('are sealed for a window that became full while the journal was opened', async () => {
    const store = new MemoryStore();
    const test = start(folder, store);
    let told = 0;
    test.writer.append('plant/a', Buffer.from('1'), 1, () => told++);
    test.writer.sealAwaited();
    await until('the record to be stored', () => told === 1);
    assert.equal(test.stored[0]?.trigger, 'window');
  });

  it('are sealed for a window that waits for a disk which fails, before or after it was full', async () => {
    const open = nodeFileSystem.open.bind(nodeFileSystem);
    for (const failsBefore of [true, false]) {
      const test = start(path.join(folder, String(failsBefore)));
      await test.writer.opened;
      try {
        nodeFileSystem.open = (name, mode) =>
          mode === 'create-synced'
            ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
            : open(name, mode);
        let told = 0;
        test.writer.append('plant/a', Buffer.from('1'), 1, () => told++, 'journaled');
        if (failsBefore) await until('the failure', () => test.journalFailures.length > 0);
        test.writer.sealAwaited();
        await until('the record to be stored', () => told === 1);
        assert.equal(test.stored[0]?.trigger, 'window');
      } finally {
        nodeFileSystem.open = open;
      }
    }
  });

  it('are sealed for a window whose records met a full disk behind a commit of others', async () => {
    const open = nodeFileSystem.open.bind(nodeFileSystem);
    let writes = 0;
    const full = () => Object.assign(new Error('full'), { code: 'ENOSPC' });
    let goOn = (): void => undefined;
    const first = new Promise<void>((resolve) => (goOn = resolve));
    nodeFileSystem.open = async (name, mode) => {
      if (mode !== 'create-synced') return open(name, mode);
      if (writes > 0) throw full();
      const file = await open(name, mode);
      const write = file.write.bind(file);
      file.write = async (buffers, position) => {
        if (writes++ > 0) throw full();
        await first;
        return write(buffers, position);
      };
      return file;
    };
    try {
      const test = start();
      await test.writer.opened;
      test.append('plant/a', 'others');
      await until('the commit to be under way', () => writes === 1);
      let told = 0;
      test.writer.append('plant/a', Buffer.from('window'), 1, () => told++, 'journaled');
      test.writer.sealAwaited();
      goOn();
      await until('the record to be stored', () => told === 1);
      assert.equal(test.stored[0]?.trigger, 'window');
    } finally {
      nodeFileSystem.open = open;
    }
  });

  it('keep what a stop could not store for the next start', async () => {
    const store = new MemoryStore();
    store.fault = () => 'STORE_UNREACHABLE';
    const before = start(folder, store);
    before.append('plant/a', '1');
    const left = await before.writer.close(10);
    assert.equal(left.length, 1);
    store.fault = () => undefined;
    const after = start(folder, store);
    await until('the object', () => after.stored.length === 1);
    assert.deepEqual(lines(store), ['1']);
    assert.equal(after.stored[0]?.batch, left[0]?.id);
  });

  it('are all there, once, after any number of crashes at any moment', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant('append' as const), topic: fc.nat(3), size: fc.nat(200) }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'seal' as const }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('fault' as const), on: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const store = new MemoryStore();
        let isAway = false;
        store.fault = () => (isAway ? { code: 'STORE_TIMEOUT', after: true } : undefined);
        let current = start(path.join(await mkdtemp(path.join(tmpdir(), 's3-batch-any-')), 'node'), store);
        folders.push(path.dirname(current.folder));
        const wanted: string[] = [];
        for (const one of steps) {
          if (one.kind === 'append') {
            const line = JSON.stringify({ n: wanted.length, s: 'x'.repeat(one.size) });
            wanted.push(line);
            current.append(`plant-${one.topic}/a`, line);
          } else if (one.kind === 'seal') current.writer.sealAll('flush');
          else if (one.kind === 'fault') isAway = one.on;
          else if (one.kind === 'flush' && !isAway) await current.writer.flush();
          else if (one.kind === 'crash') {
            const left = await current.crash();
            const { counts, openRecords } = current.writer;
            assert.equal(counts.received, counts.stored + openRecords + counts.refused);
            await current.writer.close(0);
            current = start(left, store);
          }
        }
        isAway = false;
        await current.writer.opened;
        await current.writer.flush();
        const { counts } = current.writer;
        assert.equal(counts.received, counts.stored + counts.refused);
        assert.deepEqual(lines(store).sort(), wanted.sort());
      }),
      { numRuns: 40 },
    );
  }).timeout(120_000);
});
