import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { ObjectMatch } from '../../../lib/query';
import { RecordGroups } from '../../../lib/query/record-groups';
import { RecordPlaces } from '../../../lib/query/record-places';

const OBJECT: ObjectMatch = {
  bucket: 'b',
  key: 'o',
  etag: '"e"',
  size: 9,
  count: 1,
  first: 0,
  last: 0,
  framing: 'none',
  compression: 'gzip',
  attributes: {},
  blocks: [],
};

describe('groups of records', () => {
  const entries = fc.array(
    fc.record({
      series: fc.constantFrom('a', 'b', '__proto__'),
      topic: fc.constantFrom('t', 'constructor'),
      time: fc.oneof(fc.nat(600), fc.constantFrom(0, 2 ** 32, 2 ** 33 + 5, 253_402_300_799_999)),
      length: fc.nat(3),
    }),
    { maxLength: 3000, size: 'max' },
  );

  it('have the numbers that a Map of texts gives, before and after lengths are forgotten', () => {
    fc.assert(
      fc.property(entries, entries, (before, after) => {
        const groups = new RecordGroups();
        const known = new Map<string, number>();
        const like = (entry: object): number => {
          const text = JSON.stringify(entry);
          const number = known.get(text) ?? known.size;
          known.set(text, number);
          return number;
        };
        for (const entry of before) assert.equal(groups.numberOf(entry, entry.length), like(entry));
        assert.equal(groups.count, known.size);
        const olds = [...known.keys()].map((text) => JSON.parse(text) as (typeof before)[number]);
        known.clear();
        const numbers = groups.withoutLengths();
        assert.deepEqual(
          [...numbers],
          olds.map((entry) => like({ ...entry, length: 0 })),
        );
        for (const entry of after) assert.equal(groups.numberOf(entry, 0), like({ ...entry, length: 0 }));
      }),
      { numRuns: 30 },
    );
  });

  it('hold places until they are taken, and bring them together when groups become one', () => {
    const places = new RecordPlaces();
    const block = { offset: 0, length: 9, size: 9, object: OBJECT };
    const of = (n: number) => ({
      start: n,
      length: n % 7,
      flags: n % 512,
      ...(n % 5 === 0 && { lineBreaks: [n] }),
    });
    for (let n = 0; n < 3000; n++) places.add(n, block, of(n));
    assert.deepEqual(places.take(1005), [{ block, ...of(1005) }]);
    assert.deepEqual([places.take(1005), places.take(5000)], [[], []]);
    places.regroup(Uint32Array.from({ length: 3000 }, (_, n) => n % 1000));
    assert.deepEqual(
      places.take(5).toSorted((a, b) => a.start - b.start),
      [5, 2005].map((n) => ({ block, ...of(n) })),
    );
    places.add(5, block, of(7));
    assert.deepEqual(places.take(5), [{ block, ...of(7) }]);
    assert.deepEqual(places.take(2005), []);
  });
});
