import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { LayoutSettings } from '../../../lib/layout';
import { counted, findObjects, noProgress, noTraffic, type Query, requestsOf } from '../../../lib/query';
import { Archive, DAY, message, type Message, START, textOf } from './archive';

/** Layouts of every kind: what names tell and in which order, partitions, buckets, keys. */
const LAYOUTS: Record<string, Partial<LayoutSettings>> = {
  'the default': {},
  'levels before the partition': {
    partition: 'hour',
    objectName: '{{PLANT}}/{{DEVICE}}/{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
  },
  'levels behind the partition': {
    partition: 'month',
    objectName: '{{partition}}/type={{TYPE}}-{{DEVICE}}/{{last}}_{{count}}_{{batch}}{{extension}}',
  },
  'no partition': { partition: 'none', objectName: '{{first yyyyMMdd}}/{{batch}}{{extension}}' },
  'names that tell nothing': { partition: 'none', objectName: 'x-{{batch}}' },
  'one bucket for all': {
    buckets: [{ topic: '#', bucket: 'archive' }],
    objectName: '{{DEVICE}}/{{PLANT}}/{{partition}}-{{batch}}{{extension}}',
  },
  'a bucket for each device, or plant': {
    buckets: [
      { topic: '+/a/#', bucket: 'only-a' },
      { topic: '#', bucket: '{{PLANT}}' },
    ],
  },
  'keys in which the time stands first': { key: 't/DEVICE/TYPE', partition: 'hour' },
  'keys without a time': { key: 'TYPE/DEVICE' },
  'times of a zone whose clocks are set back': {
    time: { source: 'field', field: 't', format: 'yyyyMMdd HHmmss', zone: 'Europe/Berlin' },
    partition: 'hour',
  },
};

const PLANTS = ['plant-1', 'plant-2', 'plant-10'];
const DEVICES = ['a', 'a1', 'b', 'Ω', 'x y', '%2F', 'a'.repeat(120)];
const TYPES = ['WELD', 'W', 'STATUS'];

/** Seconds after the start: near the borders of partitions, where clocks are set back in Berlin, and a year later. */
const seconds = fc.oneof(
  fc.integer({ min: 0, max: 3 * 3600 }),
  fc.constantFrom(3599, 3600, 86_399, 86_400, 31 * 86_400 - 1, 31 * 86_400),
  fc.integer({ min: 27 * 86_400, max: 27 * 86_400 + 7200 }),
  fc.constant(365 * 86_400),
);
const ofLevels = fc
  .record({
    plant: fc.constantFrom(...PLANTS),
    device: fc.constantFrom(...DEVICES),
    type: fc.constantFrom(...TYPES),
  })
  .map(({ plant, device, type }) => `${plant}/${device}/${type}`);
const topics = fc.oneof(
  { weight: 9, arbitrary: ofLevels },
  { weight: 1, arbitrary: fc.constantFrom('plant-1/a', 'plant-1/a/WELD/1', 'other') },
);
const messages = fc
  .array(fc.record({ topic: topics, seconds, untimed: fc.constantFrom(false, false, false, true) }), {
    minLength: 20,
    maxLength: 60,
  })
  .map((list) =>
    list.map(({ topic, seconds, untimed }, n): Message => {
      const { payload } = message('plant', 'device', seconds, { n });
      return { topic, payload: untimed ? Buffer.from(JSON.stringify({ n })) : payload };
    }),
  );
const oneOrMore = (...values: string[]) =>
  fc.oneof(fc.constantFrom(...values), fc.subarray(values), fc.constant(values));

interface Asked {
  levels: { DEVICE?: string | string[]; TYPE?: string | string[] };
  plant: string | string[];
  isBucket: boolean;
  times: [number, number] | undefined;
  of: 'series' | 'seriesPrefix' | 'key' | 'keyPrefix' | undefined;
  /** Which record the series or key is taken from, and how much of it. */
  record: number;
  length: number;
}
const asked: fc.Arbitrary<Asked> = fc.record({
  levels: fc
    .record(
      { DEVICE: oneOrMore(...DEVICES, 'none'), TYPE: oneOrMore(...TYPES) },
      { requiredKeys: [], noNullPrototype: true },
    )
    .chain((levels) => fc.constantFrom({}, levels)),
  plant: oneOrMore(...PLANTS),
  isBucket: fc.boolean(),
  times: fc.option(fc.tuple(seconds, seconds), { nil: undefined, freq: 2 }),
  of: fc.constantFrom(undefined, undefined, undefined, 'series', 'seriesPrefix', 'key', 'keyPrefix'),
  record: fc.nat(),
  length: fc.nat(12),
});

