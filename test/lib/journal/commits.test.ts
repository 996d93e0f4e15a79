import assert from 'node:assert/strict';

import { work } from '../../support/busy';
import { FakeClock, until } from '../../support/fake-clock';
import { MemoryDisk } from './memory-disk';
import { append, openOn, recordsOf, settle } from './support';

const note = { time: 5, flags: 1, text: 'note', lineBreaks: undefined };

describe('commits of a journal', () => {
  it('come so many milliseconds after the first record, with all that came since', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, commit: { ms: 20, records: 1000 } });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    for (let number = 0; number < 10; number++) {
      append(batch, source, note);
      await clock.pass(1.9);
    }
    await settle();
    assert.deepEqual(disk.segments, []);
    await clock.pass(1);
    await until('the commit', () => journal.pendingBytes === 0);
    assert.equal(journal.bytes, disk.files.get('000001.journal')?.length);
    await journal.close();
  });

  it('come once so many records are there', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { clock: new FakeClock(), commit: { ms: 20, records: 5 } });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    for (let count = 0; count < 4; count++) append(batch, source, note);
    await settle();
    assert.deepEqual(disk.segments, []);
    append(batch, source, note);
    await until('the commit', () => journal.pendingBytes === 0);
    await journal.close();
  });

  it('come after a quarter of the time when somebody waits, and tell all who wait in their order', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, commit: { ms: 20, records: 1000 } });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    append(batch, source, note);
    await clock.pass(3);
    const told: number[] = [];
    for (let number = 0; number < 5; number++) {
      append(batch, source, note);
      journal.afterCommit(() => told.push(number));
      await clock.pass(0.9);
    }
    await settle();
    assert.deepEqual(told, []);
    await clock.pass(0.5);
    await until('the commit', () => told.length === 5);
    assert.deepEqual(told, [0, 1, 2, 3, 4]);
    await journal.close();
  });

  it('come at half as many records when somebody waits', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { clock: new FakeClock(), commit: { ms: 20, records: 10 } });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    let told = 0;
    for (let count = 0; count < 4; count++) {
      append(batch, source, note);
      journal.afterCommit(() => told++);
    }
    await settle();
    assert.equal(told, 0);
    append(batch, source, note);
    journal.afterCommit(() => told++);
    await until('the commit', () => told === 5);
    await journal.close();
  });

  it('come at once with 0 ms, and together what came while one was under way', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { commit: { ms: 0, records: 1000 }, segmentBytes: 1e6 });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    let told = 0;
    let before = 0;
    let groups = 0;
    for (let count = 0; count < 100; count++) {
      append(batch, source, note);
      journal.afterCommit(() => told++);
      await settle(1);
      if (told > before) groups++;
      before = told;
    }
    await until('all commits', () => told === 100);
    assert.ok(groups > 3 && groups < 60, `${groups} groups`);
    await journal.close();
  });

  it('follow limits that are changed', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    journal.commitLimits = { ms: 0, records: 1000 };
    let told = false;
    journal.openBatch('a', '');
    journal.afterCommit(() => (told = true));
    await until('the commit', () => told);
    await journal.close();
  });

  it('are told at once when there is nothing to wait for, but never before the call returns', async () => {
    const { journal } = await openOn(new MemoryDisk());
    let told = false;
    journal.afterCommit(() => (told = true));
    assert.equal(told, false);
    await until('the callback', () => told);
    await journal.commit();
    await journal.close();
  });

  it('are told in order, some in each turn, whatever those who are told do', async () => {
    const { journal } = await openOn(new MemoryDisk());
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    const told: number[] = [];
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    const turns = new Set<number>();
    let turn = 0;
    for (let number = 0; number < 100; number++) {
      append(batch, source, note);
      journal.afterCommit(() => {
        told.push(number);
        turns.add(turn);
        work(1);
        if (number === 10) throw new Error('a mistake of somebody else');
      });
    }
    void journal.commit();
    while (told.length < 100) {
      await settle(1);
      turn++;
    }
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    assert.ok(turns.size >= 5);
    await until('the warning', () => warnings.length > 0);
    process.off('warning', warn);
    assert.match(warnings[0]!.message, /a mistake of somebody else/);
    await journal.close();
  });

  it('happen when it is closed, and nothing is taken after that', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    append(batch, source, note);
    await Promise.all([journal.close(), journal.close()]);
    assert.throws(() => append(batch, source, note), { code: 'CLOSED' });
    assert.throws(() => journal.openBatch('b', ''), { code: 'CLOSED' });
    await assert.rejects(recordsOf(batch), { code: 'CLOSED' });
    batch.forget();
    const { batches } = await openOn(disk);
    assert.equal(batches[0]?.count, 1);
  });

  it('are not needed to read a batch', async () => {
    const { journal } = await openOn(new MemoryDisk());
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    append(batch, source, { ...note, text: 'on disk' });
    await journal.commit();
    append(batch, source, { ...note, text: 'pending' });
    const read = recordsOf(batch);
    append(batch, source, { ...note, text: 'too late' });
    assert.deepEqual(
      (await read).map(({ text }) => text),
      ['on disk', 'pending'],
    );
    await journal.close();
  });

  it('keep batches from being given what they cannot take', async () => {
    const { journal } = await openOn(new MemoryDisk());
    const batch = journal.openBatch('a', '');
    assert.throws(() => append(batch, 0, note), RangeError);
    batch.addSource('t', 's');
    batch.seal('');
    assert.throws(() => append(batch, 0, note), /sealed/);
    batch.forget();
    assert.throws(() => batch.seal(''), /forgotten/);
    await journal.close();
  });
});
