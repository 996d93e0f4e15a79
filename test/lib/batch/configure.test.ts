import assert from 'node:assert/strict';

import { MemoryStore } from '../../support/memory-store';
import { nextTurn } from '../../support/fake-clock';
import { TestWriter, until } from './support';

describe('a writer that is configured anew', () => {
  it('keeps batches open, with their identity, when the objects stay the same', async () => {
    const test = new TestWriter({ limits: { age: 10_000 } });
    test.append('plant/a', '1');
    const before = test.writer.openBatches;
    // A layout of its own with the same settings, as a deploy makes it.
    test.writer.configure(test.settingsWith({ limits: { age: 10_000 }, uploads: 2, memory: 10_000_000 }));
    assert.deepEqual(test.writer.openBatches, before);
    test.append('plant/a', '2');
    const [object] = await test.writer.flush();
    assert.equal(object?.batch, before[0]?.batch);
    assert.deepEqual(test.allLines, ['1', '2']);
  });

  const changes: [string, Parameters<TestWriter['settingsWith']>[0]][] = [
    ['layout', { layout: { objectName: 'new/{{batch}}{{extension}}' } }],
    ['key', { layout: { key: 'DEVICE/t' } }],
    ['framing', { framing: 'length' }],
    ['compression', { compression: 'none' }],
    ['block size', { blockSize: 1000 }],
    ['instance', { instance: 'another' }],
  ];
  for (const [name, change] of changes) {
    it(`seals them under their old name when the ${name} changes`, async () => {
      const test = new TestWriter({ layout: { objectName: 'old/{{instance}}/{{batch}}{{extension}}' } });
      test.append('plant/a', '1');
      const layout = { objectName: 'old/{{instance}}/{{batch}}{{extension}}', ...change.layout };
      test.writer.configure(test.settingsWith({ ...change, layout }));
      assert.deepEqual(test.writer.openBatches, []);
      test.append('plant/a', '2');
      await test.untilStored(1);
      assert.deepEqual(test.triggers, ['close']);
      assert.match(test.stored[0]?.key ?? '', /^old\/test\/\w{20}\.ndjson\.gz$/);
      assert.deepEqual(test.allLines, ['1']);
      await test.writer.flush();
      assert.equal(test.stored[1]?.count, 1);
    });
  }

  it('seals what the new limits call full', async () => {
    const test = new TestWriter();
    for (let n = 0; n < 10; n++) test.append('plant-1/a', String(n));
    test.append('plant-2/a', JSON.stringify('x'.repeat(100)));
    test.append('plant-3/a', '1');
    test.writer.configure(test.settingsWith({ limits: { count: 5, bytes: 100 } }));
    await test.untilStored(2);
    assert.deepEqual(test.triggers.sort(), ['bytes', 'count']);
    assert.equal(test.writer.openBatches.length, 1);
  });

  it('measures the age from when the batch was opened, by the new limit', async () => {
    const test = new TestWriter({ limits: { age: 10_000 } });
    test.append('plant/a');
    await test.clock.pass(4000);
    test.writer.configure(test.settingsWith({ limits: { age: 5000 } }));
    await test.clock.pass(999);
    assert.equal(test.writer.openBatches.length, 1);
    await test.clock.pass(1);
    assert.equal(test.writer.openBatches.length, 0);
    await test.untilStored(1);

    test.append('plant/a');
    test.writer.configure(test.settingsWith({ limits: { age: 0 } }));
    assert.equal(test.clock.timers, 0);
  });

  it('does not take records that came before the idle limit for idle at once', async () => {
    const test = new TestWriter();
    test.append('plant/a');
    await test.clock.pass(50_000);
    test.append('plant/a');
    test.writer.configure(test.settingsWith({ limits: { idle: 1000 } }));
    await test.clock.pass(999);
    assert.equal(test.writer.openBatches.length, 1);
    await test.clock.pass(1);
    await test.untilStored(1);
    assert.deepEqual(test.triggers, ['idle']);
  });

  it('tries what was held at once, on the new store', async () => {
    for (const code of ['STORE_UNREACHABLE', 'ACCESS_DENIED', 'BUCKET_MISSING'] as const) {
      const test = new TestWriter({ limits: { count: 1 } });
      test.store.fault = () => code;
      for (let n = 0; n < 6; n++) test.append(`plant-${n % 2}/a`, String(n));
      for (let attempt = 1; attempt <= 7; attempt++) {
        await until('failures', () => test.failures.length >= attempt);
        await test.clock.pass(60_000);
      }
      const elapsed = test.clock.elapsed();
      const store = new MemoryStore();
      test.writer.configure(test.settingsWith({ limits: { count: 1 }, store }));
      await test.untilStored(6);
      assert.equal(test.clock.elapsed(), elapsed);
      assert.equal(store.names.length, 6);
      assert.equal(test.store.names.length, 0);
    }
  });

  it('begins with short pauses when the new store fails, too', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    test.store.fault = () => 'ACCESS_DENIED';
    test.append('plant/a');
    for (let attempt = 1; attempt <= 8; attempt++) {
      await until('a failure', () => test.failures.length >= attempt);
      await test.clock.pass(60_000);
    }
    const store = new MemoryStore();
    store.fault = () => 'ACCESS_DENIED';
    test.failures.length = 0;
    test.writer.configure(test.settingsWith({ limits: { count: 1 }, store }));
    await until('a failure', () => test.failures.length === 1);
    assert.ok(test.failures[0]!.pause <= 1000);
  });

  it('tries on the new store what fails on the old one afterwards, and does not blame the new one', async () => {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 1 });
    let fail = (): void => undefined;
    test.store.gate = () => new Promise((resolve) => (fail = resolve));
    test.store.fault = () => 'ABORTED';
    test.append('plant/a', '1');
    await until('an upload', () => test.store.active === 1);
    const store = new MemoryStore();
    test.writer.configure(test.settingsWith({ limits: { count: 1 }, uploads: 1, store }));
    test.append('plant/a', '2');
    fail();
    await test.untilStored(2);
    assert.equal(test.failures.length, 0);
    assert.equal(store.names.length, 2);
  });

  it('runs as many uploads as the new settings say', async () => {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 1 });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    test.store.gate = () => gate;
    for (let n = 0; n < 10; n++) test.append('plant/a', String(n));
    await until('one upload', () => test.store.active === 1);
    test.writer.configure(test.settingsWith({ limits: { count: 1 }, uploads: 5 }));
    await until('five uploads', () => test.store.active === 5);
    open();
    await test.untilStored(10);
  });
});

