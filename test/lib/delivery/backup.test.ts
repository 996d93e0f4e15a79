import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import fc from 'fast-check';

import { Layout } from '../../../lib/layout';
import { nextTurn, until } from '../../support/fake-clock';
import { MemoryStore } from '../../support/memory-store';
import { LAYOUT, MIB, thrownBy } from '../batch/support';
import { announcementOf, CONTROL, LATEST, TestBackup, TIMEOUT } from './backup-support';

describe('the backup', () => {
  it('holds messages until they are announced, and stores none of these', async () => {
    const test = new TestBackup();
    for (const payload of ['{"n":1}', '{"n":2}', 'text']) test.take(payload);
    assert.equal(test.held, 3);
    await test.pass(TIMEOUT - 200);
    test.announce('b1', '{"n":1}', 'text');
    assert.equal(test.held, 1);
    test.announce('b2', '{ "n": 2.0 }');
    await test.pass(10 * TIMEOUT);
    assert.deepEqual(test.uploaded, []);
    const { announced, held, heldBytes, expired } = test.backup.ledger;
    assert.deepEqual(
      { announced, held, heldBytes, expired },
      { announced: 3, held: 0, heldBytes: 0, expired: 0 },
    );
    test.checkLedger();
  });

  it('stores what nobody announces in time, where the same queries find it', async () => {
    const test = new TestBackup();
    const arrival = test.clock.now();
    test.take('{"t":1538413835000,"n":1}', 'plant-7/d1');
    test.take('{"n":2}', 'plant-7/d1');
    await test.pass(TIMEOUT - 100);
    assert.deepEqual(test.uploaded, []);
    assert.ok(test.backup.oldestAge >= TIMEOUT - 100);
    await test.pass(200);
    assert.deepEqual(test.uploaded, ['{"n":2}', '{"t":1538413835000,"n":1}']);
    const [name = ''] = test.store.names;
    const [bucket = '', ...key] = name.split('/');
    assert.equal(bucket, 'plant-7');
    const times = test.layout.parseObjectName(key.join('/'))!;
    assert.deepEqual(
      { first: times.first?.from, last: times.last?.from },
      { first: 1538413835000, last: arrival },
    );
    const { uploaded, uploadedObjects, held, uploading } = test.backup.ledger;
    assert.deepEqual(
      { uploaded, uploadedObjects, held, uploading },
      { uploaded: 2, uploadedObjects: 1, held: 0, uploading: 0 },
    );
    test.checkLedger();
  });

  it('takes one copy for each digest, the oldest first', async () => {
    const test = new TestBackup();
    test.take('same');
    await test.pass(TIMEOUT / 2);
    test.take('same');
    test.take('same');
    test.announce('b1', 'same');
    assert.equal(test.held, 2);
    await test.pass(TIMEOUT / 2 + 100);
    assert.equal(test.held, 2);
    assert.deepEqual(test.uploaded, []);
    test.announce('b2', 'same');
    await test.pass(TIMEOUT);
    assert.deepEqual(test.uploaded, ['"same"']);
    test.checkLedger();
  });

  it('lets an announcement wait for its messages, up to the timeout', async () => {
    const test = new TestBackup();
    test.announce('b1', 'a', 'b', 'b');
    assert.equal(test.backup.ledger.waiting, 3);
    await test.pass(TIMEOUT - 200);
    test.take('b');
    assert.equal(test.held, 0);
    assert.equal(test.backup.ledger.waiting, 2);
    await test.pass(300);
    assert.equal(test.backup.ledger.waiting, 0);
    assert.equal(test.backup.ledger.expired, 2);
    test.take('b');
    await test.pass(LATEST);
    assert.deepEqual(test.uploaded, ['"b"']);
    test.checkLedger();
  });

  it('counts a control message that comes twice once, and those of several batches and parts together', async () => {
    const test = new TestBackup();
    for (let n = 0; n < 4; n++) test.take('same');
    test.announce('b1', 'same');
    test.announce('b1', 'same');
    assert.equal(test.held, 3);
    test.announce('b2', 'same');
    assert.equal(test.held, 2);
    assert.equal(test.backup.ledger.repeated, 1);

    const payloads = Array.from({ length: 20_000 }, (_, n) => String(n));
    for (const payload of payloads) test.take(payload);
    const parts = announcementOf('b3', payloads);
    assert.equal(parts.length, 2);
    for (const part of [...parts].reverse()) test.takeControl(part);
    for (const part of parts) test.takeControl(part);
    await test.backup.commit();
    assert.equal(test.held, 2);
    assert.equal(test.backup.ledger.announcements, 4);
    test.checkLedger();
  });

  it('knows messages that the layout decompresses', () => {
    const layout = new Layout({
      ...LAYOUT,
      topic: 'BUCKET/FORMAT',
      compressedLevel: 'FORMAT',
      decompress: true,
    });
    const test = new TestBackup({ layout });
    test.take(gzipSync('{"n":1}'), 'bucket/gzip');
    for (const message of announcementOf('b1', ['{"n":1}'], 'bucket/gzip')) test.takeControl(message);
    assert.equal(test.held, 0);
  });

  it('refuses what is no announcement, and goes on', () => {
    const test = new TestBackup();
    thrownBy('ANNOUNCEMENT_INVALID', () => test.takeControl(Buffer.from('{"batch":1}')));
    test.take('a');
    test.announce('b1', 'a');
    assert.equal(test.held, 0);
    assert.equal(test.backup.ledger.refusedAnnouncements, 1);
    test.checkLedger();
  });

  it('does not mind a clock that is set', async () => {
    const test = new TestBackup();
    test.take('a');
    test.clock.setWall(test.clock.now() - 86_400_000);
    test.take('b');
    await test.pass(TIMEOUT - 200);
    test.clock.setWall(test.clock.now() + 10 * 86_400_000);
    assert.equal(test.held, 2);
    await test.pass(400);
    assert.deepEqual(test.uploaded, ['"a"', '"b"']);
  });

  it('refuses messages when the memory is full, and takes announcements, which make room', async () => {
    const test = new TestBackup({ memory: 1 * MIB });
    const payloads = Array.from({ length: 10_000 }, (_, n) => `${n} `.padEnd(200, 'x'));
    let taken = 0;
    const error = thrownBy('MEMORY_FULL', () => {
      for (const payload of payloads) {
        test.take(payload);
        taken++;
      }
    });
    assert.match(error.message, /raise the memory limit/);
    assert.ok(taken > 3000 && taken < 5000, `${taken} taken`);
    assert.ok(test.backup.ledger.memoryBytes <= MIB);
    test.checkLedger();
    await test.announceMany('b1', payloads.slice(0, taken));
    assert.equal(test.held, 0);
    assert.ok(test.backup.ledger.memoryBytes < MIB / 3, `${test.backup.ledger.memoryBytes} bytes`);
    for (const payload of payloads.slice(0, taken / 2)) test.take(payload);
    // Digests of messages that never come do not take it all.
    const strangers = Array.from({ length: 15_000 }, (_, n) => `stranger ${n}`);
    await test.announceMany('b2', strangers);
    assert.deepEqual(
      test.refused.map(({ code }) => code),
      ['MEMORY_FULL'],
    );
    assert.equal(test.backup.ledger.refusedAnnouncements, 1);
    assert.ok(test.backup.ledger.waiting > 1000 && test.backup.ledger.waiting < 7000);
    test.take(payloads[0]!);
    test.checkLedger();
    await test.passUntil('all to be stored', () => test.backup.openRecords === 0);
    test.checkLedger();
  });

  it('refuses what it could never store: as long as it may be, or as it would be written', () => {
    const test = new TestBackup({ memory: 1 * MIB });
    thrownBy('MESSAGE_TOO_LARGE', () => test.take(Buffer.alloc(MIB * 0.6, 'a')));
    thrownBy('MESSAGE_TOO_LARGE', () => test.take(Buffer.alloc(MIB * 0.4, 7)));
    test.take(Buffer.alloc(MIB * 0.4, 'a'));
    thrownBy('MESSAGE_TOO_LARGE', () => test.take('a', 'x'.repeat(70_000)));
    test.checkLedger();
  });

  it('holds on to what the store does not take, in bounded memory, and stores it later', async () => {
    const store = new MemoryStore();
    const test = new TestBackup({ memory: 2 * MIB, store, count: 1000 });
    store.fault = ({ operation }) => (operation === 'put' ? 'STORE_UNREACHABLE' : undefined);
    const payloads = Array.from({ length: 6000 }, (_, n) => `${n} `.padEnd(200, 'x'));
    for (const payload of payloads) test.take(payload);
    await test.clock.pass(LATEST);
    await until('a failed upload', () => test.failed.length > 0);
    for (let n = 0; n < 50; n++) await test.clock.pass(1000);
    assert.ok(test.backup.ledger.memoryBytes <= 2 * MIB, `${test.backup.ledger.memoryBytes}`);
    assert.equal(test.backup.openRecords, 6000);
    test.checkLedger();
    store.fault = () => undefined;
    await test.passUntil('all to be stored', () => test.backup.openRecords === 0);
    assert.deepEqual(test.uploaded, payloads.map((text) => JSON.stringify(text)).sort());
    test.checkLedger();
  });

  it('counts a large announcement in several turns of the event loop, and tells when all is counted', async () => {
    const test = new TestBackup();
    const payloads = Array.from({ length: 10_000 }, (_, n) => `message ${n}`);
    for (const payload of payloads) test.take(payload);
    const told: string[] = [];
    const take = (batch: string, announced: readonly string[]): void => {
      for (const message of announcementOf(batch, announced))
        test.backup.take(CONTROL, message, 0, () => told.push(`${batch} at ${test.held}`));
    };
    take('b1', payloads.slice(0, 9000));
    assert.equal(test.held, 8000, 'no more in this turn');
    take('b2', payloads.slice(9000, 9001));
    test.take('meanwhile');
    test.checkLedger();
    for (let turn = 0; turn < 8; turn++) await nextTurn();
    assert.deepEqual(told, ['b1 at 1001', 'b2 at 1000']);
    take('b3', payloads.slice(9001));
    await test.backup.commit();
    assert.equal(test.held, 1, 'whoever commits has all counted');

    take('b4', payloads.slice(0, 9000));
    await test.backup.close(0);
    assert.equal(test.backup.ledger.waiting, 9000);
    test.checkLedger();
  });

  it('releases the memory of what is announced long before the rest', async () => {
    const test = new TestBackup();
    const payloads = Array.from({ length: 20_000 }, (_, n) => `${n} `.padEnd(200, 'x'));
    for (const payload of payloads) test.take(payload);
    const full = test.backup.ledger.memoryBytes;
    // A quiet destination: one in ten is announced last.
    const others = payloads.filter((_, n) => n % 10 !== 0);
    await test.announceMany('b1', others.slice(0, 15_000));
    await test.announceMany('b2', others.slice(15_000));
    assert.equal(test.held, 2000);
    assert.ok(
      test.backup.ledger.memoryBytes < full / 2.5,
      `${test.backup.ledger.memoryBytes} of ${full} bytes`,
    );
  });

  it('stores everything at once when it is told to, and ends', async () => {
    const test = new TestBackup();
    for (let n = 0; n < 1000; n++) test.take(String(n));
    test.backup.sealAll();
    await until('all uploads', () => test.backup.openRecords === 0);
    assert.equal(test.uploaded.length, 1000);
    await test.backup.close(0);
    thrownBy('CLOSED', () => test.take('late'));
    await nextTurn();
    assert.equal(test.clock.timers, 0);
  });

  it('goes on with other settings', async () => {
    const test = new TestBackup();
    test.take('a');
    test.backup.configure(test.settingsWith({ timeout: 10 * TIMEOUT }));
    await test.pass(2 * TIMEOUT);
    assert.equal(test.held, 1);
    test.take('b');
    test.backup.configure(test.settingsWith({ timeout: TIMEOUT }));
    await test.pass(100);
    assert.deepEqual(test.uploaded, ['"a"']);
    assert.equal(test.held, 1);
  });

  it('does exactly that, whatever comes in whatever order', () => {
    const content = fc.integer({ min: 0, max: 4 }).map((n) => `m${n}`);
    const step = fc.oneof(
      { weight: 4, arbitrary: content.map((take) => ({ take })) },
      {
        weight: 3,
        arbitrary: fc.array(content, { minLength: 1, maxLength: 5 }).map((announce) => ({ announce })),
      },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }).map((pass) => ({ pass })) },
    );
    return fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const test = new TestBackup();
        const held: { key: string; at: number }[] = [];
        const waiting: { key: string; at: number }[] = [];
        const uploaded: string[] = [];
        let batches = 0;
        let now = 0;
        const takeOldest = (from: { key: string }[], key: string): boolean => {
          const place = from.findIndex((row) => row.key === key);
          if (place !== -1) from.splice(place, 1);
          return place !== -1;
        };
        const isDue = ({ at }: { at: number }): boolean => now - at > LATEST;
        for (const one of [...steps, { pass: 10 }]) {
          if ('take' in one) {
            test.take(one.take);
            if (!takeOldest(waiting, one.take)) held.push({ key: one.take, at: now });
          } else if ('announce' in one) {
            test.announce(`b${batches++}`, ...one.announce);
            for (const key of one.announce) {
              if (!takeOldest(held, key)) waiting.push({ key, at: now });
            }
          } else {
            // Ages are never between the timeout and the latest that a message waits.
            for (let times = 0; times < one.pass; times++) await test.pass(240);
            now += 300 * one.pass;
            while (held[0] && isDue(held[0])) uploaded.push(JSON.stringify(held.shift()!.key));
            while (waiting[0] && isDue(waiting[0])) waiting.shift();
          }
          assert.equal(test.held, held.length);
          assert.equal(test.backup.ledger.waiting, waiting.length);
          test.checkLedger();
        }
        assert.deepEqual(test.uploaded, uploaded.sort());
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);
});
