import assert from 'node:assert/strict';

import fc from 'fast-check';

import { S3BatchError } from '../../../lib/errors';
import { encodeObject, SIDECAR_SUFFIX } from '../../../lib/object';
import {
  counted,
  EVERYTHING,
  type FetchedRecord,
  type FetchOptions,
  fetchRecords,
  filterOf,
  headObject,
  matchObject,
  noTraffic,
  type ObjectMatch,
  planRequests,
  type Query,
  requestsOf,
} from '../../../lib/query';
import type { ObjectStore } from '../../../lib/store/object-store';
import { MemoryStore } from '../../support/memory-store';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { batch, blockSize, compression, framing } from '../object/arbitraries';
import { FORMAT, inOrder } from '../object/read-back';

const MIB = 1024 * 1024;

async function put(
  store: MemoryStore,
  key: string,
  records: readonly TestRecord[],
  format: Partial<typeof FORMAT> = {},
  size?: number,
): Promise<void> {
  const full = { ...FORMAT, ...format };
  const options = size === undefined ? {} : { blockSize: size };
  const { body, contentType, attributes, sidecar } = await encodeObject(
    recordsOf(records, full.framing),
    full,
    options,
  );
  await store.put('b', key, body, { contentType, attributes });
  if (sidecar) await store.put('b', key + SIDECAR_SUFFIX, sidecar, { contentType, attributes: {} });
}

async function match(store: ObjectStore, key: string, query: Query = {}): Promise<ObjectMatch> {
  const filter = Object.keys(query).length > 0 ? filterOf(query, undefined) : EVERYTHING;
  return matchObject(store, await headObject(store, 'b', key), filter);
}

async function fetched(
  store: ObjectStore,
  objects: readonly ObjectMatch[],
  options: FetchOptions = {},
): Promise<FetchedRecord[]> {
  const records: FetchedRecord[] = [];
  for await (const some of fetchRecords(store, objects, options)) records.push(...some);
  return records;
}

const textOf = ({ topic, series, time, payload }: TestRecord | FetchedRecord): string =>
  JSON.stringify([topic.toWellFormed(), series.toWellFormed(), time, payload.toString('latin1')]);

