import assert from 'node:assert/strict';

import fc from 'fast-check';

import { Layout } from '../../../lib/layout';
import { encodeObject, readAttributes } from '../../../lib/object';
import { filterOf, type Query } from '../../../lib/query';
import { bucketsOf, timeRangeOf, valueCombinations } from '../../../lib/query/query';
import { recordsOf, type TestRecord } from '../../support/records';
import { throwsWith } from '../object/read-back';
import { LAYOUT, START } from './archive';

const HOUR = 3600 * 1000;
const layout = new Layout(LAYOUT);

describe('combinations of level values', () => {
  it('are every way to choose one value for each level', () => {
    assert.deepEqual(valueCombinations(), [{}]);
    assert.deepEqual(valueCombinations({}), [{}]);
    assert.deepEqual(valueCombinations({ PLANT: 'p' }), [{ PLANT: 'p' }]);
    assert.deepEqual(valueCombinations({ PLANT: ['p', 'q'], DEVICE: 'd', TYPE: ['s', 't'] }), [
      { PLANT: 'p', DEVICE: 'd', TYPE: 's' },
      { PLANT: 'p', DEVICE: 'd', TYPE: 't' },
      { PLANT: 'q', DEVICE: 'd', TYPE: 's' },
      { PLANT: 'q', DEVICE: 'd', TYPE: 't' },
    ]);
  });

  it('are none when a level may have none, and take a value once that is given twice', () => {
    assert.deepEqual(valueCombinations({ PLANT: ['p'], DEVICE: [] }), []);
    assert.deepEqual(valueCombinations({ PLANT: ['p', 'p'] }), [{ PLANT: 'p' }]);
  });

  it('leave a level open rather than be more than 256', () => {
    const values = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
    assert.equal(valueCombinations({ PLANT: values(256) }).length, 256);
    assert.deepEqual(valueCombinations({ PLANT: values(257) }), [{}]);
    const combinations = valueCombinations({ PLANT: values(100), DEVICE: values(3), TYPE: values(2) });
    assert.equal(combinations.length, 200);
    assert.deepEqual(combinations[0], { PLANT: '0', TYPE: '0' });
  });

  it('may have names that objects have of their own', () => {
    assert.deepEqual(valueCombinations({ constructor: 'c' }), [{ constructor: 'c' }]);
  });
});

describe('the buckets of a query', () => {
  it('are the one that is given, or those that the levels tell', () => {
    assert.deepEqual(bucketsOf({ bucket: 'mine', levels: { PLANT: 'p' } }, layout), ['mine']);
    assert.deepEqual(bucketsOf({ levels: { PLANT: 'plant-1' } }, layout), ['plant-1']);
    assert.deepEqual(bucketsOf({ levels: { DEVICE: 'd', PLANT: ['plant-1', 'plant-2'] } }, layout), [
      'plant-1',
      'plant-2',
    ]);
    assert.deepEqual(bucketsOf({ levels: { PLANT: [] } }, layout), []);
  });

  it('are unknown without the level that they depend on: the error names it', () => {
    for (const levels of [{}, { DEVICE: 'd' }]) {
      assert.throws(() => bucketsOf({ levels }, layout), {
        code: 'QUERY_INVALID',
        message: /depends on PLANT: give that level, or the bucket/,
      });
    }
  });

  it('are told by their level however many values other levels have', () => {
    const DEVICE = Array.from({ length: 200 }, (_, n) => `d${n}`);
    const PLANT = ['plant-1', 'plant-2', 'plant-3'];
    assert.deepEqual(bucketsOf({ levels: { DEVICE, PLANT } }, layout), PLANT);
    assert.deepEqual(bucketsOf({ levels: { PLANT, DEVICE } }, layout), PLANT);
  });

  it('are too many of more than 256 values of their level: the error says so', () => {
    const PLANT = Array.from({ length: 300 }, (_, n) => `plant-${n}`);
    assert.throws(() => bucketsOf({ levels: { PLANT } }, layout), {
      code: 'QUERY_INVALID',
      message: /depends on PLANT.*more than 256 combinations/,
    });
  });
});

