import assert from 'node:assert/strict';
import { readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';

import fc from 'fast-check';

import { systemClock } from '../../../lib/clock';
import type { S3BatchError } from '../../../lib/errors';
import { type FileSystem, Journal, nodeFileSystem } from '../../../lib/journal';
import { Lock } from '../../../lib/journal/lock';
import { self } from '../../../lib/journal/process-identity';
import { FakeClock, until } from '../../support/fake-clock';
import { AppenderProcess } from './appender-process';
import { MemoryDisk } from './memory-disk';
import { openOn, settle } from './support';
import { removeTemporaryFolders, temporaryFolder } from './temporary-folder';

const commit = { ms: 5, records: 100 };

/** The lock of a process that has ended. */
const left = JSON.stringify({ ...self, pid: 2 ** 22 + 1, token: 'x' });

/** A disk whose answers come in any order. `isNew`: the first to make the folder is told that it was not there. */
function slowed(disk: MemoryDisk, scheduler: fc.Scheduler, isNew: boolean): FileSystem {
  const wait = () => scheduler.schedule(Promise.resolve());
  let isMissing = isNew;
  return {
    ...nodeFileSystem,
    makeFolder: async () => {
      await wait();
      const isMade = isMissing;
      isMissing = false;
      return isMade;
    },
    list: async () => (await wait(), disk.list()),
    readText: async (path) => (await wait(), disk.readText(path)),
    createExclusive: async (path, text) => (await wait(), disk.createExclusive(path, text)),
    touch: async () => (await wait(), disk.touch()),
    remove: async (path) => {
      await wait();
      disk.files.delete(basename(path));
    },
  };
}

/** A folder with a lock that was touched `age` ms ago. */
function lockedFolder(holder: object | string, age = 0): string {
  const folder = temporaryFolder();
  const path = join(folder, 'lock.1');
  writeFileSync(path, typeof holder === 'string' ? holder : JSON.stringify(holder));
  const then = new Date(Date.now() - age);
  utimesSync(path, then, then);
  return folder;
}

describe("a journal's lock", () => {
  after(async () => {
    await AppenderProcess.killAll();
    removeTemporaryFolders();
  });

  it('is against another journal of the same process', async () => {
    const folder = temporaryFolder();
    const { journal } = await Journal.open({ folder, commit });
    const refused = { code: 'JOURNAL_LOCKED', message: /each node its own folder/ };
    await assert.rejects(Journal.open({ folder: join(folder, '.'), commit }), refused);
    const alias = join(temporaryFolder(), 'alias');
    symlinkSync(folder, alias);
    await assert.rejects(Journal.open({ folder: alias, commit }), { code: 'JOURNAL_LOCKED' });
    await journal.close();
    await (await Journal.open({ folder, commit })).journal.close();
  });

  it('is against a process that lives, and goes when that one is killed', async () => {
    const folder = join(temporaryFolder(), 'j');
    const appender = new AppenderProcess(folder, 5);
    await until('the other process', () => appender.text !== '');
    await assert.rejects(Journal.open({ folder, commit }), (error: S3BatchError) => {
      assert.equal(error.code, 'JOURNAL_LOCKED');
      assert.match(
        error.message,
        new RegExp(`process ${appender.pid} on ${hostname()}: stop it, or choose another`),
      );
      return true;
    });
    await appender.kill();
    await (await Journal.open({ folder, commit })).journal.close();
  });

  it('goes when its process number belongs to another process by now', async () => {
    for (const pid of [process.pid, process.ppid]) {
      const folder = lockedFolder({ ...self, pid, started: 'before', token: 'x' });
      await (await Journal.open({ folder, commit })).journal.close();
    }
  });

  it('of another machine goes when nobody touched it for 30 s', async () => {
    const other = { ...self, host: 'another-host', pid: 1, token: 'x' };
    const folder = lockedFolder(other, 25_000);
    await assert.rejects(Journal.open({ folder, commit }), {
      code: 'JOURNAL_LOCKED',
      message: /process 1 on another-host: .* wait 30 s/,
    });
    // The second one was touched by a clock that is ahead, or ours was set back.
    for (const [age, wait] of [
      [31_000, 5000],
      [-3_600_000, 30_000],
    ] as const) {
      const clock = new FakeClock(Date.now());
      const opening = Journal.open({ folder: lockedFolder(other, age), commit, clock });
      await until('it watches', () => clock.timers === 1);
      await clock.pass(wait);
      await (await opening).journal.close();
    }
    const clock = new FakeClock(Date.now());
    const alive = lockedFolder(other, 3_600_000);
    const refused = assert.rejects(Journal.open({ folder: alive, commit, clock }), {
      code: 'JOURNAL_LOCKED',
    });
    await until('it watches', () => clock.timers === 1);
    utimesSync(join(alive, 'lock.1'), new Date(1e12), new Date(1e12));
    await clock.pass(5000);
    await refused;
  });

  it('of a container of the same name goes when nobody touches it for a while', async () => {
    const other = { ...self, space: 'pid:[1]', token: 'x' };
    for (const holder of [other, 'not even JSON', '']) {
      const clock = new FakeClock(Date.now());
      const folder = lockedFolder(holder);
      const opening = Journal.open({ folder, commit, clock });
      await until('it watches', () => clock.timers === 1);
      await clock.pass(5000);
      await (await opening).journal.close();
    }
    const clock = new FakeClock(Date.now());
    const folder = lockedFolder(other);
    const opening = Journal.open({ folder, commit, clock });
    const refused = assert.rejects(opening, { code: 'JOURNAL_LOCKED' });
    await until('it watches', () => clock.timers === 1);
    // A millisecond later at least than it was: the clock may not have moved since.
    const touched = new Date(Date.now() + 1);
    utimesSync(join(folder, 'lock.1'), touched, touched);
    await clock.pass(5000);
    await refused;
  });

  it('is taken by one only of many that find a stale one', async () => {
    for (let round = 0; round < 20; round++) {
      const folder = lockedFolder(left);
      const parent = temporaryFolder();
      const aliases = [0, 1, 2, 3, 4, 5].map((number) => join(parent, String(number)));
      for (const alias of aliases) symlinkSync(folder, alias);
      const lost: S3BatchError[] = [];
      const takes = aliases.map((alias) =>
        Lock.take(nodeFileSystem, systemClock, alias, (error) => lost.push(error)),
      );
      const results = await Promise.allSettled(takes);
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      assert.equal(winners.length, 1);
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith('lock')),
        ['lock.2'],
      );
      for (const lock of winners) await lock.release();
      assert.deepEqual(lost, []);
    }
  });

  it('is held by one only, however slowly some of them look, take and give back', async () => {
    const folders = ['/a', '/b', '/c', '/d', '/e'];
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, isNew) => {
        const disk = new MemoryDisk();
        if (!isNew) disk.files.set('lock.3', Buffer.from(left));
        const fs = slowed(disk, scheduler, isNew);
        const holders = new Set<string>();
        const takes = folders.map(async (folder) => {
          const lock = await Lock.take(fs, new FakeClock(), folder, (error) => assert.ifError(error));
          holders.add(folder);
          taken++;
          assert.deepEqual([...holders], [folder]);
          await scheduler.schedule(Promise.resolve());
          holders.delete(folder);
          await lock.release();
        });
        const outcomes = await scheduler.waitFor(Promise.allSettled(takes));
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected')
            assert.equal((outcome.reason as S3BatchError).code, 'JOURNAL_LOCKED', String(outcome.reason));
        }
        assert.ok(![...disk.files.keys()].some((name) => name.startsWith('lock') && name !== 'lock.3'));
      }),
      { numRuns: 500 },
    );
    assert.ok(taken >= 500);
  });

  it('goes when its taker was gone before it had removed the one before', async () => {
    const folder = lockedFolder(left);
    writeFileSync(join(folder, 'lock.2'), left.replace('"x"', '"y"'));
    const { journal } = await Journal.open({ folder, commit });
    assert.deepEqual(readdirSync(folder), ['lock.3']);
    await journal.close();
  });

  it('is touched, so that others see that its holder lives', async () => {
    const folder = temporaryFolder();
    const clock = new FakeClock();
    const { journal } = await Journal.open({ folder, commit, clock });
    const path = join(folder, 'lock.1');
    const then = new Date(Date.now() - 20_000);
    utimesSync(path, then, then);
    await clock.pass(2000);
    const modified = async () => (await nodeFileSystem.readText(path))?.modified ?? 0;
    let last = 0;
    await until('a touch', () => {
      void modified().then((time) => (last = time));
      return last > then.getTime() + 10_000;
    });
    await journal.close();
  });

  it('that another process took ends all writing', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const failures: [S3BatchError, number][] = [];
    const failed = (error: S3BatchError, pauseMs: number) => failures.push([error, pauseMs]);
    const { journal } = await openOn(disk, { clock, events: { failed } });
    journal.openBatch('a', '');
    await journal.commit();
    const thief = JSON.stringify({ ...self, pid: 4711, token: 'y' });
    disk.files.delete('lock.1');
    disk.files.set('lock.2', Buffer.from(thief));
    await clock.pass(2000);
    await until('the failure', () => failures.length === 1);
    assert.equal(failures[0]?.[0].code, 'JOURNAL_LOCKED');
    assert.match(failures[0][0].message, /process 4711/);
    assert.equal(failures[0][1], Infinity);
    const { changes } = disk;
    journal.openBatch('b', '');
    await assert.rejects(journal.commit(), { code: 'JOURNAL_LOCKED' });
    await clock.pass(100_000);
    await settle();
    await journal.close();
    assert.equal(disk.changes, changes);
    assert.equal(disk.files.get('lock.2')?.toString(), thief);
  });

  it('is looked at before anything is written, when the process was held up for long', async () => {
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    const { journal } = await openOn(disk, { clock, commit: { ms: 10_000, records: 10 } });
    journal.openBatch('a', '');
    await journal.commit();
    const { changes } = disk;
    disk.files.delete('lock.1');
    disk.files.set('lock.2', Buffer.from('of another'));
    // No beat comes, as if the process stood still: the clock alone goes on.
    clock.elapsed = () => 60_000;
    journal.openBatch('b', '');
    await assert.rejects(journal.commit(), { code: 'JOURNAL_LOCKED' });
    assert.equal(disk.changes, changes);
    await journal.close();
  });

  it('is made again when somebody tidied it away', async () => {
    const folder = temporaryFolder();
    const clock = new FakeClock();
    const { journal } = await Journal.open({ folder, commit, clock });
    const path = join(folder, 'lock.1');
    const text = readFileSync(path, 'utf8');
    await nodeFileSystem.remove(path);
    await clock.pass(2000);
    let found: string | undefined;
    await until('the lock', () => {
      void nodeFileSystem.readText(path).then((lock) => (found = lock?.text));
      return found === text;
    });
    await journal.close();
  });
});
