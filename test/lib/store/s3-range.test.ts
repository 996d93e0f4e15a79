import fc from 'fast-check';
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { ByteRange } from '../../../lib/store/object-store';
import { placeOfPart, rangeHeader, readExactly } from '../../../lib/store/s3-range';

describe('ranges of an S3 store', () => {
  const place = 'the object';
  const protocol = { code: 'STORE_PROTOCOL', message: /the object/ };
  const check = (range: ByteRange, contentRange: string | undefined, contentLength?: number, status = 206) =>
    placeOfPart(range, { status, contentRange, contentLength }, place);

  it('are asked for as HTTP wants it', () => {
    assert.equal(rangeHeader({ offset: 0, length: 1 }, place), 'bytes=0-0');
    assert.equal(rangeHeader({ offset: 100, length: 50 }, place), 'bytes=100-149');
    assert.equal(rangeHeader({ suffix: 9 }, place), 'bytes=-9');
  });

  it('are taken just when they are what was asked for', () => {
    const small = fc.nat(7);
    const range = fc.oneof(
      fc.record({ offset: small, length: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ suffix: fc.integer({ min: 1, max: 8 }) }),
    );
    fc.assert(
      fc.property(range, small, small, small, small, (asked, first, last, size, contentLength) => {
        const whole = [...Array(size).keys()];
        const wanted =
          'suffix' in asked
            ? whole.slice(-asked.suffix)
            : whole.slice(asked.offset, asked.offset + asked.length);
        const answer = (): unknown => check(asked, `bytes ${first}-${last}/${size}`, contentLength);
        if (wanted[0] === first && wanted.at(-1) === last && wanted.length === contentLength) {
          assert.deepEqual(answer(), { offset: first, length: wanted.length, size });
        } else {
          assert.throws(answer, protocol);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('are refused when they say nothing usable of themselves', () => {
    for (const text of [
      undefined,
      '',
      'bytes',
      'bytes 0-9/*',
      'bytes */100',
      'bytes 5-4/100',
      'bytes 0-9/5',
      'items 0-9/100',
    ]) {
      assert.throws(() => check({ offset: 0, length: 10 }, text), protocol, text);
    }
    for (const status of [204, 304, undefined])
      assert.throws(() => check({ suffix: 1 }, undefined, 1, status), protocol);
  });

  it('may be the whole object where they cover it', () => {
    const whole = (range: ByteRange, length?: number) => check(range, undefined, length, 200);
    assert.deepEqual(whole({ offset: 0, length: 10 }, 10), { offset: 0, length: 10, size: 10 });
    assert.deepEqual(whole({ suffix: 64 }, 10), { offset: 0, length: 10, size: 10 });
    for (const [range, length] of [
      [{ offset: 0, length: 10 }, 11],
      [{ offset: 1, length: 10 }, 10],
      [{ suffix: 9 }, 10],
      [{ suffix: 9 }, undefined],
      [{ suffix: 9 }, 0],
    ] as const) {
      assert.throws(() => whole(range, length), protocol);
    }
  });

  it('are read to the byte, and no further', async () => {
    const body = (): Readable => Readable.from([Buffer.from('abc'), Buffer.from('de'), Buffer.from('f')]);
    assert.equal((await readExactly(body(), 6, place)).toString(), 'abcdef');
    await assert.rejects(readExactly(body(), 7, place), protocol);
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1000);
      })(),
    );
    await assert.rejects(readExactly(endless, 2500, place), protocol);
    assert.ok(endless.destroyed);
  });
});