describe('a query that is none', () => {
  const invalid: [string, object][] = [
    ['a time range that ends before it begins', { from: 2, to: 1 }],
    ['a time that is not a number', { from: '2018-10-01' }],
    ['a time that is NaN', { to: NaN }],
    ['a level with a number', { levels: { PLANT: 7 } }],
    ['a level with a list of numbers', { levels: { PLANT: ['p', 7] } }],
    ['a level with nothing', { levels: { PLANT: null } }],
    ['a level with an object', { levels: { PLANT: {} } }],
    ['levels that are a list', { levels: ['PLANT'] }],
    ['levels that are text', { levels: 'PLANT' }],
    ['a bucket that is a list', { bucket: ['a'] }],
    ['a series that is a number', { series: 1 }],
    ['a key that is a buffer', { key: Buffer.from('a') }],
    ['a prefix that is null', { keyPrefix: null }],
  ];
  for (const [name, query] of invalid) {
    it(`is refused: ${name}`, () => {
      throwsWith('QUERY_INVALID', () => filterOf(query, layout));
    });
  }

  it('is refused when the layout has no such level: the error names those that it has', () => {
    assert.throws(() => filterOf({ levels: { PLANT: 'p', LINE: '1' } }, layout), {
      code: 'QUERY_INVALID',
      message: /no level LINE; it has PLANT, DEVICE, TYPE/,
    });
    assert.throws(() => filterOf({ levels: { PLANT: 'p' } }, undefined), { code: 'QUERY_INVALID' });
  });

  it('is refused no more than that', () => {
    for (const query of [
      {},
      { from: 1, to: 1 },
      { from: -Infinity, to: Infinity },
      { levels: { PLANT: [] } },
    ]) {
      filterOf(query, layout);
    }
    filterOf({ series: 'a', key: 'b' }, undefined);
  });
});

