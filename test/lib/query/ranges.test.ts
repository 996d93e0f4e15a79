import assert from 'node:assert/strict';

import fc from 'fast-check';

import { DEFAULT_MERGE, mergeSpans, type MergeLimits } from '../../../lib/query/ranges';

interface TestSpan {
  offset: number;
  length: number;
  size: number;
}

const MIB = 1024 * 1024;

/** Spans in order that do not overlap, with gaps of any kind between them. */
const spans = fc
  .array(fc.record({ gap: fc.nat(300), length: fc.nat(200), ratio: fc.integer({ min: 1, max: 20 }) }), {
    maxLength: 40,
  })
  .map((list) => {
    let at = 0;
    return list.map(({ gap, length, ratio }): TestSpan => {
      const span = { offset: at + gap, length, size: length * ratio };
      at = span.offset + length;
      return span;
    });
  });
const limits: fc.Arbitrary<Required<MergeLimits>> = fc.record({
  gap: fc.nat(300),
  most: fc.nat(2000),
  mostOpened: fc.nat(5000),
});

function end({ offset, length }: { offset: number; length: number }): number {
  return offset + length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

describe('merging spans into requests', () => {
  it('covers every span once, in order, and nothing outside of them', () => {
    fc.assert(
      fc.property(spans, limits, (list, merge) => {
        const merged = mergeSpans(list, merge);
        assert.deepEqual(
          merged.flatMap(({ parts }) => parts),
          list,
        );
        for (const request of merged) {
          assert.equal(request.offset, request.parts[0]?.offset);
          assert.equal(end(request), end(request.parts.at(-1)!));
        }
        merged.slice(1).forEach((request, n) => assert.ok(request.offset >= end(merged[n]!)));
      }),
    );
  });

  it('never bridges a gap that is too wide, wastes more than half, or makes a request too large', () => {
    fc.assert(
      fc.property(spans, limits, (list, merge) => {
        for (const request of mergeSpans(list, merge)) {
          const { parts, length } = request;
          parts.slice(1).forEach((part, n) => assert.ok(part.offset - end(parts[n]!) <= merge.gap));
          assert.ok(length - sum(parts.map((part) => part.length)) <= length / 2);
          if (parts.length > 1) {
            assert.ok(length <= merge.most);
            assert.ok(sum(parts.map(({ size }) => size)) <= merge.mostOpened);
          }
        }
      }),
    );
  });

  it('merges whatever these rules allow', () => {
    fc.assert(
      fc.property(spans, limits, (list, merge) => {
        const merged = mergeSpans(list, merge);
        merged.slice(1).forEach((request, n) => {
          const before = merged[n]!;
          const next = request.parts[0]!;
          const length = end(next) - before.offset;
          const wanted = sum(before.parts.map((part) => part.length)) + next.length;
          const opened = sum(before.parts.map(({ size }) => size)) + next.size;
          assert.ok(
            next.offset - end(before) > merge.gap ||
              length > merge.most ||
              length - wanted > length / 2 ||
              opened > merge.mostOpened,
          );
        });
      }),
    );
  });

  it('makes one request of neighbours, two where most between would be wasted', () => {
    const of = (...list: [number, number][]) =>
      mergeSpans(list.map(([offset, length]) => ({ offset, length }))).map((one) => [one.offset, one.length]);
    assert.deepEqual(of(), []);
    assert.deepEqual(of([5, 10]), [[5, 10]]);
    assert.deepEqual(of([0, 10], [10, 10]), [[0, 20]]);
    assert.deepEqual(of([0, 10], [30, 10]), [[0, 40]]);
    assert.deepEqual(of([0, 10], [31, 10]), [
      [0, 10],
      [31, 10],
    ]);
    assert.deepEqual(of([0, 2 * MIB], [3 * MIB, 1]), [[0, 3 * MIB + 1]]);
    assert.deepEqual(of([0, 2 * MIB], [3 * MIB + 1, MIB]).length, 2);
  });

  it('bounds a request by the memory that it will take, too', () => {
    // Sensor values that hardly change: 100 KiB become 10 MiB.
    const list = Array.from({ length: 12 }, (_, n) => ({ offset: n * 1e5, length: 1e5, size: 10 * MIB }));
    const merged = mergeSpans(list);
    assert.deepEqual(
      merged.map(({ parts }) => parts.length),
      [3, 3, 3, 3],
    );
    assert.equal(mergeSpans(list, { ...DEFAULT_MERGE, mostOpened: Infinity }).length, 1);
  });

  it('leaves a span that is larger than any request whole', () => {
    const list = [{ offset: 0, length: 100 * MIB, size: 200 * MIB }];
    assert.equal(mergeSpans(list)[0]?.length, 100 * MIB);
  });
});
