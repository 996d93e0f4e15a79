import assert from 'node:assert/strict';

import fc from 'fast-check';

import { encodeObject } from '../../../lib/object';
import { EVERYTHING, filterOf, type ObjectMatch } from '../../../lib/query';
import { matchBlocks, matchingPlaces } from '../../../lib/query/match';
import { nextTurn } from '../../support/fake-clock';
import { MemoryStore } from '../../support/memory-store';
import { recordsOf, type TestRecord } from '../../support/records';
import { batch, blockSize, compression, framing } from '../object/arbitraries';
import { FORMAT, inOrder } from '../object/read-back';
import { fetchRecords, headObject, matchObject } from '../../../lib/query';
import { readIndex } from '../../../lib/query/read-index';

/** An object of these records in a store of its own, and its offset index. */
async function stored(records: readonly TestRecord[], format: Partial<typeof FORMAT> = {}, size?: number) {
  const store = new MemoryStore();
  const full = { ...FORMAT, ...format };
  const object = await encodeObject(
    recordsOf(records, full.framing),
    full,
    size === undefined ? {} : { blockSize: size },
  );
  const { body, contentType, attributes, sidecar } = object;
  await store.put('bucket', 'object', body, { contentType, attributes });
  if (sidecar) await store.put('bucket', 'object.index.gz', sidecar, { contentType, attributes: {} });
  const head = await headObject(store, 'bucket', 'object');
  return { store, head, index: await readIndex(store, head) };
}

async function fetched(store: MemoryStore, match: ObjectMatch) {
  const records = [];
  for await (const some of fetchRecords(store, [match])) records.push(...some);
  return records;
}