describe('a writer that is closed', () => {
  it('seals and stores everything, and answers that nothing is left', async () => {
    const test = new TestWriter();
    for (let n = 0; n < 30; n++) test.append(`plant-${n % 3}/a`, String(n));
    assert.deepEqual(await test.writer.close(10_000), []);
    assert.deepEqual(test.triggers, ['close', 'close', 'close']);
    assert.equal(test.allLines.length, 30);
    assert.equal(test.clock.timers, 0);
  });

  it('takes nothing more', async () => {
    const test = new TestWriter();
    const closed = test.writer.close(1000);
    assert.throws(() => test.append('plant/a'), { code: 'CLOSED' });
    await closed;
    assert.throws(() => test.append('plant/a'), { code: 'CLOSED' });
    assert.equal(test.writer.counts.refused, 2);
  });

  it('does not wait longer than it may, stores what it can until then, and answers the rest', async () => {
    const test = new TestWriter({ uploads: 2 });
    test.store.fault = ({ bucket }) => (bucket === 'plant-1' ? 'ACCESS_DENIED' : undefined);
    test.store.gate = ({ bucket }) => (bucket === 'plant-2' ? new Promise(() => undefined) : undefined);
    for (let n = 0; n < 8; n++) test.append(`plant-${n % 4}/a`, String(n));
    let answered = false;
    const closed = test.writer.close(10_000).finally(() => (answered = true));
    await test.untilStored(2);
    await test.clock.pass(9_999);
    assert.equal(answered, false);
    await test.clock.pass(1);
    const left = await closed;
    assert.deepEqual(
      left.map(({ bucket, count }) => [bucket, count]),
      [
        ['plant-1', 2],
        ['plant-2', 2],
      ],
    );
    assert.deepEqual(test.stored.map(({ bucket }) => bucket).sort(), ['plant-0', 'plant-3']);
    assert.equal(test.clock.timers, 0);
  });

  it('tries at once what was waiting, and again while there is time', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    test.store.fault = () => 'STORE_UNREACHABLE';
    test.append('plant/a');
    for (let attempt = 1; attempt <= 7; attempt++) {
      await until('a failure', () => test.failures.length >= attempt);
      await test.clock.pass(60_000);
    }
    test.failures.length = 0;
    const calls = test.store.calls.length;
    const closed = test.writer.close(10_000);
    await until('an attempt', () => test.failures.length === 1);
    assert.equal(test.store.calls.length, calls + 1);
    test.store.fault = () => undefined;
    await test.clock.pass(1000);
    assert.deepEqual(await closed, []);
    assert.equal(test.stored.length, 1);
  });

  it('starts nothing once it has given up', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    test.store.fault = () => 'STORE_UNREACHABLE';
    for (let n = 0; n < 5; n++) test.append(`plant-${n}/a`);
    await until('a failure', () => test.failures.length >= 1);
    const closed = test.writer.close(0);
    await test.clock.pass(0);
    assert.equal((await closed).length, 5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const calls = test.store.calls.length;
    test.store.fault = () => undefined;
    await test.clock.pass(600_000);
    assert.equal(test.store.calls.length, calls);
  });

  it('counts an upload that ends after it has given up', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    let open = (): void => undefined;
    test.store.gate = () => new Promise((resolve) => (open = resolve));
    let error: Error | undefined;
    test.append('plant/a', '1', (reason) => (error = reason));
    await until('an upload', () => test.store.active === 1);
    const closed = test.writer.close(100);
    await test.clock.pass(100);
    assert.equal((await closed).length, 1);
    open();
    await test.untilStored(1);
    assert.ok(error && 'code' in error && error.code === 'CLOSED');
    assert.equal(test.writer.openRecords, 0);
  });

  it('can be closed again', async () => {
    const test = new TestWriter();
    test.append('plant/a');
    await test.writer.close(1000);
    assert.deepEqual(await test.writer.close(1000), []);
    await nextTurn();
    assert.equal(test.stored.length, 1);
  });
});