/** A query that has something to do with what the archive holds. */
function queryOf(
  { expected }: Archive,
  { levels, plant, isBucket, times, of, record, length }: Asked,
): Query {
  const one = expected[record % expected.length]!;
  const query: Query = isBucket ? { bucket: one.bucket, levels } : { levels: { ...levels, PLANT: plant } };
  if (times)
    [query.from, query.to] = times.toSorted((a, b) => a - b).map((time) => START + time * 1000) as [
      number,
      number,
    ];
  const text = of === 'series' || of === 'seriesPrefix' ? one.series : one.key;
  if (of) query[of] = of === 'series' || of === 'key' ? text : text.slice(0, length);
  return query;
}

describe('finding objects', () => {
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    it(`brings what a scan of all objects finds, in its order: ${name}`, async () => {
      const seen = { found: 0, skippedByName: 0, skippedByAttributes: 0, skippedByIndex: 0 };
      await fc.assert(
        fc.asyncProperty(
          messages,
          fc.array(asked, { minLength: 1, maxLength: 6 }),
          fc.constantFrom('newline', 'length'),
          fc.constantFrom('gzip', 'none'),
          fc.constantFrom(1, 200, 128 * 1024),
          fc.integer({ min: 1, max: 8 }),
          fc.integer({ min: 0, max: 4 }),
          async (list, queries, framing, compression, blockSize, count, lost) => {
            const archive = await Archive.of(list, { layout, framing, compression, blockSize, count });
            // Copies by other tools lose the attributes; nothing else may come of it.
            for (const [n, { bucket, key }] of archive.stored.entries())
              if (lost > 0 && n % lost === 0) archive.store.change(bucket, key, { attributes: {} });
            for (const one of queries) {
              const query = queryOf(archive, one);
              const { records, objects, progress } = await archive.ask(query);
              const found = new Map<string, string[]>();
              for (const record of records) {
                const { bucket, key } = record.object;
                const known = found.get(bucket) ?? [];
                // Else the order of buckets would not be that of the objects.
                assert.ok(known.length === 0 || [...found.keys()].at(-1) === bucket);
                found.set(bucket, [...known, `${key} ${textOf(record)}`]);
              }
              const expected = [...archive.scan(query)].map(([bucket, scanned]): [string, string[]] => [
                bucket,
                scanned.map((record) => `${record.object} ${textOf(record)}`),
              ]);
              const text = JSON.stringify(query);
              assert.deepEqual(new Map([...found].toSorted()), new Map(expected.toSorted()), text);
              const { listed, foreignNames, failed, matching, ...skipped } = progress;
              assert.deepEqual([foreignNames, failed, matching], [0, [], objects.length]);
              assert.equal(progress.records, records.length);
              const { skippedByName, skippedByAttributes, skippedByIndex } = skipped;
              assert.equal(listed, skippedByName + skippedByAttributes + skippedByIndex + matching);
              seen.found += records.length;
              seen.skippedByName += skippedByName;
              seen.skippedByAttributes += skippedByAttributes;
              seen.skippedByIndex += skippedByIndex;
            }
          },
        ),
        { numRuns: 25 },
      );
      // Else this would prove little.
      assert.ok(seen.found > 30 && seen.skippedByIndex + seen.skippedByAttributes > 10, JSON.stringify(seen));
    });
  }

  describe('in a large archive', () => {
    const DAYS = 60;
    const MACHINES = 20;
    /** 32 HEADs under way, and those of the 8 objects whose indexes are read. */
    const HEADS_AHEAD = 40;
    let archive: Archive;
    before(async () => {
      archive = await Archive.of(
        Array.from({ length: DAYS }, (_, day) =>
          Array.from({ length: MACHINES * 10 }, (_, n) =>
            message(`plant-${n % 2}`, `d${n % MACHINES}`, day * 86_400 + n * 60, { day, n }),
          ),
        ).flat(),
        { count: 10 },
      );
      assert.equal(archive.stored.length, (DAYS * MACHINES * 10) / 10);
    });

    const ask = async (query: Query) => {
      archive.store.calls.length = 0;
      const traffic = noTraffic();
      const progress = noProgress();
      const found = [];
      for await (const object of findObjects(
        counted(archive.store, traffic),
        archive.layout,
        query,
        progress,
      ))
        found.push(object);
      assert.equal(archive.store.calls.length, requestsOf(traffic));
      return { found, traffic, progress };
    };
    const noon = START + 30 * DAY + 60 * 60_000;

    it('lists, and asks, no more than what can match', async () => {
      const { found, traffic, progress } = await ask({
        levels: { PLANT: 'plant-1' },
        from: noon,
        to: noon + 10 * 60_000,
      });
      assert.ok(found.length >= 1 && found.length <= 2);
      assert.equal(traffic.list, 1);
      assert.equal(progress.listed, 10);
      assert.equal(traffic.head, found.length);
      // The index of a small object is among its attributes.
      assert.equal(traffic.get, 0);
    });

    it('takes requests by the days that are asked for, not by those that there are', async () => {
      const days = async (count: number) => {
        const { traffic } = await ask({ bucket: 'plant-0', from: noon, to: noon + count * DAY - 1 });
        return traffic;
      };
      const one = await days(1);
      const seven = await days(7);
      assert.ok(one.list <= 2 && one.head <= 11, JSON.stringify(one));
      assert.ok(seven.list <= 8 && seven.head <= 71, JSON.stringify(seven));
    });

    it('asks for no page of a listing, and no object, that its consumer does not come to', async () => {
      // Names that make a second page.
      const plain = { contentType: 'text/plain', attributes: {} };
      for (let n = 0; n < 1000; n++) await archive.store.put('plant-0', `x-${n}`, Buffer.alloc(1), plain);
      archive.store.calls.length = 0;
      for await (const object of findObjects(
        archive.store,
        archive.layout,
        { bucket: 'plant-0' },
        noProgress(),
      )) {
        assert.ok(object.count > 0);
        break;
      }
      assert.equal(archive.store.count('list'), 1);
      assert.ok(archive.store.count('head') <= HEADS_AHEAD);
      await new Promise(setImmediate);
      assert.ok(archive.store.count('head') <= HEADS_AHEAD);
    });

    it('in every bucket leaves out those that it may not list, and tells of them', async () => {
      const archive = await Archive.of(
        ['plant-1', 'plant-2', 'plant-3'].map((plant) => message(plant, 'a', 0)),
      );
      archive.store.fault = ({ operation, bucket }) =>
        operation === 'list' && bucket === 'plant-2' ? 'ACCESS_DENIED' : undefined;
      const { objects, progress } = await archive.find({ bucket: '*' });
      assert.deepEqual(
        objects.map(({ bucket }) => bucket),
        ['plant-1', 'plant-3'],
      );
      assert.deepEqual(
        progress.failed.map(({ bucket, key, code }) => [bucket, key, code]),
        [['plant-2', '', 'ACCESS_DENIED']],
      );
      await assert.rejects(archive.find({ bucket: 'plant-2' }), { code: 'ACCESS_DENIED' });
      archive.store.fault = ({ operation }) => (operation === 'list' ? 'STORE_UNREACHABLE' : undefined);
      await assert.rejects(archive.find({ bucket: '*' }), { code: 'STORE_UNREACHABLE' });
    });

    it('in every bucket leaves out objects that it may list but not read, and tells of them', async () => {
      const archive = await Archive.of(
        ['plant-1', 'plant-2', 'plant-3'].map((plant) => message(plant, 'a', 0)),
      );
      archive.store.fault = ({ operation, bucket }) =>
        operation === 'head' && bucket === 'plant-2' ? 'ACCESS_DENIED' : undefined;
      const { objects, progress } = await archive.find({ bucket: '*' });
      assert.deepEqual(
        objects.map(({ bucket }) => bucket),
        ['plant-1', 'plant-3'],
      );
      assert.deepEqual(
        progress.failed.map(({ bucket, key, code }) => [bucket, key !== '', code]),
        [['plant-2', true, 'ACCESS_DENIED']],
      );
      await assert.rejects(archive.find({ bucket: 'plant-2' }), { code: 'ACCESS_DENIED' });
      archive.store.fault = ({ operation }) => (operation === 'head' ? 'CREDENTIALS_INVALID' : undefined);
      await assert.rejects(archive.find({ bucket: '*' }), { code: 'CREDENTIALS_INVALID' });
    });

    it('asks nothing for a range before the archive, or after', async () => {
      for (const from of [START - 100 * DAY, START + 1000 * DAY]) {
        const { found, traffic } = await ask({ bucket: 'plant-0', from, to: from + DAY - 1 });
        assert.deepEqual([found.length, traffic.head, traffic.get], [0, 0, 0]);
        assert.equal(traffic.list, 1);
      }
    });

    it('runs no more requests than it may', async () => {
      const running = { head: 0, get: 0 };
      const most = { head: 0, get: 0 };
      archive.store.gate = async ({ operation }) => {
        if (operation !== 'head' && operation !== 'get') return;
        most[operation] = Math.max(most[operation], ++running[operation]);
        await new Promise(setImmediate);
        running[operation]--;
      };
      try {
        for (const heads of [1, 3]) {
          most.head = most.get = 0;
          await archive.find({ bucket: 'plant-0', from: noon, to: noon + DAY }, { heads, parallel: 2 });
          assert.equal(most.head, heads);
          assert.ok(most.get <= 2, `${most.get}`);
        }
      } finally {
        archive.store.gate = () => undefined;
      }
    });
  });
});
