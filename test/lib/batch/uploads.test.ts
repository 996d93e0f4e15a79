import assert from 'node:assert/strict';

import type { ErrorCode } from '../../../lib/errors';
import { nextTurn } from '../../support/fake-clock';
import { MemoryStore, type StoreCall } from '../../support/memory-store';
import { TestWriter, until } from './support';

const STORE_WIDE: ErrorCode[] = [
  'STORE_UNREACHABLE',
  'STORE_TIMEOUT',
  'STORE_BUSY',
  'STORE_TLS',
  'CREDENTIALS_INVALID',
  'CLOCK_SKEWED',
];
const OF_ONE_OBJECT: ErrorCode[] = [
  'ACCESS_DENIED',
  'BUCKET_MISSING',
  'BUCKET_INVALID',
  'STORE_REFUSED',
  'STORE_PROTOCOL',
  'OBJECT_EXISTS',
  'ABORTED',
];

/** Seals `count` batches of one record each, `one-0`, `one-1`, …, each in a bucket of its own. */
function seal(test: TestWriter, count: number): void {
  for (let n = 0; n < count; n++) test.append(`one-${n}/a`, String(n));
}

/** A gate that lets calls through one by one. */
class Gate {
  readonly waiting: { call: StoreCall; open: () => void }[] = [];

  constructor(store: MemoryStore) {
    store.gate = (call) =>
      new Promise((open) => {
        this.waiting.push({ call, open });
      });
  }

  async letThrough(): Promise<StoreCall> {
    await until('a call', () => this.waiting.length > 0);
    const next = this.waiting.shift()!;
    next.open();
    await nextTurn();
    return next.call;
  }
}

