import assert from 'node:assert/strict';
import path from 'node:path';

import fc from 'fast-check';

import { FakeClock, nextTurn, until } from '../../support/fake-clock';
import { MIB, thrownBy } from '../batch/support';
import { announcementOf, LATEST, TestBackup, TIMEOUT, withFolder } from './backup-support';

/** Nothing is uploaded in the minute after a start, or the timeout if that is shorter. */
const GRACE = TIMEOUT;

async function started(folder: string): Promise<TestBackup> {
  const test = new TestBackup({ folder });
  await test.backup.opened;
  return test;
}

describe("the backup's journal", () => {
  it('has everything after a crash: messages, what was announced of them, and what waits', () =>
    withFolder(async (folder) => {
      const first = await started(path.join(folder, '1'));
      for (const payload of ['a', 'b', 'c', 'same', 'same']) first.take(payload);
      first.announce('b1', 'a', 'same', 'early');
      first.take('d', 'other/device');

      const second = await first.crash(path.join(folder, '2'));
      const { held, waiting, recovered, received } = second.backup.ledger;
      assert.deepEqual(
        { held, waiting, recovered, received },
        { held: 4, waiting: 1, recovered: 4, received: 4 },
      );
      assert.deepEqual(second.recoveries, [{ records: 4, damage: [], unreadable: [] }]);
      first.announce('b1', 'a', 'same', 'early');
      second.announce('b1', 'a', 'same', 'early');
      assert.equal(second.held, 4, 'counted before the crash');
      second.take('early');
      assert.equal(second.held, 4);
      second.announce('b2', 'b');

      const third = await second.crash(path.join(folder, '3'));
      assert.equal(third.held, 3);
      await third.pass(GRACE + LATEST);
      assert.deepEqual(third.uploaded, ['"c"', '"d"', '"same"']);
      third.checkLedger();
      await Promise.all([first, second, third].map((one) => one.backup.close(0)));
    }));

  it('keeps the record time of what has none: that of its arrival', () =>
    withFolder(async (folder) => {
      const first = await started(folder);
      const arrival = first.clock.now();
      first.take('{"n":1}');
      first.clock.setWall(arrival + 5_000_000);
      const second = await first.restart();
      await second.pass(GRACE + LATEST);
      const [name = ''] = second.store.names;
      assert.equal(second.layout.parseObjectName(name.split('/').slice(1).join('/'))?.first?.from, arrival);
      await second.backup.close(0);
    }));

  it('goes on with the time of messages: what is down does not count, what was up does', () =>
    withFolder(async (folder) => {
      const first = await started(folder);
      first.take('old');
      await first.pass(TIMEOUT / 2);
      first.take('new');
      const second = await first.restart();
      await second.pass(TIMEOUT - 200);
      assert.deepEqual(second.uploaded, [], 'announcements that waited at the broker come first');
      second.take('newest');
      await second.pass(300);
      assert.deepEqual(second.uploaded, ['"old"', '"new"'].sort());
      await second.backup.close(0);
    }));

  it('is empty when nothing is held any more, but for the announcements that are known', () =>
    withFolder(async (folder) => {
      const first = await started(folder);
      for (let n = 0; n < 500; n++) first.take(`${n}`);
      first.announce('b1', ...Array.from({ length: 250 }, (_, n) => `${n}`));
      await first.pass(LATEST);
      assert.equal(first.uploaded.length, 250);
      const second = await first.restart();
      assert.equal(second.held, 0);
      assert.equal(second.backup.ledger.recovered, 0);
      second.announce('b1', '1');
      assert.equal(second.backup.ledger.repeated, 1);
      await second.backup.close(0);
    }));

  it('keeps what is uploaded until it is stored', () =>
    withFolder(async (folder) => {
      const first = await started(path.join(folder, '1'));
      first.take('a');
      first.store.fault = ({ operation }) => (operation === 'put' ? 'STORE_UNREACHABLE' : undefined);
      await first.clock.pass(LATEST);
      await first.clock.pass(100);
      await until('a failed upload', () => first.failed.length > 0);
      const second = await first.crash(path.join(folder, '2'));
      second.store.fault = () => undefined;
      assert.equal(second.held, 1);
      await second.pass(GRACE + LATEST);
      assert.deepEqual(second.uploaded, ['"a"']);
      await Promise.all([first, second].map((one) => one.backup.close(0)));
    }));

  it('tells when a message is on disk, and only then', () =>
    withFolder(async (folder) => {
      const test = new TestBackup({ folder });
      const told: string[] = [];
      const take = (topic: string, payload: Buffer, name: string): void =>
        test.backup.take(topic, payload, 0, (error) => told.push(error ? `${name}: ${error.message}` : name));
      take('bucket/device', Buffer.from('a'), 'before it is open');
      await test.backup.opened;
      await test.backup.commit();
      await until('the commit', () => told.length === 1);
      take('bucket/device', Buffer.from('b'), 'message');
      take('control/x', announcementOf('b1', ['a'])[0]!, 'announcement');
      assert.deepEqual(told, ['before it is open']);
      await test.passUntil('the commit', () => told.length === 3);
      assert.deepEqual(told, ['before it is open', 'message', 'announcement']);
      await test.backup.close(0);
    }));

  it('tells only then also when it is changed while it is opened', () =>
    withFolder(async (folder) => {
      const [one, two] = [path.join(folder, 'one'), path.join(folder, 'two')];
      const first = new TestBackup({ folder: one });
      let told = 0;
      first.backup.take('bucket/device', Buffer.from('a'), 0, () => told++);
      first.backup.configure(first.settingsWith({ folder: two }));
      await nextTurn();
      await nextTurn();
      assert.equal(told, 0);
      await first.backup.opened;
      await first.backup.commit();
      await until('the commit', () => told === 1);
      first.given.folder = two;
      const second = await first.crash(path.join(folder, 'left'));
      assert.equal(second.held, 1);
      await Promise.all([first, second].map((own) => own.backup.close(0)));
    }));

  it('that cannot be opened: messages are held in memory, and none is told to be on disk', () =>
    withFolder(async (folder) => {
      const owner = await started(folder);
      const test = new TestBackup({ folder });
      test.take('early');
      await test.backup.opened;
      assert.equal(test.failed[0]?.code, 'JOURNAL_LOCKED', test.failed[0]?.message);
      test.take('a');
      thrownBy('JOURNAL_LOCKED', () => {
        test.backup.take('bucket/device', Buffer.from('b'), 0, () => assert.fail('told'));
      });
      assert.equal(test.held, 2);
      assert.equal(test.backup.journalError?.code, 'JOURNAL_LOCKED');
      owner.take('c');
      await owner.backup.close(0);
      await test.passUntil('the journal', () => test.recoveries.length > 0);
      await test.passUntil('everything to be stored', () => test.backup.openRecords === 0);
      assert.deepEqual(test.uploaded, ['"a"', '"c"', '"early"']);
      test.checkLedger();
      await test.backup.close(0);
    }));

  it('can be changed, left out and taken up again while messages are held', () =>
    withFolder(async (folder) => {
      const one = path.join(folder, 'one');
      const test = await started(one);
      test.take('a');
      test.announce('b1', 'x');
      test.backup.configure(test.settingsWith({ folder: path.join(folder, 'two') }));
      test.take('b');
      await test.backup.opened;
      test.announce('b1', 'a');
      assert.equal(test.backup.ledger.repeated, 1);
      test.backup.configure(test.settingsWith({ folder: undefined }));
      test.take('c');
      await test.passUntil('everything to be stored', () => test.backup.openRecords === 0);
      assert.deepEqual(test.uploaded, ['"a"', '"b"', '"c"']);
      await test.backup.close(0);
      const again = new TestBackup({ folder: one });
      await again.backup.opened;
      assert.equal(again.backup.ledger.recovered, 0, 'what was stored is forgotten');
      await again.backup.close(0);
    }));

  it('recovers more than the memory limit, and takes no more until there is room', () =>
    withFolder(async (folder) => {
      const first = await started(folder);
      const payloads = Array.from({ length: 10_000 }, (_, n) => `${n} `.padEnd(200, 'x'));
      for (const payload of payloads) first.take(payload);
      const second = await first.restart({ memory: MIB });
      assert.equal(second.held, 10_000);
      thrownBy('MEMORY_FULL', () => second.take('more'));
      await second.announceMany('b1', payloads);
      assert.equal(second.held, 0);
      second.take('more');
      await second.backup.close(0);
    }));

  it('has balanced books at every moment of a recovery, whatever comes meanwhile', () =>
    withFolder(async (folder) => {
      const first = await started(folder);
      for (let slice = 0; slice < 5; slice++) {
        for (let n = 0; n < 2000; n++) first.take(`${slice} ${n}`);
        // Announced before it comes, by a later slice.
        first.announce(`b${slice}`, `${slice} 0`, `early ${slice}`);
        await first.pass(TIMEOUT / 20);
      }
      await first.backup.close(0);
      const second = new TestBackup({ folder, clock: new FakeClock(first.clock.now()) });
      let looks = 0;
      for (; second.recoveries.length === 0; looks++) {
        second.checkLedger();
        second.take(`meanwhile ${looks}`);
        await nextTurn();
      }
      assert.ok(looks > 5, `${looks} looks`);
      await second.backup.opened;
      second.checkLedger();
      assert.equal(second.held, 5 * 1999 + looks);
      await second.backup.close(0);
    }));

  it('has balanced books when it recovers after messages were taken in memory only', () =>
    withFolder(async (folder) => {
      const owner = await started(folder);
      for (let n = 0; n < 5000; n++) owner.take(`owner ${n}`);
      const test = new TestBackup({ folder, timeout: 1_000_000 });
      await test.backup.opened;
      await owner.backup.close(0);
      let taken = 0;
      for (; test.recoveries.length === 0; taken++) {
        test.take(`own ${taken}`);
        test.checkLedger();
        await test.clock.pass(5);
      }
      test.checkLedger();
      const { recovered, received } = test.backup.ledger;
      assert.deepEqual({ recovered, received }, { recovered: 5000, received: 5000 + taken });
      await test.backup.close(0);
    }));

  it('loses nothing and stores nothing that was announced, whatever comes in whatever order', () => {
    const content = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(
      { weight: 6, arbitrary: content.map((n) => ({ take: n })) },
      {
        weight: 4,
        arbitrary: fc
          .record({
            batch: fc.integer({ min: 0, max: 7 }),
            of: fc.array(content, { minLength: 1, maxLength: 4 }),
          })
          .map((announce) => ({ announce })),
      },
      { weight: 3, arbitrary: fc.constantFrom(100, 300, 700, 1200).map((ms) => ({ pass: ms })) },
      { weight: 2, arbitrary: fc.constantFrom('crash', 'restart').map((end) => ({ end })) },
    );
    return fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) =>
        withFolder(async (folder) => {
          let test = await started(path.join(folder, '0'));
          const all = [test];
          const received = new Map<string, number>();
          const announced = new Map<string, number>();
          const known = new Set<number>();
          const add = (map: Map<string, number>, key: string): void =>
            void map.set(key, (map.get(key) ?? 0) + 1);
          for (const [number, one] of steps.entries()) {
            if ('take' in one) {
              test.take(`m${one.take}`);
              add(received, `m${one.take}`);
            } else if ('announce' in one) {
              const { batch, of } = one.announce;
              const before = test.held;
              test.announce(`batch-${batch}`, ...of.map((n) => `m${n}`));
              if (known.has(batch)) assert.equal(test.held, before, 'the same control message');
              else for (const n of of) add(announced, `m${n}`);
              known.add(batch);
            } else if ('pass' in one) await test.pass(one.pass);
            else {
              const { held, waiting } = test.backup.ledger;
              test =
                one.end === 'crash'
                  ? await test.crash(path.join(folder, String(number + 1)))
                  : await test.restart();
              all.push(test);
              assert.equal(test.held, held);
              assert.equal(test.backup.ledger.waiting, waiting);
            }
            test.checkLedger();
          }
          await test.pass(GRACE + 2 * LATEST);
          assert.equal(test.backup.openRecords, 0);
          const uploaded = new Map<string, number>();
          for (const line of test.uploaded) add(uploaded, JSON.parse(line) as string);
          for (const [key, count] of received) {
            const stored = (announced.get(key) ?? 0) + (uploaded.get(key) ?? 0);
            assert.ok(stored >= count, `${key}: ${stored} of ${count}`);
            assert.ok((uploaded.get(key) ?? 0) <= count, `${key} more than once`);
          }
          await Promise.all(all.map((each) => each.backup.close(0)));
        }),
      ),
      // A failure waits in real time: smaller examples of it would take for ever.
      { numRuns: 40, endOnFailure: true },
    );
  }).timeout(120_000);
});