describe('matching records of an object', () => {
  it('finds those that a look at each finds, by time, series, topic and key, in any block size', async () => {
    const filters = fc.record(
      {
        from: fc.integer({ min: 1_538_413_835_000, max: 1_538_413_845_000 }),
        to: fc.integer({ min: 1_538_413_835_000, max: 1_538_413_845_000 }),
        topics: fc.array(fc.nat(50), { maxLength: 3 }),
        series: fc.array(fc.nat(50), { maxLength: 3 }),
        keyEnd: fc.constantFrom('5', '41', '/'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(batch, filters, framing, compression, blockSize, async (records, asked, ...format) => {
        const [framing, compression, size] = format;
        const { store, head, index } = await stored(records, { framing, compression }, size);
        const topics = asked.topics?.map((n) => records[n % records.length]?.topic.toWellFormed());
        const series = asked.series?.map((n) => records[n % records.length]?.series.toWellFormed());
        const filter = {
          from: asked.from ?? -Infinity,
          to: asked.to ?? Infinity,
          ...(topics && { topic: (own: string) => topics.includes(own) }),
          ...(series && { series: (own: string) => series.includes(own) }),
          ...(asked.keyEnd !== undefined && { key: (own: string) => own.endsWith(asked.keyEnd ?? '') }),
        };
        const match = await matchObject(store, head, { ...EVERYTHING, records: filter });
        const found = await fetched(store, match);
        const keys = new Map<string, string>();
        for (const page of index.pages) {
          for (const { key, series, time } of (await matchBlocks(page, EVERYTHING.records)).flatMap(
            (block) => block.entries,
          ))
            keys.set(`${series}\n${time}`, key);
        }
        const wanted = inOrder(records).filter(
          ({ topic, series: own, time }) =>
            time >= filter.from &&
            time <= filter.to &&
            (!topics || topics.includes(topic.toWellFormed())) &&
            (!series || series.includes(own.toWellFormed())) &&
            (asked.keyEnd === undefined ||
              keys.get(`${own.toWellFormed()}\n${time}`)?.endsWith(asked.keyEnd) === true),
        );
        assert.deepEqual(
          found.map(({ topic, series, time, payload }) => [topic, series, time, payload.toString('hex')]),
          wanted.map(({ topic, series, time, payload }) => [
            topic.toWellFormed(),
            series.toWellFormed(),
            time,
            payload.toString('hex'),
          ]),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('names ranges that ascend, do not overlap, and lie in the object; entries that fill what they should', async () => {
    const share = fc.integer({ min: 1, max: 5 });
    await fc.assert(
      fc.asyncProperty(batch, framing, compression, blockSize, share, async (records, ...format) => {
        const [framing, compression, size, every] = format;
        const { head, index } = await stored(records, { framing, compression }, size);
        let n = 0;
        const some = { ...EVERYTHING.records, key: () => n++ % every === 0 };
        let end = 0;
        let entries = 0;
        for (const page of index.pages) {
          for (const block of await matchBlocks(page, some)) {
            assert.ok(block.offset >= end && block.offset + block.length <= head.size);
            end = block.offset + block.length;
            let at = 0;
            for (const entry of block.entries) {
              assert.ok(entry.start >= at);
              at = entry.start + entry.length;
            }
            assert.ok(at <= block.size);
            // Of a plain object nothing is fetched but what is wanted.
            const wanted = block.entries.reduce((sum, { length }) => sum + length, 0);
            if (compression === 'none') assert.deepEqual([block.length, block.size], [wanted, wanted]);
            entries += block.entries.length;
          }
        }
        assert.equal(entries, Math.ceil(records.length / every));
      }),
      { numRuns: 100 },
    );
  });

  it('fetches of a plain object the exact bytes of one record', async () => {
    const records = Array.from({ length: 100 }, (_, n) => ({
      topic: 't',
      series: 's',
      time: 1000 * n,
      payload: Buffer.from(JSON.stringify({ n })),
    }));
    const { store, head } = await stored(records, { compression: 'none' }, 200);
    const match = await matchObject(store, head, filterOf({ from: 50_000, to: 50_000 }, undefined));
    assert.deepEqual(
      match.blocks.map(({ length, entries }) => [length, entries.length]),
      [['{"n":50}\n'.length, 1]],
    );
    const [record] = await fetched(store, match);
    assert.equal(record?.payload.toString(), '{"n":50}');
  });

  it('names the neighbours of a plain object by block, so that no request grows without bound', async () => {
    const records = Array.from({ length: 100 }, (_, n) => ({
      topic: 't',
      series: 's',
      time: n,
      payload: Buffer.from(String(n).padStart(9, '1')),
    }));
    const { store, head } = await stored(records, { compression: 'none' }, 200);
    const match = await matchObject(store, head, EVERYTHING);
    assert.deepEqual(
      match.blocks.map(({ length }) => length),
      [200, 200, 200, 200, 200],
    );
    assert.equal((await fetched(store, match)).length, 100);
  });

  it('looks only at records of the wanted time within a series', async () => {
    const records = Array.from({ length: 1000 }, (_, n) => ({
      topic: 't',
      series: `s${n % 4}`,
      time: n,
      payload: Buffer.from('1'),
    }));
    const { index } = await stored(records);
    let looked = 0;
    const filter = { from: 500, to: 519, topic: () => true, key: () => ++looked > 0 };
    const blocks = await Promise.all(index.pages.map((page) => matchBlocks(page, filter)));
    assert.equal(blocks.flat().flatMap(({ entries }) => entries).length, 20);
    assert.equal(looked, 20);
    assert.equal([...matchingPlaces(index.pages[0]!, filter)].length, 20);
  });

  it('lets the event loop turn while it looks at many records', async () => {
    const records = Array.from({ length: 2000 }, (_, n) => ({
      topic: 't',
      series: 's',
      time: n,
      payload: Buffer.from('1'),
    }));
    const { index } = await stored(records);
    let turns = 0;
    let isRunning = true;
    const count = async (): Promise<void> => {
      while (isRunning) {
        await nextTurn();
        turns++;
      }
    };
    const counting = count();
    for (const page of index.pages) await matchBlocks(page, EVERYTHING.records);
    isRunning = false;
    await counting;
    assert.ok(turns >= 5, `${turns} turns`);
  });
});
