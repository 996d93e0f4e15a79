import assert from 'node:assert/strict';

import fc from 'fast-check';

import { Layout } from '../../../lib/layout';
import { encodeObject, SIDECAR_SUFFIX } from '../../../lib/object';
import {
  counted,
  type FetchedRecord,
  type FetchOptions,
  fetchRecords,
  findObject,
  findObjects,
  type FindOptions,
  noProgress,
  noTraffic,
  type ObjectMatch,
  requestsOf,
} from '../../../lib/query';
import { FoundDuplicates } from '../../../lib/query/found-duplicates';
import { MemoryStore } from '../../support/memory-store';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { blockSize, compression, framing, payload } from '../object/arbitraries';
import { FORMAT, inOrder } from '../object/read-back';

/** Objects `o0`, `o1` and so on of the bucket `b`: names that tell nothing. */
const LAYOUT = new Layout({ partition: 'none', objectName: '{{batch}}' });
const QUERY = { bucket: 'b' };

interface Format extends Partial<typeof FORMAT> {
  blockSize?: number;
}

class Objects {
  readonly store = new MemoryStore();
  readonly all: TestRecord[][] = [];

  static async of(...objects: (readonly TestRecord[])[]): Promise<Objects> {
    const archive = new Objects();
    for (const records of objects) await archive.add(records);
    return archive;
  }

  async add(
    records: readonly TestRecord[],
    { blockSize = 128 * 1024, ...format }: Format = {},
  ): Promise<string> {
    const full = { ...FORMAT, ...format };
    const object = await encodeObject(recordsOf(records, full.framing), full, { blockSize });
    const key = `o${String(this.all.push(inOrder(records)) - 1).padStart(3, '0')}`;
    const { body, contentType, attributes, sidecar } = object;
    if (sidecar) await this.store.put('b', key + SIDECAR_SUFFIX, sidecar, { contentType, attributes: {} });
    await this.store.put('b', key, body, { contentType, attributes });
    return key;
  }

  /** What is there without duplicates: of each the first, with the object that it lies in. */
  get expected(): string[] {
    const seen = new Set<string>();
    return this.all.flatMap((records, n) =>
      records
        .map(textOf)
        .filter((text) => seen.size < seen.add(text).size)
        .map((text) => `o${String(n).padStart(3, '0')} ${text}`),
    );
  }

  get count(): number {
    return this.all.reduce((sum, { length }) => sum + length, 0);
  }

  async find(options: FindOptions = {}) {
    const traffic = noTraffic();
    const progress = noProgress();
    const objects: ObjectMatch[] = [];
    const store = counted(this.store, traffic);
    for await (const object of findObjects(store, LAYOUT, QUERY, progress, options)) objects.push(object);
    return { objects, progress, traffic };
  }

  async fetch(objects: readonly ObjectMatch[], options: FetchOptions = {}) {
    const progress = { duplicates: 0 };
    const records: FetchedRecord[] = [];
    for await (const some of fetchRecords(this.store, objects, { progress, ...options })) {
      assert.ok(some.length > 0);
      records.push(...some);
    }
    return { texts: records.map((record) => `${record.object.key} ${textOf(record)}`), progress };
  }
}

const textOf = ({ topic, series, time, payload }: TestRecord | FetchedRecord): string =>
  JSON.stringify([topic.toWellFormed(), series.toWellFormed(), time, payload.toString('latin1')]);

/** Few topics, series and times, so that records meet. */
const likeRecords = fc.record(
  {
    topic: fc.constantFrom('t', 'u', 't/"\n'),
    series: fc.constantFrom('A', 'B', 'Ω'),
    time: fc.constantFrom(0, 1_538_413_835_000, 1_538_413_835_001, 2 ** 32, 2 ** 33),
    payload: fc.oneof(
      payload,
      fc.constantFrom('', '1', '2', '"x"', 'x', 'y', '{"a":\n1}').map((text) => Buffer.from(text)),
    ),
  },
  { noNullPrototype: true },
);
/** Objects out of a common stock of records, some of which are in several, or several times in one. */
const archives = fc
  .array(likeRecords, { minLength: 1, maxLength: 25 })
  .chain((stock) =>
    fc.array(
      fc.tuple(
        fc.array(fc.constantFrom(...stock), { minLength: 1, maxLength: 20 }),
        framing,
        compression,
        blockSize,
      ),
      { minLength: 1, maxLength: 6 },
    ),
  );

