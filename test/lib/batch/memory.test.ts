import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { S3BatchError } from '../../../lib/errors';
import { countOf, MIB, TestWriter, thrownBy, until } from './support';

const KIB = 1024;

/** A line of so many bytes that compression cannot make smaller by much. */
function noise(bytes: number): string {
  return JSON.stringify(
    randomBytes(Math.ceil(bytes / 2))
      .toString('hex')
      .slice(0, bytes - 3),
  );
}

describe('memory of batches', () => {
  it('refuses a message that alone is larger than all of it', async () => {
    const test = new TestWriter({ memory: 100 * KIB });
    test.append('plant/a', '1');
    const error = thrownBy('MESSAGE_TOO_LARGE', () => test.append('plant/a', noise(101 * KIB)));
    assert.match(error.message, /103423 bytes.*102400.*raise the memory limit/);
    assert.deepEqual([test.writer.counts.received, test.writer.counts.refused], [2, 1]);
    await test.writer.flush();
    assert.deepEqual(test.allLines, ['1']);
  });

  it('refuses a message that becomes larger than that in its frame', () => {
    const test = new TestWriter({ memory: 100 * KIB });
    thrownBy('MESSAGE_TOO_LARGE', () => test.append('plant/a', Buffer.alloc(80 * KIB, 0xff)));
    new TestWriter({ memory: 100 * KIB, framing: 'length' }).append('plant/a', Buffer.alloc(80 * KIB, 0xff));
  });

  it('refuses a topic that MQTT cannot have', () => {
    const test = new TestWriter();
    const error = thrownBy('MESSAGE_TOO_LARGE', () => test.append('x'.repeat(65_536)));
    assert.match(error.message, /topic has 65536 characters/);
    test.append('x'.repeat(65_535));
  });

  it('seals the largest batch early when open batches hold half of it', async () => {
    const test = new TestWriter({ memory: MIB });
    test.append('small/a', noise(10 * KIB));
    for (let n = 0; n < 4; n++) test.append('large/a', noise(100 * KIB));
    for (let n = 0; n < 10; n++) test.append('small/a', noise(10 * KIB));
    await test.untilStored(1);
    assert.deepEqual(
      test.stored.map(({ bucket, trigger, count }) => [bucket, trigger, count]),
      [['large', 'memory', 4]],
    );
    assert.equal(test.writer.openBatches[0]?.count, 11);
  });

  it('is never exceeded by more than one message and what a batch is opened with', () => {
    const test = new TestWriter({ memory: MIB });
    test.store.fault = () => 'STORE_UNREACHABLE';
    let refused = 0;
    for (let n = 0; n < 3000; n++) {
      try {
        test.append(`plant-${n % 50}/a`, noise(3 * KIB));
      } catch {
        refused++;
      }
      assert.ok(test.writer.heldBytes < 1.1 * MIB, `${test.writer.heldBytes}`);
    }
    assert.ok(refused > 0);
  });

  it('takes more than its size when records compress', async () => {
    const test = new TestWriter({ memory: MIB });
    test.store.fault = () => 'STORE_UNREACHABLE';
    const line = JSON.stringify('a'.repeat(10 * KIB));
    for (let n = 0; n < 500; n++) {
      test.append('plant/a', line);
      if (test.writer.heldBytes > 0.6 * MIB) await until('room', () => test.writer.heldBytes < 0.5 * MIB);
    }
    assert.equal(test.writer.counts.refused, 0);
    assert.ok(test.writer.uploads.pending > 5);
  });

  describe('when it is full', () => {
    async function fill(test: TestWriter): Promise<S3BatchError> {
      for (let n = 0; n < 10_000; n++) {
        try {
          test.append('plant/a', JSON.stringify(`${n} ${noise(20 * KIB)}`));
        } catch (error) {
          assert.ok(error instanceof S3BatchError);
          return error;
        }
        if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      assert.fail('it was never full');
    }

    it('refuses messages, says which failure of the uploads is behind it, and counts them', async () => {
      const test = new TestWriter({ memory: MIB });
      test.store.fault = () => 'ACCESS_DENIED';
      await fill(test);
      await until('a failure', () => test.failures.length > 0);
      const error = await fill(test);
      assert.equal(error.code, 'MEMORY_FULL');
      assert.match(error.message, /batches hold \d+ of 1048576 bytes.*uploads fail \(.*ACCESS_DENIED\)/);
      assert.equal((error.cause as S3BatchError).code, 'ACCESS_DENIED');
      assert.equal(test.writer.counts.refused, 2);
      assert.equal(test.writer.uploads.error, error.cause);
    });

    it('says that uploads are slow when none fails', async () => {
      const test = new TestWriter({ memory: MIB });
      test.store.gate = () => new Promise(() => undefined);
      const error = await fill(test);
      assert.equal(error.code, 'MEMORY_FULL');
      assert.match(error.message, /uploads are slower than messages come/);
      assert.equal(error.cause, undefined);
    });

    it('drops nothing: when the store is back all is stored, and messages are taken again', async () => {
      const test = new TestWriter({ memory: MIB });
      test.store.fault = () => 'STORE_UNREACHABLE';
      await fill(test);
      await until('a failure', () => test.failures.length > 0);
      const taken = test.writer.openRecords;
      assert.ok(taken > 40);
      test.store.fault = () => undefined;
      await test.clock.pass(60_000);
      await until('room', () => test.writer.uploads.pending === 0);
      test.append('plant/a', '"again"');
      await test.writer.flush();
      assert.equal(countOf(test.stored), taken + 1);
      const numbers = test.allLines
        .filter((line) => line !== '"again"')
        .map((line) => parseInt(line.slice(1)));
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: taken }, (_, n) => n),
      );
      assert.equal(test.writer.heldBytes, 0);
      assert.equal(test.writer.openRecords, 0);
    });

    it('makes room although every limit is off: a message that did not fit does later', async () => {
      const test = new TestWriter({ memory: 100 * KIB });
      test.append('plant/a', noise(30 * KIB));
      const large = noise(70 * KIB);
      thrownBy('MEMORY_FULL', () => test.append('plant/a', large));
      await test.untilStored(1);
      assert.deepEqual(test.triggers, ['memory']);
      test.append('plant/a', large);
    });
  });

  describe('strangers', () => {
    it('cannot exceed it with long topics: their texts count', () => {
      const test = new TestWriter({ memory: MIB, layout: { buckets: [{ topic: '#', bucket: 'bucket' }] } });
      test.store.gate = () => new Promise(() => undefined);
      let taken = 0;
      thrownBy('MEMORY_FULL', () => {
        for (; taken < 1000; taken++) test.append(`${'x'.repeat(60_000)}${taken}`);
      });
      assert.ok(taken < 12, `${taken} topics of 60,000 characters`);
    });

    it('cannot exceed it with line breaks, which are kept aside', () => {
      const test = new TestWriter({ memory: MIB });
      test.append('plant/a', '{}');
      const before = test.writer.heldBytes;
      for (let n = 0; n < 20; n++) test.append('plant/a', `{${'\n'.repeat(1000)}}`);
      assert.ok(test.writer.heldBytes - before > 20 * 8000);
    });

    it('cannot exceed it with tiny batches that wait: each counts with what it takes besides its bytes', async () => {
      const test = new TestWriter({ memory: MIB, limits: { count: 1 } });
      test.store.fault = () => 'STORE_UNREACHABLE';
      let taken = 0;
      const error = await (async () => {
        for (; taken < 10_000; taken++) {
          try {
            test.append(`plant-${taken}/a`);
          } catch (thrown) {
            return thrown as S3BatchError;
          }
          if (taken % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return undefined;
      })();
      assert.equal(error?.code, 'MEMORY_FULL');
      assert.ok(taken < 200, `${taken} batches in 1 MiB`);
    });

    it('cannot make a batch whose offset index no reader takes', async () => {
      const test = new TestWriter({
        memory: 256 * MIB,
        layout: { buckets: [{ topic: '#', bucket: 'bucket' }] },
      });
      for (let n = 0; n < 200; n++) test.append(`${'"'.repeat(65_000)}${n}`);
      await until('an early seal', () => test.stored.length >= 2);
      assert.ok(test.triggers.every((trigger) => trigger === 'memory'));
      assert.ok(test.stored.every(({ count }) => count < 90));
    });
  });

  it('of a batch is given back once it is stored', async () => {
    const test = new TestWriter({ limits: { count: 50 } });
    const gc = await exposedGc();
    const refs: WeakRef<object>[] = [];
    for (let n = 0; n < 5000; n++) {
      const settled = (): void => undefined;
      if (n % 500 === 0) refs.push(new WeakRef(settled));
      test.append(`plant/${n % 7}`, `{"n":${n}}`, settled);
    }
    const flushed = test.writer.flush();
    await test.untilStored(100);
    await flushed;
    assert.equal(test.writer.heldBytes, 0);
    assert.deepEqual(test.writer.uploads, { pending: 0, active: 0, error: undefined });
    assert.equal(test.clock.timers, 0);
    // Callbacks and records are held by the same batch; the collector may need some turns.
    for (let turn = 0; turn < 50 && refs.some((ref) => ref.deref()); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    assert.deepEqual(
      refs.map((ref) => ref.deref()),
      refs.map(() => undefined),
    );
  });

  it('of stored objects is not kept by a flush that waits for another one', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    const gc = await exposedGc();
    const refs: WeakRef<object>[] = [];
    let release = (): void => undefined;
    test.store.gate = ({ bucket }) =>
      bucket === 'slow' ? new Promise((resolve) => (release = resolve)) : undefined;
    const put = test.store.put.bind(test.store);
    test.store.put = (bucket, key, body, options) => {
      if (bucket === 'plant') refs.push(new WeakRef(body));
      return put(bucket, key, body, options);
    };
    test.append('slow/a');
    for (let n = 0; n < 20; n++) test.append('plant/a', noise(10 * KIB));
    const flushed = test.writer.flush();
    await test.untilStored(20);
    for (let turn = 0; turn < 50 && refs.some((ref) => ref.deref()); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    assert.equal(refs.length, 20);
    assert.equal(refs.filter((ref) => ref.deref()).length, 0);
    release();
    assert.equal((await flushed).length, 21);
  });
});

/** The garbage collector, on call. */
async function exposedGc(): Promise<() => void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([
    import('node:v8'),
    import('node:vm'),
  ]);
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
