import assert from 'node:assert/strict';

import { nextTurn } from '../../support/fake-clock';
import { TestWriter } from './support';

const DAY = 24 * 3600 * 1000;

describe('what seals a batch', () => {
  describe('count', () => {
    it('seals with the record that makes it full, and not before', async () => {
      const test = new TestWriter({ limits: { count: 3 } });
      test.append('plant/a');
      test.append('plant/b');
      assert.equal(test.writer.uploads.pending, 0);
      test.append('plant/c');
      assert.deepEqual(test.writer.openBatches, []);
      await test.untilStored(1);
      assert.equal(test.stored[0]?.count, 3);
      assert.deepEqual(test.triggers, ['count']);
    });

    it('begins a new batch afterwards', async () => {
      const test = new TestWriter({ limits: { count: 3 } });
      for (let n = 0; n < 10; n++) test.append('plant/a', String(n));
      await test.untilStored(3);
      assert.deepEqual(
        test.stored.map(({ count }) => count),
        [3, 3, 3],
      );
      assert.equal(test.writer.openBatches[0]?.count, 1);
    });

    it('of one makes an object of every record', async () => {
      const test = new TestWriter({ limits: { count: 1 } });
      for (let n = 0; n < 3; n++) test.append('plant/a', String(n));
      await test.untilStored(3);
      assert.deepEqual(test.allLines.sort(), ['0', '1', '2']);
    });
  });

  describe('bytes', () => {
    it('seals before the record that would go beyond the limit: no object is larger than it', async () => {
      const test = new TestWriter({ limits: { bytes: 10 } });
      test.append('plant/a', '"123"'); // with its line feed 6 bytes
      test.append('plant/a', '"12"'); // 5
      assert.equal(test.writer.openBatches[0]?.bytes, 5);
      await test.untilStored(1);
      assert.deepEqual(test.triggers, ['bytes']);
      assert.equal(test.stored[0]?.payloadBytes, 6);
    });

    it('seals at once when the limit is met exactly', async () => {
      const test = new TestWriter({ limits: { bytes: 10 } });
      test.append('plant/a', '"12"');
      test.append('plant/a', '"34"');
      await test.untilStored(1);
      assert.equal(test.stored[0]?.payloadBytes, 10);
      assert.deepEqual(test.writer.openBatches, []);
    });

    it('gives a message that is larger than the limit a batch of its own', async () => {
      // One upload at a time keeps the order of sealing.
      const test = new TestWriter({ limits: { bytes: 10 }, uploads: 1 });
      test.append('plant/a', '1');
      test.append('plant/a', '"a message that is too long"');
      test.append('plant/a', '2');
      await test.untilStored(2);
      assert.deepEqual(
        test.stored.map(({ count, payloadBytes }) => [count, payloadBytes]),
        [
          [1, 2],
          [1, 29],
        ],
      );
      assert.equal(test.writer.openBatches[0]?.count, 1);
    });
  });

  describe('age', () => {
    it('seals a batch of a topic that has gone quiet: no message is needed', async () => {
      const test = new TestWriter({ limits: { age: 300_000 } });
      test.append('plant/a');
      await test.clock.pass(299_999);
      assert.equal(test.writer.openBatches.length, 1);
      await test.clock.pass(1);
      assert.deepEqual(test.writer.openBatches, []);
      await test.untilStored(1);
      assert.deepEqual(test.triggers, ['age']);
    });

    it('counts from the first record, whatever comes later', async () => {
      const test = new TestWriter({ limits: { age: 1000 } });
      for (let n = 0; n < 10; n++) {
        test.append('plant/a');
        await test.clock.pass(100);
      }
      await test.untilStored(1);
      assert.equal(test.stored[0]?.count, 10);
      assert.deepEqual(test.triggers, ['age']);
    });

    it('counts for each destination on its own', async () => {
      const test = new TestWriter({ limits: { age: 1000 } });
      test.append('plant-1/a');
      await test.clock.pass(600);
      test.append('plant-2/a');
      await test.clock.pass(400);
      await test.untilStored(1);
      assert.equal(test.stored[0]?.bucket, 'plant-1');
      await test.clock.pass(600);
      await test.untilStored(2);
      assert.equal(test.stored[1]?.bucket, 'plant-2');
    });

    it('is measured by the clock that never runs back: setting the wall clock does nothing', async () => {
      const test = new TestWriter({ limits: { age: 1000 } });
      test.append('plant/a');
      test.clock.setWall(Date.UTC(1999, 0, 1));
      await test.clock.pass(999);
      test.clock.setWall(Date.UTC(2035, 0, 1));
      await nextTurn();
      assert.equal(test.writer.openBatches.length, 1);
      assert.equal(test.writer.openBatches[0]?.ageSeconds, 1);
      await test.clock.pass(1);
      await test.untilStored(1);
    });

    it('may be longer than a timer can wait', async () => {
      const test = new TestWriter({ limits: { age: 40 * DAY } });
      test.append('plant/a');
      await test.clock.pass(40 * DAY - 1);
      assert.equal(test.writer.openBatches.length, 1);
      await test.clock.pass(1);
      await test.untilStored(1);
    });
  });

  describe('idle', () => {
    it('seals when no record has come for so long', async () => {
      const test = new TestWriter({ limits: { idle: 1000 } });
      for (let n = 0; n < 5; n++) {
        test.append('plant/a');
        await test.clock.pass(900);
      }
      assert.equal(test.writer.openBatches[0]?.count, 5);
      await test.clock.pass(100);
      await test.untilStored(1);
      assert.deepEqual(test.triggers, ['idle']);
      assert.equal(test.stored[0]?.count, 5);
    });

    it('is not put off by records of other destinations', async () => {
      const test = new TestWriter({ limits: { idle: 1000 } });
      test.append('plant-1/a');
      await test.clock.pass(500);
      test.append('plant-2/a');
      await test.clock.pass(500);
      await test.untilStored(1);
      assert.equal(test.stored[0]?.bucket, 'plant-1');
    });
  });

  it('is whichever comes first', async () => {
    const test = new TestWriter({ limits: { count: 3, bytes: 20, age: 1000, idle: 400 } });
    for (let n = 0; n < 3; n++) test.append('by-count/a', '1');
    for (let n = 0; n < 2; n++) test.append('by-bytes/a', '"1234567"');
    test.append('by-idle/a');
    await test.clock.pass(400);
    await test.untilStored(3);
    const triggers = test.stored.map(({ bucket, trigger }) => [bucket, trigger]);
    assert.deepEqual(Object.fromEntries(triggers), {
      'by-count': 'count',
      'by-bytes': 'bytes',
      'by-idle': 'idle',
    });
  });

  it('is the age when records keep coming, few and small', async () => {
    const test = new TestWriter({ limits: { count: 5, bytes: 20, age: 1000, idle: 400 } });
    for (let n = 0; n < 4; n++) {
      test.append('plant/a', '1');
      await test.clock.pass(300);
    }
    await test.untilStored(1);
    assert.deepEqual(test.triggers, ['age']);
  });

  it('is nothing when all limits are off', async () => {
    const test = new TestWriter();
    for (let n = 0; n < 20_000; n++) test.append('plant/a', '"0123456789"');
    await test.clock.pass(365 * DAY);
    assert.equal(test.clock.timers, 0);
    assert.equal(test.writer.openBatches[0]?.count, 20_000);
    assert.equal(test.writer.uploads.pending, 0);
  });

  it('leaves no timer behind', async () => {
    const test = new TestWriter({ limits: { count: 2, age: 1000, idle: 500 } });
    for (let n = 0; n < 10; n++) test.append('plant/a');
    await test.untilStored(5);
    assert.equal(test.clock.timers, 0);
  });
});