describe('uploads', () => {
  it('run side by side up to their number, and no more', async () => {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 3 });
    const gate = new Gate(test.store);
    seal(test, 10);
    await until('three uploads', () => gate.waiting.length === 3);
    assert.equal(test.writer.uploads.active, 3);
    assert.equal(test.writer.uploads.pending, 10);
    for (let n = 0; n < 10; n++) await gate.letThrough();
    await test.untilStored(10);
    assert.equal(test.store.mostActive, 3);
  });

  it('run one at a time when their number is 1, or a mistake', async () => {
    for (const uploads of [1, 0]) {
      const test = new TestWriter({ limits: { count: 1 }, uploads });
      seal(test, 5);
      await test.untilStored(5);
      assert.equal(test.store.mostActive, 1);
    }
  });

  it('go oldest first', async () => {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 1 });
    const gate = new Gate(test.store);
    seal(test, 20);
    const order: string[] = [];
    for (let n = 0; n < 20; n++) {
      order.push((await gate.letThrough()).bucket);
      await until('the others encoded', () => gate.waiting.length === 1 || order.length === 20);
    }
    assert.deepEqual(
      order,
      Array.from({ length: 20 }, (_, n) => `one-${n}`),
    );
  });

  it('hold an object however the store fails, and repeat it until it is stored', async () => {
    for (const code of [...STORE_WIDE, ...OF_ONE_OBJECT]) {
      const test = new TestWriter({ limits: { count: 1 } });
      test.store.fault = () => code;
      test.append('plant/a', '"precious"');
      for (let attempt = 1; attempt <= 8; attempt++) {
        await until(`${code}, attempt ${attempt}`, () => test.failures.length === attempt);
        assert.equal(test.writer.uploads.error?.code, code);
        assert.equal(test.failures.at(-1)?.upload.failures, attempt);
        await test.clock.pass(test.failures.at(-1)?.pause ?? 0);
      }
      test.store.fault = () => undefined;
      await test.clock.pass(60_000);
      await test.untilStored(1);
      assert.deepEqual(test.allLines, ['"precious"'], code);
      assert.equal(test.writer.uploads.error, undefined);
      assert.equal(test.writer.heldBytes, 0);
    }
  });

  it('hold it too when what the store throws is no error of its port', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    const put = test.store.put.bind(test.store);
    test.store.put = () => Promise.reject(new TypeError('a bug'));
    test.append('plant/a');
    await until('a failure', () => test.failures.length === 1);
    assert.equal(test.failures[0]?.error.code, 'STORE_REFUSED');
    assert.match(test.failures[0].error.message, /a bug/);
    test.store.put = put;
    await test.clock.pass(1000);
    await test.untilStored(1);
  });

  it('pause longer after each failure, from 1 s to 60 s, shortened by chance by up to a half', async () => {
    for (const code of ['STORE_UNREACHABLE', 'ACCESS_DENIED'] as const) {
      const pauses: number[][] = [];
      for (let run = 0; run < 5; run++) {
        const test = new TestWriter({ limits: { count: 1 } });
        test.store.fault = () => code;
        test.append('plant/a');
        for (let attempt = 1; attempt <= 9; attempt++) {
          await until(`attempt ${attempt}`, () => test.failures.length === attempt);
          const { pause } = test.failures.at(-1)!;
          await test.clock.pass(pause - 1);
          assert.equal(test.store.calls.length, attempt);
          await test.clock.pass(1);
        }
        pauses.push(test.failures.slice(0, 9).map(({ pause }) => pause));
      }
      for (const run of pauses) {
        run.forEach((pause, failure) => {
          const whole = Math.min(60_000, 1000 * 2 ** failure);
          assert.ok(pause >= whole / 2 && pause <= whole, `${pause} ms after failure ${failure + 1}`);
        });
      }
      assert.equal(new Set(pauses.flat()).size, pauses.flat().length);
    }
  });

  it('begin with short pauses again after a success', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    for (let outage = 0; outage < 3; outage++) {
      test.failures.length = 0;
      test.store.fault = () => 'STORE_UNREACHABLE';
      test.append('plant/a');
      for (let attempt = 1; attempt <= 5; attempt++) {
        await until('a failure', () => test.failures.length === attempt);
        if (attempt === 1) assert.ok(test.failures[0]!.pause <= 1000);
        await test.clock.pass(test.failures.at(-1)!.pause);
      }
      test.store.fault = () => undefined;
      await test.clock.pass(60_000);
      await test.untilStored(outage + 1);
    }
  });

  describe('when the store fails as a whole', () => {
    it('only one attempt at a time finds out whether it is back, and then all go on', async () => {
      const test = new TestWriter({ limits: { count: 1 }, uploads: 4 });
      test.store.fault = () => 'STORE_UNREACHABLE';
      const gate = new Gate(test.store);
      seal(test, 20);
      await until('four uploads', () => gate.waiting.length === 4);
      test.store.gate = () => undefined;
      for (let n = 0; n < 4; n++) await gate.letThrough();
      // What failed together is one failure: one pause, told once.
      assert.equal(test.failures.length, 1);
      for (let probe = 1; probe <= 6; probe++) {
        await test.clock.pass(test.failures.at(-1)!.pause);
        await nextTurn();
        assert.equal(test.store.calls.length, 4 + probe);
        assert.equal(test.failures.length, 1 + probe);
      }
      test.store.fault = () => undefined;
      test.store.mostActive = 0;
      await test.clock.pass(test.failures.at(-1)!.pause);
      await test.untilStored(20);
      assert.ok(test.store.mostActive <= 4);
      assert.equal(test.clock.timers, 0);
    });

    it('sealed batches are encoded meanwhile, and wait', async () => {
      const test = new TestWriter({ limits: { count: 1 } });
      test.store.fault = () => 'STORE_UNREACHABLE';
      seal(test, 1);
      await until('the failure', () => test.failures.length === 1);
      const one = test.writer.heldBytes;
      for (let n = 0; n < 5; n++) test.append('plant/a', JSON.stringify('x'.repeat(50_000)));
      await until('small', () => test.writer.heldBytes < 8 * one);
      assert.equal(test.store.calls.length, 1);
      assert.equal(test.writer.uploads.pending, 6);
    });

    it('an object that fails every time does not hold up the others', async () => {
      const test = new TestWriter({ limits: { count: 1 }, uploads: 1 });
      test.store.fault = ({ bucket }) => (bucket === 'one-0' ? 'STORE_TIMEOUT' : undefined);
      seal(test, 10);
      for (let n = 0; n < 29 && test.stored.length < 9; n++) {
        const calls = test.store.calls.length;
        await test.clock.pass(1000);
        // A pause may not be over yet, or compression may take its time on other threads.
        await until('an attempt', () => test.store.calls.length > calls, 200).catch(() => undefined);
      }
      await test.untilStored(9);
      assert.ok(test.stored.every(({ bucket }) => bucket !== 'one-0'));
      assert.equal(test.writer.uploads.pending, 1);
      assert.ok(test.clock.elapsed() < 30_000);
    });

    it('that is not so while others are stored: an object that times out beside them pauses alone', async () => {
      const test = new TestWriter({ limits: { count: 1 }, uploads: 2 });
      let fail = (): void => undefined;
      test.store.gate = ({ bucket }) =>
        bucket === 'one-0' ? new Promise((resolve) => (fail = resolve)) : undefined;
      test.store.fault = ({ bucket }) => (bucket === 'one-0' ? 'STORE_TIMEOUT' : undefined);
      seal(test, 5);
      await test.untilStored(4);
      fail();
      await until('the failure', () => test.failures.length === 1);
      test.append('one-9/a');
      await test.untilStored(5);
    });

    it('an answer of any kind shows that it is back', async () => {
      const test = new TestWriter({ limits: { count: 1 }, uploads: 2 });
      test.store.fault = () => 'STORE_UNREACHABLE';
      seal(test, 6);
      await until('the failure', () => test.failures.length === 1);
      test.store.fault = ({ bucket }) => (bucket === 'one-0' ? 'ACCESS_DENIED' : undefined);
      await test.clock.pass(1000);
      await test.untilStored(5);
      assert.equal(test.writer.uploads.error?.code, 'ACCESS_DENIED');
    });
  });

  describe('when a bucket is missing', () => {
    it('only its objects wait, the others go on; and all of them go on after its first success', async () => {
      const store = new MemoryStore('there');
      const test = new TestWriter({ limits: { count: 1 }, uploads: 2 }, store);
      for (let n = 0; n < 5; n++) {
        test.append('gone/a', String(n));
        test.append('there/a', String(n));
      }
      await test.untilStored(5);
      await until('all failures', () => test.failures.length === 5);
      assert.ok(test.failures.every(({ error }) => error.code === 'BUCKET_MISSING'));
      for (let n = 0; n < 10; n++) await test.clock.pass(15_000);
      assert.equal(test.stored.length, 5);

      store.createBucket('gone');
      const calls = store.calls.length;
      await test.clock.pass(test.clock.untilNext);
      await test.untilStored(10);
      assert.equal(store.calls.length, calls + 5);
      assert.equal(test.clock.timers, 0);
    });

    it('a success in another bucket wakes nothing', async () => {
      const test = new TestWriter({ limits: { count: 1 } }, new MemoryStore('there'));
      test.append('gone/a');
      await until('the failure', () => test.failures.length === 1);
      test.append('there/a');
      await test.untilStored(1);
      await nextTurn();
      assert.equal(test.failures.length, 1);
    });

    it('is told with its bucket and how often it failed', async () => {
      const test = new TestWriter({ limits: { count: 1 } }, new MemoryStore('there'));
      test.append('gone/a');
      await until('the failure', () => test.failures.length === 1);
      const { upload, pause } = test.failures[0]!;
      assert.equal(upload.batch.bucket, 'gone');
      assert.equal(upload.failures, 1);
      assert.ok(pause > 0);
    });
  });

  it('an object that is refused while its bucket takes others keeps its own growing pauses', async () => {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 2 });
    let refused = '';
    test.store.fault = ({ key }) => {
      if (refused === '') refused = key;
      return key === refused ? 'ACCESS_DENIED' : undefined;
    };
    test.append('plant/a', '"first"');
    await until('the failure', () => test.failures.length === 1);
    for (let n = 0; n < 20; n++) test.append('plant/a', String(n));
    await test.untilStored(20);
    assert.equal(test.store.calls.filter(({ key }) => key === refused).length, 1);
  });

  describe('repeated', () => {
    it('write the same name and the same bytes', async () => {
      const test = new TestWriter({ limits: { count: 100 } });
      const seen: { name: string; body: Buffer; attributes: string }[] = [];
      const put = test.store.put.bind(test.store);
      test.store.put = (bucket, key, body, options) => {
        seen.push({
          name: `${bucket}/${key}`,
          body: Buffer.from(body),
          attributes: JSON.stringify(options.attributes),
        });
        return put(bucket, key, body, options);
      };
      test.store.fault = () => 'STORE_TIMEOUT';
      for (let n = 0; n < 100; n++)
        test.append(`plant/${n % 5}`, `{"t":${1_538_413_835_000 + ((n * 37) % 100)}}`);
      for (let attempt = 1; attempt <= 3; attempt++) {
        await until('a failure', () => test.failures.length === attempt);
        await test.clock.pass(test.failures.at(-1)!.pause);
      }
      assert.ok(seen.length >= 3);
      for (const one of seen) assert.deepEqual(one, seen[0]);
    });

    it('store nothing twice after an upload that failed only in its answer', async () => {
      const test = new TestWriter({ limits: { count: 1 } });
      test.store.fault = () => ({ code: 'STORE_TIMEOUT', after: true });
      test.append('plant/a', '"once"');
      await until('the failure', () => test.failures.length === 1);
      assert.deepEqual(test.allLines, ['"once"']);
      test.store.fault = () => undefined;
      await test.clock.pass(1000);
      await test.untilStored(1);
      assert.deepEqual(test.allLines, ['"once"']);
      assert.equal(test.writer.counts.stored, 1);
    });
  });

  it('of batches that were sealed in the same millisecond have different names', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    for (let n = 0; n < 200; n++) test.append('plant/a', '{"t":1538413835000}');
    await test.untilStored(200);
    assert.equal(new Set(test.stored.map(({ key }) => key)).size, 200);
    assert.equal(test.store.names.length, 200);
    assert.equal(
      new Set(test.stored.map(({ key }) => key.slice(0, -'xxxxxxxxxxxxxxxxxxxx.ndjson.gz'.length))).size,
      1,
    );
  });

  it('tell what was stored', async () => {
    const test = new TestWriter();
    test.append('plant/a', '{"t":1538413835000}');
    test.append('plant/a', '{"t":1538413834000}');
    const batch = test.writer.openBatches[0]?.batch;
    const [object] = await test.writer.flush();
    assert.ok(object);
    const { etag, size } = await test.store.head(object.bucket, object.key);
    assert.deepEqual(object, {
      bucket: 'plant',
      key: `dt=2018-10-01/20181001T171034Z-20181001T171035Z-${batch}.ndjson.gz`,
      etag,
      bytes: size,
      payloadBytes: 40,
      count: 2,
      first: 1_538_413_834_000,
      last: 1_538_413_835_000,
      batch,
      trigger: 'flush',
    });
    assert.deepEqual(test.stored, [object]);
  });

  describe('of plain objects', () => {
    it('store the sidecar with the index before the object', async () => {
      const test = new TestWriter({ limits: { count: 1 }, compression: 'none' });
      test.append('plant/a', '1');
      await test.untilStored(1);
      const key = test.stored[0]?.key ?? '';
      assert.match(key, /\.ndjson$/);
      assert.deepEqual(
        test.store.calls.map((call) => call.key),
        [`${key}.index.gz`, key],
      );
      assert.equal(test.store.body('plant', key).toString(), '1\n');
    });

    it('never show an object without its sidecar, wherever they fail', async () => {
      for (const suffix of ['.index.gz', '.ndjson']) {
        for (const after of [false, true]) {
          const test = new TestWriter({ limits: { count: 1 }, compression: 'none' });
          test.store.fault = ({ key }) =>
            key.endsWith(suffix) ? { code: 'STORE_TIMEOUT', after } : undefined;
          test.append('plant/a', '1');
          await until('the failure', () => test.failures.length === 1);
          const names = test.store.names;
          assert.ok(!names.some((name) => name.endsWith('.ndjson')) || names.length === 2, names.join());
          test.store.fault = () => undefined;
          await test.clock.pass(1000);
          await test.untilStored(1);
          assert.equal(test.store.names.length, 2);
        }
      }
    });
  });
});
