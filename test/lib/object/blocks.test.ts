import assert from 'node:assert/strict';

import fc from 'fast-check';

import { planBlocks } from '../../../lib/object/blocks';
import { sortRecords } from '../../../lib/object/records';
import { recordsOf, type TestRecord } from '../../support/records';
import { batch } from './arbitraries';
import { inOrder } from './read-back';

/** Records without a frame: one entry a record, its series and its length. */
async function plan(blockSize: number, ...records: [series: string, length: number][]) {
  const list = records.map(([series, length]): TestRecord => {
    return { topic: series, series, time: 0, payload: Buffer.alloc(length) };
  });
  const sorted = await sortRecords(recordsOf(list, 'none'));
  return planBlocks(sorted, blockSize).map(({ records: count, size }) => [count, size]);
}

describe('sortRecords', () => {
  it('orders by the UTF-8 bytes of the series, then time, then arrival', async () => {
    await fc.assert(
      fc.asyncProperty(batch, async (list) => {
        const sorted = await sortRecords(recordsOf(list, 'none'));
        const expected = inOrder(list);
        assert.deepEqual(
          Array.from(sorted.order, (record) => list[record]),
          expected,
        );
        assert.deepEqual(
          [...sorted.time],
          expected.map((record) => record.time),
        );
        assert.deepEqual(
          [...sorted.length],
          expected.map((record) => record.payload.length),
        );
      }),
    );
  });

  it('orders series by bytes, not by UTF-16 units', async () => {
    // U+1F600 is D83D DE00 in UTF-16, before U+FFEE; in UTF-8 it is F0 9F 98 80, behind EF BF AE.
    const list = ['\u{1f600}', '\uffee', 'z'].map((series) => ({
      topic: '',
      series,
      time: 0,
      payload: Buffer.alloc(0),
    }));
    const sorted = await sortRecords(recordsOf(list, 'none'));
    assert.deepEqual(sorted.series, ['z', '\uffee', '\u{1f600}']);
  });

  it('sorts many records of one series by time and keeps the arrival of equal times', async () => {
    const list = Array.from({ length: 5000 }, (_, n) => ({
      topic: '',
      series: 'one',
      time: (n * 7919) % 100,
      payload: Buffer.from(String(n)),
    }));
    const sorted = await sortRecords(recordsOf(list, 'none'));
    assert.deepEqual(
      Array.from(sorted.order, (record) => list[record]),
      inOrder(list),
    );
  });

  it('replaces half surrogate pairs, which UTF-8 cannot hold, in one series for all of them', async () => {
    const list = ['a\ud800', 'a\udc00', 'a\ufffd'].map((series) => ({
      topic: series,
      series,
      time: 0,
      payload: Buffer.alloc(0),
    }));
    const sorted = await sortRecords(recordsOf(list, 'none'));
    assert.deepEqual(sorted.series, ['a\ufffd']);
    assert.deepEqual(sorted.counts, [3]);
  });

  it('has no series of a source without a record', async () => {
    const records = recordsOf([{ topic: 't', series: 'b', time: 1, payload: Buffer.alloc(1) }], 'none');
    const sources = [...records.sources, { topic: 't', series: 'a' }];
    const sorted = await sortRecords({ ...records, sources });
    assert.deepEqual(sorted.series, ['b']);
    assert.deepEqual(sorted.counts, [1]);
  });
});

describe('planBlocks', () => {
  it('fills a block up to the block size and no further', async () => {
    assert.deepEqual(await plan(100, ['a', 50], ['a', 50], ['a', 50]), [
      [2, 100],
      [1, 50],
    ]);
    assert.deepEqual(await plan(100, ['a', 50], ['a', 51], ['a', 49]), [
      [1, 50],
      [2, 100],
    ]);
  });

  it('gives a record that is larger than the block size a block of its own', async () => {
    assert.deepEqual(await plan(100, ['a', 10], ['a', 101], ['a', 10]), [
      [1, 10],
      [1, 101],
      [1, 10],
    ]);
  });

  it('ends a block that is at least half full where a series ends', async () => {
    assert.deepEqual(await plan(100, ['a', 50], ['b', 10]), [
      [1, 50],
      [1, 10],
    ]);
  });

  it('lets small series share a block', async () => {
    assert.deepEqual(await plan(100, ['a', 20], ['b', 29], ['c', 51], ['d', 1]), [
      [3, 100],
      [1, 1],
    ]);
  });

  it('takes records of no bytes', async () => {
    assert.deepEqual(await plan(100, ['a', 0], ['b', 0]), [[2, 0]]);
    assert.deepEqual(await plan(1, ['a', 0], ['b', 0]), [[2, 0]]);
  });

  it('cuts all records in order, each block within the size or of one record, and none too early', async () => {
    await fc.assert(
      fc.asyncProperty(batch, fc.integer({ min: 1, max: 400 }), async (list, blockSize) => {
        const sorted = await sortRecords(recordsOf(list, 'length'));
        const blocks = planBlocks(sorted, blockSize);
        const seriesStarts = new Set<number>();
        let start = 0;
        for (const count of sorted.counts) seriesStarts.add((start += count));
        let place = 0;
        for (const [number, block] of blocks.entries()) {
          assert.equal(block.first, place);
          assert(block.records > 0);
          const size = sorted.length.subarray(place, place + block.records).reduce((a, b) => a + b, 0);
          assert.equal(block.size, size);
          assert(size <= blockSize || block.records === 1);
          place += block.records;
          const full = size + (sorted.length[place] ?? 0) > blockSize;
          const half = seriesStarts.has(place) && size * 2 >= blockSize;
          assert(number === blocks.length - 1 || full || half);
        }
        assert.equal(place, list.length);
      }),
    );
  });
});
