import assert from 'node:assert/strict';

import { countOf, TestWriter } from './support';

const DAY = 24 * 3600 * 1000;
const NOON = Date.UTC(2018, 9, 1, 12);

function record(t: number, n = 0): string {
  return JSON.stringify({ t, n });
}

function partitionOf(key: string): string | undefined {
  return /^(dt=[\d-]+(?:\/hr=\d+)?)\//.exec(key)?.[1];
}

describe('where records go', () => {
  it('is decided for each record, not once a batch: many batches grow side by side', async () => {
    const test = new TestWriter();
    for (let n = 0; n < 1000; n++) test.append(`plant-${n % 7}/device-${n % 3}`, record(NOON, n));
    assert.equal(test.writer.openBatches.length, 7);
    const objects = await test.writer.flush();
    assert.equal(objects.length, 7);
    for (const { bucket, key, count } of objects) {
      const numbers = test
        .linesOf(`${bucket}/${key}`)
        .map((line) => (JSON.parse(line) as { n: number }).n)
        .sort((a, b) => a - b);
      const plant = Number(bucket.slice('plant-'.length));
      assert.deepEqual(
        numbers,
        Array.from({ length: 1000 }, (_, n) => n).filter((n) => n % 7 === plant),
      );
      assert.equal(count, numbers.length);
    }
  });

  it('is the partition of the record time: late data lands in its own day, not under today', async () => {
    const test = new TestWriter();
    test.append('plant/a', record(NOON));
    test.append('plant/a', record(NOON - 2 * DAY));
    test.append('plant/a', record(NOON - 400 * DAY));
    test.append('plant/a', record(NOON + 1000));
    const objects = await test.writer.flush();
    assert.deepEqual(
      objects.map(({ key, count }) => [partitionOf(key), count]),
      [
        ['dt=2018-10-01', 2],
        ['dt=2018-09-29', 1],
        ['dt=2017-08-27', 1],
      ],
    );
    assert.deepEqual([objects[0]?.first, objects[0]?.last], [NOON, NOON + 1000]);
  });

  it('is today for a record without a usable time, which is counted', async () => {
    const test = new TestWriter();
    test.append('plant/a', '{"t":"yesterday"}');
    test.append('plant/a', 'no JSON');
    const [object] = await test.writer.flush();
    assert.equal(partitionOf(object?.key ?? ''), 'dt=2018-10-01');
    assert.equal(object?.first, test.clock.now());
    assert.equal(test.writer.counts.arrivalTime, 2);
  });

  it('is split by the partition only: seconds in the object name make no further objects', async () => {
    const test = new TestWriter({
      layout: { objectName: '{{partition}}/{{first HHmmss}}-{{last HHmmss}}-{{batch}}{{extension}}' },
    });
    for (let n = 0; n < 3600; n++) test.append('plant/a', record(NOON + n * 1000));
    const objects = await test.writer.flush();
    assert.equal(objects.length, 1);
    assert.match(objects[0]?.key ?? '', /^dt=2018-10-01\/120000-125959-/);
  });

  it('is split by the hour when partitions are hours, at its very border', async () => {
    const test = new TestWriter({ layout: { partition: 'hour' } });
    for (const t of [NOON - 1, NOON, NOON + 3_599_999, NOON + 3_600_000]) test.append('plant/a', record(t));
    const objects = await test.writer.flush();
    assert.deepEqual(
      objects.map(({ key, count }) => [partitionOf(key), count]),
      [
        ['dt=2018-10-01/hr=11', 1],
        ['dt=2018-10-01/hr=12', 2],
        ['dt=2018-10-01/hr=13', 1],
      ],
    );
  });

  it('is not split at all without partitions', async () => {
    const test = new TestWriter({ layout: { partition: 'none' } });
    for (let n = 0; n < 100; n++) test.append('plant/a', record(NOON - n * DAY));
    assert.equal((await test.writer.flush()).length, 1);
  });

  it('can be a level of the topic or a field of the payload in the object name', async () => {
    const test = new TestWriter({
      layout: { objectName: '{{DEVICE}}/{{payload.line}}/{{batch}}{{extension}}', partition: 'none' },
    });
    for (const device of ['a', 'b']) {
      for (const line of ['L1', 'L2', 'L1']) test.append(`plant/${device}`, JSON.stringify({ line }));
    }
    const objects = await test.writer.flush();
    assert.deepEqual(
      objects.map(({ key, count }) => [key.split('/').slice(0, 2).join('/'), count]),
      [
        ['a/L1', 2],
        ['a/L2', 1],
        ['b/L1', 2],
        ['b/L2', 1],
      ],
    );
  });

  it('is a fallback for topics that do not fit, and these are counted', async () => {
    const test = new TestWriter();
    test.append('one level too many/a/b', record(NOON));
    test.append('plant/a', record(NOON));
    const objects = await test.writer.flush();
    assert.deepEqual(
      objects.map(({ bucket }) => bucket),
      ['unmatched', 'plant'],
    );
    assert.equal(test.writer.counts.unmatchedTopic, 1);
  });

  it('counts what it had to say of records only for those that were taken', () => {
    const test = new TestWriter({ memory: 20_000 });
    test.append('does/not/fit', 'x');
    assert.throws(() => test.append('does/not/fit', Buffer.alloc(19_000, 'x')), { code: 'MEMORY_FULL' });
    assert.equal(test.writer.counts.unmatchedTopic, 1);
    assert.equal(test.writer.counts.refused, 1);
  });

  it('shows what is open', async () => {
    const test = new TestWriter();
    test.append('plant/a', record(NOON + 5));
    test.append('plant/a', record(NOON));
    await test.clock.pass(61_000);
    const [batch] = test.writer.openBatches;
    assert.match(batch?.batch ?? '', /^[0-9a-z]{20}$/);
    assert.deepEqual(
      { ...batch, batch: '' },
      {
        batch: '',
        bucket: 'plant',
        destination: 'plant/dt=2018-10-01',
        count: 2,
        bytes: 2 * (record(NOON).length + 1),
        first: '2018-10-01T12:00:00.000Z',
        last: '2018-10-01T12:00:00.005Z',
        ageSeconds: 61,
      },
    );
  });

  describe('when there are more than 1,000 destinations', () => {
    it('seals the oldest, keeps at most 1,000 open, and loses nothing', async () => {
      const test = new TestWriter();
      for (let n = 0; n < 1200; n++) {
        test.append(`plant-${n}/a`, record(NOON, n));
        if (n % 50 === 0) assert.ok(test.writer.openBatches.length <= 1000);
      }
      assert.equal(test.writer.openBatches[0]?.bucket, 'plant-200');
      await test.untilStored(200);
      assert.ok(test.triggers.every((trigger) => trigger === 'memory'));
      await test.writer.flush();
      const numbers = test.allLines.map((line) => (JSON.parse(line) as { n: number }).n);
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: 1200 }, (_, n) => n),
      );
    });

    it('stands the times of a hostile device: every record another day', async () => {
      const test = new TestWriter({ memory: 32 * 1024 * 1024 });
      for (let n = 0; n < 1300; n++) test.append('plant/a', record(((n * 7919) % 90_000) * DAY, n));
      assert.equal(test.writer.openBatches.length, 1000);
      assert.ok(test.writer.heldBytes < 32 * 1024 * 1024);
      await test.writer.flush();
      assert.equal(countOf(test.stored), 1300);
      assert.equal(new Set(test.store.names).size, 1300);
    });
  });
});