describe('dropping duplicates', () => {
  it('leaves of any records, in any objects, each once: the first; and counts right', async () => {
    const seen = { duplicates: 0, mixed: 0, kept: 0 };
    await fc.assert(
      fc.asyncProperty(
        archives,
        fc.boolean(),
        fc.record({ gap: fc.constantFrom(0, 1e6), most: fc.constantFrom(1, 1e6) }),
        fc.integer({ min: 1, max: 8 }),
        async (objects, oneFraming, merge, parallel) => {
          const archive = new Objects();
          for (const [records, framing, compression, blockSize] of objects) {
            const own = oneFraming ? 'newline' : framing;
            await archive.add(records, { framing: own, compression, blockSize });
          }
          const { expected } = archive;
          const duplicates = archive.count - expected.length;

          const once = await archive.find({ dropDuplicates: true, parallel });
          const { progress } = once;
          assert.deepEqual((await archive.fetch(once.objects)).texts, expected);
          assert.deepEqual([progress.records, progress.duplicates], [expected.length, duplicates]);
          assert.deepEqual([progress.failed, progress.matching], [[], once.objects.length]);
          assert.equal(progress.matching + progress.skippedAsDuplicates, objects.length);
          assert.ok(once.objects.every(({ blocks }) => blocks.every(({ entries }) => entries.length > 0)));

          const all = await archive.find({ parallel });
          const options = { merge, parallel, dropDuplicates: true };
          const fetched = await archive.fetch(all.objects, options);
          assert.deepEqual(fetched, { texts: expected, progress: { duplicates } });

          const plan = await archive.find({ dropDuplicates: true, planOnly: true });
          assert.deepEqual(plan.objects, all.objects);
          assert.deepEqual(plan.traffic, all.traffic);
          assert.deepEqual([plan.progress.records, plan.progress.duplicates], [archive.count, 0]);
          const { candidates } = plan.progress;
          assert.equal(candidates, progress.candidates);
          assert.ok(candidates >= duplicates && candidates <= archive.count);
          if (new Set(all.objects.map((object) => object.framing)).size === 1)
            assert.equal(candidates, likeOthers(all.objects));
          else seen.mixed++;
          seen.duplicates += duplicates;
          seen.kept += expected.length;
        },
      ),
      { numRuns: 150 },
    );
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 30, `${what}: ${count}`);
  });

  it('fetches nothing to compare, and nothing else, where no two records are alike', async () => {
    const records = weldRecords(4000, 20).map((record, n) => ({ ...record, time: record.time + (n % 1000) }));
    const byLike = new Map(records.map((record) => [`${record.series} ${record.time}`, record]));
    const unlike = [...byLike.values()];
    const archive = await Objects.of(unlike.slice(0, 2000), unlike.slice(2000));
    const plain = await archive.find();
    const once = await archive.find({ dropDuplicates: true });
    assert.deepEqual(once, plain);
    assert.equal(once.progress.candidates, 0);
  });

  it('fetches only the blocks of the records that are alike', async () => {
    const first = weldRecords(10_000, 20);
    const later = weldRecords(10_000, 20, 2).map((record) => ({ ...record, time: record.time + 1e8 }));
    const device = first.filter(({ series }) => series === 'WELDING-STATION-7/WELD/1').slice(0, 5);
    const archive = await Objects.of(first, [...later, ...device]);
    const plain = await archive.find();
    const { progress, traffic, objects } = await archive.find({ dropDuplicates: true });
    assert.equal(progress.duplicates, archive.count - archive.expected.length);
    assert.ok(progress.duplicates >= 5);
    // Records of one device in one second that are equally long are no duplicates, but have to be compared.
    assert.ok(progress.candidates < 0.3 * archive.count, `${progress.candidates} candidates`);
    assert.equal((await archive.fetch(objects)).texts.length, archive.expected.length);

    const few = weldRecords(10_000, 20).map((record, n) => ({ ...record, time: 1_538_413_835_000 + n }));
    const copies = await Objects.of(few, [...few.slice(0, 3), { ...few[0]!, time: 5 }]);
    const before = await copies.find();
    const after = await copies.find({ dropDuplicates: true });
    assert.deepEqual([after.progress.candidates, after.progress.duplicates], [6, 3]);
    assert.ok(requestsOf(after.traffic) - requestsOf(before.traffic) <= 4);
    const size = copies.store.body('b', 'o000').length;
    assert.ok(after.traffic.bytes - before.traffic.bytes < size / 3);
    assert.ok(requestsOf(traffic) > requestsOf(plain.traffic));
  });

  it('fetches of plain objects just the records that are alike', async () => {
    const records = weldRecords(1000, 4).map((record, n) => ({ ...record, time: n }));
    const archive = new Objects();
    await archive.add(records, { compression: 'none' });
    await archive.add([records[500]!], { compression: 'none' });
    const before = await archive.find();
    const { progress, traffic } = await archive.find({ dropDuplicates: true });
    assert.deepEqual([progress.candidates, progress.duplicates, progress.skippedAsDuplicates], [2, 1, 1]);
    assert.equal(traffic.bytes - before.traffic.bytes, 2 * (records[500]!.payload.length + 1));
  });

  it('takes a batch that was stored twice, under two names, once', async () => {
    const records = weldRecords(3000, 20);
    const archive = await Objects.of(records, records, records);
    const { objects, progress, traffic } = await archive.find({ dropDuplicates: true });
    assert.deepEqual(
      objects.map(({ key }) => key),
      ['o000'],
    );
    assert.equal(progress.duplicates, archive.count - archive.expected.length);
    assert.equal(progress.skippedAsDuplicates, 2);
    // Each object's bytes once, however many there are.
    const sizes = archive.store.keys('b').reduce((sum, key) => sum + archive.store.body('b', key).length, 0);
    assert.ok(traffic.bytes <= sizes);
    const all = await archive.find();
    const fetched = await archive.fetch(all.objects, { dropDuplicates: true });
    assert.deepEqual(fetched.texts, archive.expected);
  });

  it("takes what a backup's object has in common with the converter's once, whatever format it chose", async () => {
    const records = weldRecords(3000, 20).map((record, n) => ({
      ...record,
      // Text and bytes take other lengths in another framing.
      payload:
        n % 7 === 0
          ? Buffer.from(`text ${n}\n"`)
          : n % 11 === 0
            ? Buffer.from([0xff, n % 256, n >> 8])
            : record.payload,
    }));
    const lost = records.slice(2000);
    const kept = records.slice(0, 2000);
    for (const format of [{ framing: 'length' }, { framing: 'none', compression: 'none' }, {}] as Format[]) {
      for (const order of ['converter', 'backup'] as const) {
        const archive = new Objects();
        const backup = [...kept.slice(900, 1600), ...lost];
        if (order === 'backup') await archive.add(backup, format);
        await archive.add(kept.slice(0, 1000));
        await archive.add(kept.slice(1000));
        if (order === 'converter') await archive.add(backup, format);
        const { objects, progress } = await archive.find({ dropDuplicates: true });
        const { texts } = await archive.fetch(objects);
        assert.deepEqual(texts, archive.expected);
        assert.ok(progress.duplicates >= 700 && progress.duplicates === archive.count - texts.length);
        const all = await archive.find();
        assert.deepEqual(
          (await archive.fetch(all.objects, { dropDuplicates: true })).texts,
          archive.expected,
        );
      }
    }
  });

  it('keeps records that differ in topic, series, time or content alone', async () => {
    const one: TestRecord = { topic: 'plant-1/d', series: 'd', time: 5, payload: Buffer.from('{"n":1}') };
    const others = [
      { ...one, topic: 'plant-2/d' },
      { ...one, series: 'e' },
      { ...one, time: 6 },
      { ...one, payload: Buffer.from('{"n":2}') },
      { ...one, payload: Buffer.from('{"n": 1}') },
      { ...one, time: 5 + 2 ** 32 },
    ];
    const archive = await Objects.of([one, ...others], [...others, one]);
    const { progress } = await archive.find({ dropDuplicates: true });
    assert.deepEqual([progress.records, progress.duplicates], [7, 7]);
  });

  describe('with objects that cannot be read', () => {
    const records = weldRecords(60, 3).map((record, n) => ({ ...record, time: n }));

    /** A store whose answer to the n-th GET of an object is what `change` makes of it. */
    const struck = async (
      key: string,
      code: 'OBJECT_CHANGED' | 'OBJECT_MISSING' | 'OBJECT_CORRUPT',
      copies = 2,
    ) => {
      const archive = await Objects.of(...Array.from({ length: copies }, () => records));
      if (code === 'OBJECT_CORRUPT') {
        const body = Buffer.from(archive.store.body('b', key)).fill(0, 20, 40);
        archive.store.change('b', key, { body });
      } else {
        archive.store.fault = (call) => (call.operation === 'get' && call.key === key ? code : undefined);
      }
      return archive;
    };
    before(async () => {
      // The index is among the attributes: the only GETs are those that compare.
      const { traffic } = await (await Objects.of(records)).find();
      assert.equal(traffic.get, 0);
    });

    for (const code of ['OBJECT_CHANGED', 'OBJECT_MISSING', 'OBJECT_CORRUPT'] as const) {
      it(`keeps what only an earlier one has in common, and tells of it: ${code}`, async () => {
        const archive = await struck('o000', code, 3);
        const { objects, progress } = await archive.find({ dropDuplicates: true });
        assert.deepEqual(
          objects.map(({ key, blocks }) => [key, blocks.flatMap(({ entries }) => entries).length]),
          [
            ['o000', 60],
            ['o001', 60],
          ],
        );
        assert.deepEqual([progress.duplicates, progress.skippedAsDuplicates], [60, 1]);
        assert.deepEqual(
          progress.failed.map((failed) => [failed.key, failed.code]),
          [['o000', code]],
        );
      });

      it(`leaves out the one itself, and keeps what is in a later one: ${code}`, async () => {
        const archive = await struck('o001', code, 3);
        const { objects, progress } = await archive.find({ dropDuplicates: true });
        assert.deepEqual(
          objects.map(({ key }) => key),
          ['o000'],
        );
        assert.deepEqual([progress.records, progress.duplicates], [60, 60]);
        assert.deepEqual(
          progress.failed.map((failed) => [failed.key, failed.code]),
          [['o001', code]],
        );
      });
    }

    it('keeps what came first in an object that is left out', async () => {
      const archive = new Objects();
      await archive.add([records[0]!]);
      await archive.add(records);
      await archive.add(records);
      archive.store.fault = (call) =>
        call.operation === 'get' && call.key === 'o001' ? 'OBJECT_CHANGED' : undefined;
      const { objects, progress } = await archive.find({ dropDuplicates: true });
      assert.deepEqual(
        objects.map(({ key }) => key),
        ['o000', 'o002'],
      );
      assert.deepEqual([progress.records, progress.duplicates, progress.failed.length], [60, 1, 1]);
    });

    it('fails with the code when it is the one object that was asked for, or the store is away', async () => {
      const archive = await Objects.of([...records, ...records]);
      const ask = () =>
        findObject(archive.store, { bucket: 'b', key: 'o000' }, {}, undefined, noProgress(), {
          dropDuplicates: true,
        });
      const { blocks } = await ask();
      assert.equal(blocks.flatMap(({ entries }) => entries).length, 60);
      archive.store.fault = ({ operation }) => (operation === 'get' ? 'OBJECT_CHANGED' : undefined);
      await assert.rejects(ask(), { code: 'OBJECT_CHANGED' });
      archive.store.fault = ({ operation }) => (operation === 'get' ? 'STORE_UNREACHABLE' : undefined);
      await assert.rejects(archive.find({ dropDuplicates: true }), { code: 'STORE_UNREACHABLE' });
    });
  });

  it('is refused when more records match than it has memory for', async () => {
    const archive = await Objects.of(weldRecords(60, 3), weldRecords(60, 3, 2));
    const { objects } = await archive.find();
    const duplicates = new FoundDuplicates(archive.store, noProgress(), { mostCompared: 60 });
    assert.ok(objects[0] && objects[1]);
    await duplicates.drop(objects[0]);
    await assert.rejects(duplicates.drop(objects[1]), {
      code: 'QUERY_INVALID',
      message: /more than 60 records match.*ask for a shorter time range/,
    });
  });

  it('leaves the event loop free while it looks at many records', async () => {
    const entry = { key: '', topic: 't', series: 's', start: 0, length: 1, flags: 0 };
    const entries = Array.from({ length: 100_000 }, (_, n) => ({ ...entry, time: n, start: n }));
    const [object] = (await (await Objects.of(weldRecords(2, 1))).find()).objects;
    const match: ObjectMatch = { ...object!, blocks: [{ offset: 0, length: 1e5, size: 1e5, entries }] };
    let turns = 0;
    let isRunning = true;
    const count = async (): Promise<void> => {
      while (isRunning) {
        await new Promise(setImmediate);
        turns++;
      }
    };
    const counting = count();
    await new FoundDuplicates(new MemoryStore(), noProgress()).drop(match);
    isRunning = false;
    await counting;
    assert.ok(turns >= 40, `${turns} turns`);
  });
});

/** How many of the entries share series, topic, time and length with another one. */
function likeOthers(objects: readonly ObjectMatch[]): number {
  const counts = new Map<string, number>();
  const entries = objects.flatMap(({ blocks }) => blocks.flatMap((block) => block.entries));
  for (const { series, topic, time, length } of entries) {
    const like = JSON.stringify([series, topic, time, length]);
    counts.set(like, (counts.get(like) ?? 0) + 1);
  }
  return [...counts.values()].filter((count) => count > 1).reduce((sum, count) => sum + count, 0);
}