describe('fetching records', () => {
  it('brings the records of any objects in their order, whatever is merged and however many run', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(batch, framing, compression, blockSize), { minLength: 1, maxLength: 4 }),
        fc.record({ gap: fc.constantFrom(0, 50, MIB), most: fc.constantFrom(1, 300, MIB) }),
        fc.integer({ min: 1, max: 8 }),
        async (batches, merge, parallel) => {
          const store = new MemoryStore();
          const objects: ObjectMatch[] = [];
          for (const [n, [records, framing, compression, size]] of batches.entries()) {
            await put(store, `o${n}`, records, { framing, compression }, size);
            objects.push(await match(store, `o${n}`));
          }
          const traffic = noTraffic();
          const records = await fetched(counted(store, traffic), objects, { merge, parallel });
          assert.deepEqual(
            records.map((record) => `${record.object.key} ${textOf(record)}`),
            batches.flatMap(([records], n) => inOrder(records).map((record) => `o${n} ${textOf(record)}`)),
          );
          const requests = planRequests(objects, merge).filter(({ span }) => span.length > 0);
          assert.equal(traffic.get, requests.length);
          assert.equal(
            traffic.bytes,
            requests.reduce((sum, { span }) => sum + span.length, 0),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  describe('of one device out of 20 in 10,000 records', () => {
    const records = weldRecords(10_000, 20);
    const series = 'WELDING-STATION-7/WELD/1';
    const own = records.filter((record) => record.series === series);
    const store = new MemoryStore();
    before(() => put(store, 'o', records));

    async function cost(query: Query) {
      const traffic = noTraffic();
      const through = counted(store, traffic);
      const found = await fetched(through, [await match(through, 'o', query)]);
      return { found, requests: requestsOf(traffic), bytes: traffic.bytes };
    }

    it('takes at most three requests, and 1.3 times its share of the object', async () => {
      const { found, requests, bytes } = await cost({ series });
      assert.deepEqual(found.map(textOf), inOrder(own).map(textOf));
      assert.ok(requests <= 3, `${requests} requests`);
      const share = store.body('b', 'o').length / 20;
      assert.ok(bytes <= 1.3 * share, `${bytes} of ${share} bytes`);
    });

    it('takes at most three requests and 128 KiB for one record by its time, of any device', async () => {
      for (let device = 1; device <= 20; device++) {
        const series = `WELDING-STATION-${device}/WELD/1`;
        const { time } = records.find((record) => record.series === series)!;
        const { found, requests, bytes } = await cost({ series, from: time, to: time });
        assert.ok(found.length >= 1 && found.every((record) => record.time === time));
        assert.ok(requests <= 3 && bytes <= 128 * 1024, `${requests} requests, ${bytes} bytes`);
      }
    });

    it('merges neighbours: all devices cost one request, or as many as one may bring', async () => {
      const whole = await match(store, 'o');
      assert.equal(planRequests([whole]).length, 1);
      const data = whole.blocks.reduce((sum, { length }) => sum + length, 0);
      const merge = { gap: MIB, most: Math.ceil(data / 3) };
      assert.ok(planRequests([whole], merge).length >= 3);
      const blocks = whole.blocks.filter((_, n) => n % 2 === 0);
      const apart = planRequests([{ ...whole, blocks }], { gap: 0, most: MIB });
      assert.equal(apart.length, blocks.length);
    });

    it('fetches no block whose entries were all taken out', async () => {
      const whole = await match(store, 'o');
      const blocks = whole.blocks.map((block, n) => (n === 3 ? block : { ...block, entries: [] }));
      const traffic = noTraffic();
      const found = await fetched(counted(store, traffic), [{ ...whole, blocks }]);
      assert.deepEqual([traffic.get, traffic.bytes], [1, whole.blocks[3]?.length]);
      assert.equal(found.length, whole.blocks[3]?.entries.length);
    });

    it('runs no more requests than it may, and none ahead of its consumer beyond them', async () => {
      const whole = await match(store, 'o');
      const merge = { gap: 0, most: 1 };
      store.calls.length = 0;
      for await (const some of fetchRecords(store, [whole], { merge, parallel: 2 })) {
        assert.ok(some.length > 0);
        await new Promise((resolve) => setTimeout(resolve, 5));
        assert.ok(store.count('get') <= 3);
        break;
      }
      assert.ok(store.count('get') <= 3);
    });
  });

  it('is refused, and mixes no bytes, when the object comes to be another at any time', async () => {
    const records = weldRecords(400, 4);
    const other = weldRecords(400, 4, 2);
    for (let at = 0; at < 5; at++) {
      const store = new MemoryStore();
      await put(store, 'o', records, {}, 4096);
      const objects = [await match(store, 'o')];
      const merge = { gap: 0, most: 1 };
      assert.ok(planRequests(objects, merge).length > 5);
      let gets = 0;
      store.gate = async ({ operation }) => {
        if (operation === 'get' && gets++ === at) await put(store, 'o', other, {}, 4096);
      };
      const right = new Set(records.map(textOf));
      const found: FetchedRecord[] = [];
      await assert.rejects(
        async () => {
          for await (const some of fetchRecords(store, objects, { merge, parallel: 1 })) found.push(...some);
        },
        { code: 'OBJECT_CHANGED' },
      );
      assert.ok(found.every((record) => right.has(textOf(record))));
      assert.equal(found.length > 0, at > 0);
    }
  });

  it('ends with what the store says', async () => {
    const store = new MemoryStore();
    await put(store, 'o', weldRecords(10, 2));
    const objects = [await match(store, 'o')];
    for (const code of ['OBJECT_MISSING', 'STORE_TIMEOUT', 'ACCESS_DENIED', 'ABORTED'] as const) {
      store.fault = ({ operation }) => (operation === 'get' ? code : undefined);
      await assert.rejects(fetched(store, objects), { code });
    }
  });

  it('is refused when a block, or a plain range, is damaged', async () => {
    for (const compression of ['gzip', 'none'] as const) {
      const store = new MemoryStore();
      await put(store, 'o', weldRecords(10, 2), { compression });
      const object = await match(store, 'o');
      const body = Buffer.from(store.body('b', 'o'));
      const [{ offset, length } = { offset: 0, length: 0 }] = object.blocks;
      store.change('b', 'o', { body: body.fill(0, offset + length - 8, offset + length) });
      const { etag } = await store.head('b', 'o');
      await assert.rejects(fetched(store, [{ ...object, etag }]), { code: 'OBJECT_CORRUPT' });
    }
  });

  describe('of hostile matches', () => {
    const store = new MemoryStore();
    let real: ObjectMatch;
    before(async () => {
      await put(store, 'o', weldRecords(300, 3), {}, 4096);
      await put(store, 'plain', weldRecords(300, 3), { compression: 'none' }, 4096);
      real = await match(store, 'o');
      assert.ok(real.blocks.length > 3);
    });

    const changed = (change: (object: ObjectMatch) => void): ObjectMatch => {
      const object = structuredClone(real);
      change(object);
      return object;
    };
    const inBlock = (change: object): ObjectMatch =>
      changed(({ blocks }) => {
        Object.assign(blocks[1]!, change);
      });
    const inEntry = (change: object): ObjectMatch =>
      changed(({ blocks }) => {
        Object.assign(blocks[1]!.entries[1]!, change);
      });

    /** Fails with one of these codes; before anything is fetched when that is said. */
    async function refused(object: ObjectMatch, codes: RegExp, unasked = true): Promise<void> {
      store.calls.length = 0;
      await assert.rejects(fetched(store, [object]), (error: S3BatchError) => {
        assert.ok(error instanceof S3BatchError, String(error));
        assert.match(error.code, codes, error.message);
        return true;
      });
      if (unasked) assert.equal(store.calls.length, 0);
    }

    const RANGE = /^RANGE_INVALID$/;
    const cases: [string, () => ObjectMatch, RegExp][] = [
      ['a negative offset', () => inBlock({ offset: -1 }), RANGE],
      ['an offset that is not whole', () => inBlock({ offset: 0.5 }), RANGE],
      ['an offset beyond what numbers tell', () => inBlock({ offset: 2 ** 60 }), RANGE],
      ['an offset that is NaN', () => inBlock({ offset: NaN }), RANGE],
      ['a negative length', () => inBlock({ length: -1 }), RANGE],
      ['a length that is text', () => inBlock({ length: '10' }), RANGE],
      [
        'a huge length',
        () => changed(({ blocks }) => (blocks.at(-1)!.length = 2 ** 40)),
        /^OBJECT_TOO_LARGE$/,
      ],
      ['a huge size', () => inBlock({ size: 2 ** 40 }), /^OBJECT_TOO_LARGE$/],
      ['a size that deflate cannot reach', () => inBlock({ size: 200 * MIB }), RANGE],
      ['blocks that overlap', () => changed(({ blocks }) => (blocks[2]!.offset -= 1)), RANGE],
      ['a block twice', () => changed(({ blocks }) => blocks.splice(1, 0, blocks[1]!)), RANGE],
      ['blocks in another order', () => changed(({ blocks }) => blocks.reverse()), RANGE],
      ['an entry that begins before its block', () => inEntry({ start: -1 }), RANGE],
      ['an entry that ends behind its block', () => inEntry({ length: 5000 }), RANGE],
      ['an entry of a negative length', () => inEntry({ length: -10 }), RANGE],
      ['entries that overlap', () => inEntry({ start: 1 }), RANGE],
      ['line breaks that are none', () => inEntry({ lineBreaks: [-1] }), RANGE],
      ['a framing that is none', () => ({ ...real, framing: 'lines' as never }), RANGE],
      ['a compression that is none', () => ({ ...real, compression: 'zip' as never }), RANGE],
      ['another size of plain bytes', () => ({ ...real, compression: 'none' }), RANGE],
      ['a time that is text', () => inEntry({ time: 'now' }), RANGE],
      ['a time that is NaN', () => inEntry({ time: NaN }), RANGE],
      ['a series that is a number', () => inEntry({ series: 5 }), RANGE],
      ['a topic that is missing', () => inEntry({ topic: undefined }), RANGE],
      ['flags that are no number', () => inEntry({ flags: 1.5 }), RANGE],
    ];
    for (const [what, object, codes] of cases) {
      it(`refuses ${what} before anything is fetched`, () => refused(object(), codes));
    }

    it('refuses what lies beyond the object', async () => {
      const { size } = real;
      const beyond = changed(({ blocks }) => (blocks.at(-1)!.offset = size));
      await refused(beyond, /^(RANGE_INVALID|OBJECT_CORRUPT)$/, false);
      // Behind the last block lie gzip members that hold nothing.
      const over = changed(({ blocks }) => (blocks.at(-1)!.length = size));
      assert.deepEqual(
        (await fetched(store, [over])).map(textOf),
        (await fetched(store, [real])).map(textOf),
      );
      const plain = await match(store, 'plain');
      for (const length of [10, 100 * MIB]) {
        const block = { ...plain.blocks.at(-1)!, offset: plain.size - 1, length, size: length };
        const entries = [{ ...block.entries[0]!, start: 0, length }];
        await refused({ ...plain, blocks: [{ ...block, entries }] }, /^OBJECT_CORRUPT$/, false);
      }
    });

    it('refuses blocks that are none, and records that are elsewhere in them', async () => {
      const CORRUPT = /^OBJECT_CORRUPT$/;
      await refused(inBlock({ size: real.blocks[1]!.size + 1 }), CORRUPT, false);
      await refused(inBlock({ length: real.blocks[1]!.length - 1 }), CORRUPT, false);
      await refused(
        changed(({ blocks }) => ((blocks[0]!.offset += 1), (blocks[0]!.length -= 1))),
        CORRUPT,
        false,
      );
      await refused(inEntry({ length: real.blocks[1]!.entries[1]!.length - 1 }), CORRUPT, false);
      await refused({ ...real, framing: 'length' }, CORRUPT, false);
    });

    it('takes no memory for what they claim', async () => {
      const before = process.resourceUsage().maxRSS;
      for (const [, object, codes] of cases) await refused(object(), codes);
      // As large as is let through, of an object that is small.
      const plain = await match(store, 'plain');
      const huge = { ...plain.blocks[0]!, length: 250 * MIB, size: 250 * MIB };
      await refused({ ...plain, blocks: [huge] }, /^OBJECT_CORRUPT$/, false);
      assert.ok((process.resourceUsage().maxRSS - before) * 1024 < 64 * MIB);
    });
  });
});