describe('the times of a query', () => {
  it('are those that it gives', () => {
    assert.equal(timeRangeOf({ series: 'a' }, layout), undefined);
    assert.equal(timeRangeOf({ keyPrefix: 'a/WELD/2018' }, layout), undefined);
    assert.deepEqual(timeRangeOf({ from: 5, to: 7 }, layout), { from: 5, to: 7 });
  });

  it('are those of its key, and a little more for clocks that are set back', () => {
    const key = layout.keyOf('a/WELD', START);
    assert.deepEqual(timeRangeOf({ key }, layout), { from: START - 4 * HOUR, to: START + 4 * HOUR + 999 });
    assert.deepEqual(timeRangeOf({ key, from: START }, layout), { from: START, to: START + 4 * HOUR + 999 });
    assert.equal(timeRangeOf({ key }, undefined), undefined);
    assert.equal(timeRangeOf({ key: 'a/WELD/yesterday' }, layout), undefined);
  });

  it('hold every time that is written as the key says, where clocks are set back too', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Antarctica/Casey',
      'Asia/Kathmandu',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom('yyyyMMdd HHmmss', 'yyyy-MM-dd HH:mm', 'iso', 'epoch-s'),
        fc.oneof(
          fc.integer({ min: 0, max: 2_000_000_000 }),
          // Around the end of summer time 2018 in Berlin, and around Casey's step back in 2010.
          fc.integer({ min: 1_540_684_800, max: 1_540_692_000 }),
          fc.integer({ min: 1_267_700_000, max: 1_267_760_000 }),
        ),
        (zone, format, seconds) => {
          const own = new Layout({ ...LAYOUT, time: { source: 'field', field: 't', format, zone } });
          const time = seconds * 1000;
          const range = timeRangeOf({ key: own.keyOf('a/WELD', time) }, own);
          assert.ok(range && range.from <= time && time <= range.to, JSON.stringify({ range, time }));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what attributes rule out', () => {
  const device = fc.constantFrom('a', 'b', 'b1', 'ba', 'Ω', '\u{1f600}', '\uffee', '%', 'x,;y', 'x/y', '');
  const type = fc.constantFrom('WELD', 'W', 'STATUS');
  const record = fc
    .record({ device, type, seconds: fc.nat(50) })
    .map(({ device, type, seconds }): TestRecord => {
      const levels = [device, type].map((level) => level.replaceAll('/', '-'));
      const topic = ['plant', ...levels].join('/');
      return {
        topic,
        series: layout.seriesPrefix({ DEVICE: levels[0] ?? '', TYPE: levels[1] ?? '' }),
        time: START + seconds * 1000,
        payload: Buffer.from(`{"n":${seconds}}`),
      };
    });
  const oneOrMore = (value: fc.Arbitrary<string>) => fc.oneof(value, fc.array(value, { maxLength: 3 }));
  const query: fc.Arbitrary<Query> = fc.record(
    {
      from: fc.nat(50).map((seconds) => START + seconds * 1000),
      to: fc.integer({ min: 50, max: 100 }).map((seconds) => START + seconds * 1000),
      levels: fc.record({ DEVICE: oneOrMore(device), TYPE: oneOrMore(type) }, { requiredKeys: [] }),
      series: record.map(({ series }) => series),
      seriesPrefix: record.map(({ series }) => series.slice(0, 2)),
      key: record.map(({ series, time }) => layout.keyOf(series, time)),
      keyPrefix: record.map(({ series, time }) => layout.keyOf(series, time).slice(0, 12)),
    },
    { requiredKeys: [] },
  );

  it('never is an object, or a page of its index, that has a matching record', async () => {
    const seen = { ruledOut: 0, mapIndex: 0, mapBlocks: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 60 }),
        fc.array(query, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(1, 40, 200, 128 * 1024),
        fc.constantFrom('gzip', 'none'),
        async (records, queries, blockSize, compression) => {
          const format = { framing: 'newline', compression, key: layout.keyShape, batch: 'b' } as const;
          const object = await encodeObject(recordsOf(records, 'newline'), format, { blockSize });
          const summary = readAttributes(object.attributes, object.body.length);
          assert.ok(summary);
          if (summary.pageBytes) seen.mapIndex++;
          else if (summary.blocks) seen.mapBlocks++;
          for (const asked of queries) {
            const filter = filterOf(asked, layout);
            const { from, to, topic, series, key } = filter.records;
            const matching = records.filter(
              (one) =>
                one.time >= from &&
                one.time <= to &&
                (topic?.(one.topic) ?? true) &&
                (series?.(one.series) ?? true) &&
                (key?.(layout.keyOf(one.series, one.time)) ?? true),
            );
            const mayHold = filter.mayHold(summary);
            if (!mayHold) seen.ruledOut++;
            assert.ok(mayHold || matching.length === 0, JSON.stringify(asked));
            const choice = filter.pagesOf(summary.keyTemplate);
            for (const runs of [summary.blocks, summary.pages]) {
              if (!runs || matching.length === 0) continue;
              assert.ok(runs.some((_, number) => choice(runs, number)));
            }
          }
        },
      ),
      { numRuns: 150 },
    );
    // Else this would prove little.
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 10, `${what}: ${count}`);
  });

  it('is what lies before or after the times, or between two series of the map', async () => {
    const records = Array.from({ length: 2000 }, (_, n): TestRecord => ({
      topic: `plant/device-${n % 10}/WELD`,
      series: `device-${n % 10}/WELD`,
      time: START + n * 1000,
      payload: Buffer.from(JSON.stringify({ n, noise: Math.sin(n) })),
    }));
    const format = { framing: 'newline', compression: 'gzip', key: layout.keyShape, batch: 'b' } as const;
    const object = await encodeObject(recordsOf(records, 'newline'), format, { blockSize: 10_000 });
    const summary = readAttributes(object.attributes, object.body.length)!;
    assert.ok(summary.blocks ?? summary.pages);
    const may = (asked: Query): boolean => filterOf(asked, layout).mayHold(summary);
    assert.equal(may({ to: START - 1 }), false);
    assert.equal(may({ to: START }), true);
    assert.equal(may({ from: START + 2000 * 1000 }), false);
    assert.equal(may({ series: 'another' }), false);
    assert.equal(may({ levels: { DEVICE: 'another' } }), false);
    assert.equal(may({ levels: { DEVICE: ['another', 'device-3'] } }), true);
    assert.equal(may({ levels: { DEVICE: [] } }), false);
    assert.equal(may({ key: layout.keyOf('device-3/WELD', START + 100 * 24 * HOUR) }), false);
    assert.equal(may({ key: layout.keyOf('device-3/WELD', START + 3000) }), true);
    // Of objects that were written with other keys nothing is known but the series themselves.
    const other = { ...summary, keyTemplate: 'TYPE/DEVICE/t' };
    assert.equal(filterOf({ levels: { DEVICE: 'another' } }, layout).mayHold(other), true);
    assert.equal(filterOf({ series: 'another' }, layout).mayHold(other), false);
  });
});
