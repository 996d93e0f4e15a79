import assert from 'node:assert/strict';

import { nextTurn } from '../../support/fake-clock';
import { TestWriter, until } from './support';

const DAY = 24 * 3600 * 1000;
const OCTOBER_1 = Date.UTC(2018, 9, 1);

/** One open batch in each of two plants and three days. */
function filled(): TestWriter {
  const test = new TestWriter();
  for (const plant of ['plant-7', 'plant-70']) {
    for (let day = 0; day < 3; day++) test.append(`${plant}/a`, `{"t":${OCTOBER_1 + day * DAY}}`);
  }
  return test;
}

describe('a flush', () => {
  it('stores all open batches and answers their objects, oldest first', async () => {
    const test = filled();
    const objects = await test.writer.flush();
    assert.deepEqual(
      objects.map(({ bucket, key }) => `${bucket}/${key.slice(0, 13)}`),
      ['plant-7', 'plant-70'].flatMap((plant) => [1, 2, 3].map((day) => `${plant}/dt=2018-10-0${day}`)),
    );
    assert.ok(objects.every(({ trigger, count }) => trigger === 'flush' && count === 1));
    assert.deepEqual(new Set(objects), new Set(test.stored));
    assert.equal(test.writer.openRecords, 0);
  });

  it('answers nothing when nothing is open', async () => {
    const test = new TestWriter();
    assert.deepEqual(await test.writer.flush(), []);
    test.append('plant/a');
    await test.writer.flush();
    assert.deepEqual(await test.writer.flush(), []);
    test.append('plant/a');
    assert.deepEqual(await test.writer.flush('another'), []);
  });

  it('of a bucket leaves the others open', async () => {
    const test = filled();
    assert.equal((await test.writer.flush('plant-7')).length, 3);
    assert.deepEqual(
      test.writer.openBatches.map(({ bucket }) => bucket),
      ['plant-70', 'plant-70', 'plant-70'],
    );
    assert.equal((await test.writer.flush('plant-70/')).length, 3);
  });

  it('of a bucket and the beginning of names takes what begins so', async () => {
    for (const [destination, objects] of [
      ['plant-7/dt=2018-10-02', 1],
      ['plant-7/dt=2018-10-02/', 1],
      ['plant-7/dt=2018-10', 3],
      ['plant-7/', 3],
      ['plant-7/dt=2019', 0],
      ['plant', 0],
      ['plant-7/dt=2018-10-02/20181002T000000Z', 1],
    ] as const) {
      const test = filled();
      assert.equal((await test.writer.flush(destination)).length, objects, destination);
      assert.equal(test.writer.openBatches.length, 6 - objects, destination);
    }
  });

  it('waits for what was sealed before, too, and answers it', async () => {
    const test = new TestWriter({ limits: { count: 2 } });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    test.store.gate = () => gate;
    for (let n = 0; n < 5; n++) test.append('plant/a', String(n));
    let answered = false;
    const flushed = test.writer.flush().finally(() => (answered = true));
    await until('uploads', () => test.store.active === 3);
    await nextTurn();
    assert.equal(answered, false);
    open();
    assert.deepEqual(
      (await flushed).map(({ trigger, count }) => [trigger, count]),
      [
        ['count', 2],
        ['count', 2],
        ['flush', 1],
      ],
    );
  });

  it('of a bucket does not wait for another one that fails', async () => {
    const test = filled();
    test.store.fault = ({ bucket }) => (bucket === 'plant-7' ? 'ACCESS_DENIED' : undefined);
    const failing = test.writer.flush('plant-7');
    assert.equal((await test.writer.flush('plant-70')).length, 3);
    test.store.fault = () => undefined;
    await until('failures', () => test.failures.length === 3);
    await test.clock.pass(1000);
    assert.equal((await failing).length, 3);
  });

  it('waits as long as the store fails', async () => {
    const test = new TestWriter();
    test.store.fault = () => 'STORE_UNREACHABLE';
    test.append('plant/a');
    let answered = false;
    const flushed = test.writer.flush().finally(() => (answered = true));
    for (let attempt = 1; attempt <= 10; attempt++) {
      await until('a failure', () => test.failures.length >= attempt);
      await test.clock.pass(60_000);
    }
    assert.equal(answered, false);
    test.store.fault = () => undefined;
    await test.clock.pass(60_000);
    assert.equal((await flushed).length, 1);
  });

  it('can be asked for several times at once: all wait for the same objects', async () => {
    const test = filled();
    const [all, again, one] = await Promise.all([
      test.writer.flush(),
      test.writer.flush(),
      test.writer.flush('plant-70'),
    ]);
    assert.equal(all.length, 6);
    assert.deepEqual(again, all);
    assert.deepEqual(
      one,
      all.filter(({ bucket }) => bucket === 'plant-70'),
    );
    assert.equal(test.store.names.length, 6);
  });

  it('does not wait for records that come after it', async () => {
    const test = new TestWriter();
    test.append('plant/a', '1');
    const flushed = test.writer.flush();
    test.append('plant/a', '2');
    assert.equal((await flushed).length, 1);
    assert.equal(test.writer.openBatches[0]?.count, 1);
    assert.deepEqual(test.allLines, ['1']);
  });

  it('answers without what the process gave up', async () => {
    const test = filled();
    test.store.fault = ({ bucket }) => (bucket === 'plant-7' ? 'ACCESS_DENIED' : undefined);
    const flushed = test.writer.flush();
    await test.untilStored(3);
    const closed = test.writer.close(1000);
    await test.clock.pass(1000);
    await closed;
    assert.deepEqual(
      (await flushed).map(({ bucket }) => bucket),
      ['plant-70', 'plant-70', 'plant-70'],
    );
  });
});
