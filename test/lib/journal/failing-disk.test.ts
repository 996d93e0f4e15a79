import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { S3BatchError } from '../../../lib/errors';
import type { JournalBatch } from '../../../lib/journal';
import { FakeClock, until } from '../../support/fake-clock';
import { type Faults, MemoryDisk } from './memory-disk';
import { churn, Model, type Step, steps } from './model';
import { append, openOn, recordsOf, settle } from './support';

const note = { time: 5, flags: 1, text: 'note', lineBreaks: undefined };

function fill(batch: JournalBatch, source: number, count: number): void {
  for (let number = 0; number < count; number++) append(batch, source, { ...note, text: `record ${number}` });
}

describe('a journal on a disk that fails', () => {
  it('says why, goes on taking records, and commits them when the disk has room again', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const failures: { error: S3BatchError; pauseMs: number }[] = [];
    let restored = 0;
    const events = {
      failed: (error: S3BatchError, pauseMs: number) => failures.push({ error, pauseMs }),
      restored: () => restored++,
    };
    const { journal } = await openOn(disk, { clock, events });
    const batch = journal.openBatch('a', 'd');
    const source = batch.addSource('t', 's');
    fill(batch, source, 3);
    await journal.commit();
    disk.room = 70;
    let told = 0;
    fill(batch, source, 5);
    journal.afterCommit(() => told++);
    await clock.pass(20);
    await until('the failure', () => failures.length === 1);
    const [failure] = failures;
    assert.equal(failure?.error.code, 'JOURNAL_FAILED');
    assert.match(failure.error.message, /the disk is full: free space/);
    assert.equal(journal.error, failure.error);
    await assert.rejects(journal.commit(), { code: 'JOURNAL_FAILED' });
    for (let attempt = 2; attempt < 12; attempt++) {
      await until('a failure', () => failures.length === attempt);
      const { pauseMs } = failures.at(-1)!;
      const whole = Math.min(60_000, 1000 * 2 ** (attempt - 1));
      assert.ok(pauseMs >= whole / 2 && pauseMs <= whole, `${pauseMs} of ${whole}`);
      await clock.pass(pauseMs - 1);
      await settle(5);
      assert.equal(failures.length, attempt);
      await clock.pass(1);
    }
    fill(batch, source, 2);
    assert.ok(journal.pendingBytes > 7 * 40);
    assert.equal((await recordsOf(batch)).length, 10);
    assert.equal(told, 0);
    assert.equal(restored, 0);
    disk.room = Infinity;
    await clock.pass(60_000);
    await until('it is over', () => restored === 1);
    await until('the callback', () => told === 1);
    await journal.commit();
    assert.equal(journal.error, undefined);
    assert.equal(journal.pendingBytes, 0);
    await journal.close();
    const { batches, damage } = await openOn(disk);
    assert.deepEqual(damage, []);
    assert.equal((await recordsOf(batches[0]!)).length, 10);
  });

  const fault = fc.oneof(
    fc.record({ room: fc.nat(3000) }),
    fc.record({
      faults: fc.dictionary(
        fc.constantFrom('open', 'write', 'sync', 'truncate', 'remove', 'syncFolder'),
        fc.constantFrom('EIO', 'EROFS', 'ENOSPC'),
      ) satisfies fc.Arbitrary<Faults>,
    }),
  );

  async function checkFault(
    before: Step[],
    during: Step[],
    after: Step[],
    { room = Infinity, faults = {} }: { room?: number; faults?: Faults },
    crash: boolean,
  ): Promise<void> {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, segmentBytes: 600 });
    const model = new Model(journal, { mayFail: true });
    await model.run(before);
    disk.room = room;
    disk.faults = faults;
    await model.run(during);
    await settle(100);
    for (const { batch, records, isForgotten } of model.batches) {
      if (!isForgotten) assert.deepEqual(await recordsOf(batch), records);
    }
    disk.room = Infinity;
    disk.faults = {};
    if (crash) {
      const { batches } = await openOn(disk.copy(), { segmentBytes: 600 });
      for (const expected of model.batches) {
        const found = batches.find(({ id }) => id === expected.id);
        const committed = expected.committed;
        if (!found) {
          assert.ok(expected.isForgotten || !committed, `${expected.id} is lost`);
          continue;
        }
        const records = await recordsOf(found);
        assert.ok(!committed?.isForgotten);
        if (!expected.isForgotten || found.missing === 0) {
          assert.ok(records.length >= (committed?.records ?? 0));
          assert.deepEqual(records, expected.records.slice(0, records.length));
        }
        if (found.sealed !== undefined && found.missing === 0) {
          assert.deepEqual(records, expected.records);
        }
      }
      return;
    }
    await clock.pass(60_000);
    await model.run(after);
    await model.commit();
    await settle(100);
    assert.equal(journal.error, undefined);
    for (const { batch, records, isForgotten } of model.batches) {
      if (!isForgotten) assert.deepEqual(await recordsOf(batch), records);
    }
    await journal.close();
    const { batches } = await openOn(disk, { segmentBytes: 600 });
    const living = model.batches.filter(({ isForgotten }) => !isForgotten);
    assert.deepEqual(
      batches.map(({ id }) => id),
      living.map(({ id }) => id),
    );
    for (const [place, found] of batches.entries()) {
      assert.deepEqual(await recordsOf(found), living[place]?.records);
      assert.equal(found.sealed, living[place]?.seal);
      assert.equal(found.missing, 0);
    }
  }

  it('has everything in the end, once, whatever failed in between', async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, steps, fault, (before, during, after, what) =>
        checkFault(before, during, after, what, false),
      ),
      { numRuns: 300 },
    );
  });

  it('does so while segments are deleted and copied together', async () => {
    await fc.assert(
      fc.asyncProperty(churn, churn, fault, (before, during, what) =>
        checkFault(before, during, [], what, false),
      ),
      { numRuns: 60 },
    );
  });

  it('has what was committed when the process is killed while the disk fails', async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, fault, (before, during, what) =>
        checkFault(before, during, [], what, true),
      ),
      { numRuns: 300 },
    );
  });

  it('lets go of forgotten batches and calls back those who waited for them', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    disk.faults = { open: 'EROFS' };
    const told: string[] = [];
    const stored = journal.openBatch('stored', '');
    fill(stored, stored.addSource('t', 's'), 2000);
    journal.afterCommit(() => told.push('stored'));
    const kept = journal.openBatch('kept', '');
    fill(kept, kept.addSource('t', 's'), 3);
    journal.afterCommit(() => told.push('kept'));
    fill(stored, 0, 5);
    journal.afterCommit(() => told.push('behind'));
    await assert.rejects(journal.commit(), { message: /read-only/ });
    const before = journal.pendingBytes;
    stored.forget();
    await until('the callback', () => told.length === 1);
    assert.deepEqual(told, ['stored']);
    await until('the memory is free', () => journal.pendingBytes < 300);
    assert.ok(before > 50_000);
    assert.equal((await recordsOf(kept)).length, 3);
    disk.faults = {};
    await journal.commit();
    await until('the others', () => told.length === 3);
    assert.deepEqual(told, ['stored', 'kept', 'behind']);
    await journal.close();
    const { batches } = await openOn(disk);
    assert.deepEqual(
      batches.map(({ id, count }) => [id, count]),
      [['kept', 3]],
    );
  });

  it('makes room by itself on a disk that it filled', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, segmentBytes: 1000 });
    const batches = [0, 1].map((number) => journal.openBatch(`batch ${number}`, ''));
    for (let round = 0; round < 20; round++) {
      for (const batch of batches) fill(batch, round === 0 ? batch.addSource('t', 's') : 0, 2);
      await journal.commit();
    }
    const late = journal.openBatch('late', '');
    fill(late, late.addSource('t', 's'), 1);
    await journal.commit();
    const full = journal.bytes;
    // Nothing but a header and an entry that forgets fits.
    disk.room = 100;
    fill(late, 0, 40);
    await assert.rejects(journal.commit(), { message: /the disk is full/ });
    batches[0]?.forget();
    batches[1]?.forget();
    for (let attempt = 0; attempt < 4; attempt++) {
      await clock.pass(60_000);
      await settle();
    }
    assert.equal(journal.error, undefined);
    assert.equal(journal.pendingBytes, 0);
    assert.equal((await recordsOf(late)).length, 41);
    late.forget();
    await journal.commit();
    await until('deleted', () => journal.bytes < full / 4);
    await journal.close();
  });

  it('makes room even on a disk that takes no byte, by deleting what it needs no more', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, segmentBytes: 300 });
    const done = journal.openBatch('done', '');
    fill(done, done.addSource('t', 's'), 6);
    await journal.commit();
    const open = journal.openBatch('open', '');
    fill(open, open.addSource('t', 's'), 6);
    await journal.commit();
    disk.room = 0;
    fill(open, 0, 2);
    await assert.rejects(journal.commit(), { message: /the disk is full/ });
    done.forget();
    await until('room', () => disk.room > 0);
    await clock.pass(60_000);
    await until('committed', () => journal.pendingBytes === 0);
    assert.equal((await recordsOf(open)).length, 8);
    await journal.close();
    const { batches } = await openOn(disk);
    assert.deepEqual(
      batches.map(({ id, count }) => [id, count]),
      [['open', 8]],
    );
  });

  it('is closed all the same, and keeps its error', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    disk.faults = { sync: 'EIO' };
    journal.openBatch('a', '');
    await journal.close();
    assert.equal(journal.error?.code, 'JOURNAL_FAILED');
    assert.ok(!disk.files.has('lock.1'));
  });

  it('keeps what it cannot delete, and tries again later', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const told: S3BatchError[] = [];
    const events = { untidy: (error: S3BatchError) => told.push(error) };
    const { journal } = await openOn(disk, { clock, segmentBytes: 300, events });
    const batch = journal.openBatch('a', '');
    fill(batch, batch.addSource('t', 's'), 10);
    await journal.commit();
    disk.faults = { remove: 'EACCES' };
    batch.forget();
    await journal.commit();
    journal.openBatch('b', '');
    await journal.commit();
    await settle();
    assert.ok(disk.segments.length > 1);
    assert.equal(told.length, 1);
    assert.match(told[0]!.message, /cannot be tidied up.* this user may not write there/);
    disk.faults = {};
    await clock.pass(60_000);
    journal.openBatch('d', '');
    await journal.commit();
    await until('deleted', () => disk.segments.length === 1);
    await journal.close();
  });
});
