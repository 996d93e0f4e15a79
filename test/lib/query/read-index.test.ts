import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';

import fc from 'fast-check';

import {
  DEFAULT_MAX_INDEX,
  encodeObject,
  type EncodedObject,
  type IndexPage,
  TRAILER_LENGTH,
} from '../../../lib/object';
import { headObject } from '../../../lib/query';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { FORMAT, rejectsWith } from '../object/read-back';
import { read, refused, stored } from './stored-index';

const KIB = 1024;
const MIB = 1024 * KIB;
const SUFFIX = 64 * KIB;

/** Records of 40 devices with an index that hardly shrinks: each has a topic of its own. */
function manyTopics(count: number): TestRecord[] {
  return Array.from({ length: count }, (_, n) => ({
    topic: randomBytes(30).toString('base64'),
    series: `device-${String(n % 40).padStart(2, '0')}`,
    time: n * 1000,
    payload: Buffer.from(String(n)),
  }));
}

const encoded = (
  records: readonly TestRecord[],
  format: Partial<typeof FORMAT> = {},
): Promise<EncodedObject> =>
  encodeObject(recordsOf(records, 'newline'), { ...FORMAT, ...format }, { blockSize: 4 * KIB });

const noMap = (name: string): boolean => !name.startsWith('map-');
const none = (): boolean => false;

/** What a page tells of its records. */
const contentOf = (pages: readonly IndexPage[]): unknown[] =>
  pages.map(({ topics, series, time, length, topic, flags, blocks }) => ({
    ...{ topics, series, blocks },
    columns: [time, length, topic, flags].map((column) => [...column]),
  }));

describe('reading the offset index', () => {
  describe('that is larger than what is read at once', () => {
    const records = manyTopics(14_000);
    let object: EncodedObject;
    let all: unknown[];
    before(async () => {
      object = await encoded(records);
      assert.ok(object.indexLength > 400 * KIB && 'map-pages' in object.attributes);
      const { index } = await read(await stored(object));
      assert.ok(index);
      all = contentOf(index.pages);
      assert.ok(index.pages.length >= 6);
      assert.equal(
        index.pages.reduce((sum, page) => sum + page.count, 0),
        records.length,
      );
    });

    for (const [what, keep, gets, beside] of [
      ['with the map among the attributes', () => true, 1, 0],
      ['without the map', noMap, 2, 4 * KIB],
      ['without attributes', none, 2, SUFFIX],
    ] as const) {
      it(`takes the directory and the pages that are wanted: ${what}`, async () => {
        const whole = await read(await stored(object, keep));
        assert.deepEqual(contentOf(whole.index?.pages ?? []), all);
        assert.ok(whole.bytes() <= object.indexLength + beside);

        // Of the last page some bytes lie in the suffix, so ask for the first.
        const one = await read(await stored(object, keep), 'device-00');
        const { index } = one;
        assert.ok(index?.pages.length === 1 && index.pages[0]?.series.includes('device-00'));
        assert.equal(index.count, records.length);
        assert.equal(one.gets(), gets);
        assert.ok(one.bytes() < object.indexLength / 6 + beside, `${one.bytes()} bytes`);

        const another = await read(await stored(object, keep), 'device');
        assert.deepEqual(another.index?.pages, []);
      });
    }

    it('is refused when the object comes to be another in between', async () => {
      const store = await stored(object, none);
      let gets = 0;
      store.gate = async ({ operation }) => {
        if (operation === 'get' && ++gets === 2)
          store.change('b', 'o', { body: Buffer.from(object.body).fill(1, 0, 10) });
        return Promise.resolve();
      };
      await refused('OBJECT_CHANGED', store);
    });
  });

  it('takes one GET where the attributes tell where a small index lies, and none where they hold it', async () => {
    const object = await encoded(weldRecords(3000, 20));
    assert.ok(object.indexLength < SUFFIX);
    for (const keep of [noMap, none, () => true]) {
      const { index, gets } = await read(await stored(object, keep));
      assert.deepEqual([index?.count, gets()], [3000, 1]);
    }
    const small = await encoded(weldRecords(40, 2));
    const { index, gets } = await read(await stored(small));
    assert.deepEqual([index?.count, gets()], [40, 0]);
  });

  it('takes two GETs of an index that is larger than the suffix, when attributes are lost', async () => {
    const object = await encoded(manyTopics(3000));
    assert.ok(object.indexLength > SUFFIX && object.indexLength < 256 * KIB);
    const { gets, bytes, index } = await read(await stored(object, none));
    assert.deepEqual([gets(), bytes(), index?.count], [2, object.indexLength, 3000]);
  });

  describe('of a damaged object', () => {
    it('brings what is right, or a code, whatever bytes of index and trailer are others', async () => {
      const object = await encoded(weldRecords(60, 3));
      const right = contentOf((await read(await stored(object))).index?.pages ?? []);
      const { length } = object.body;
      const change = fc.tuple(fc.integer({ min: 1, max: object.indexLength }), fc.nat(255));
      const counts = { right: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { minLength: 1, maxLength: 3 }),
          fc.constantFrom(noMap, none),
          async (changes, keep) => {
            const body = Buffer.from(object.body);
            for (const [fromEnd, byte] of changes) body[length - fromEnd] = byte;
            const { index, bytes } = await read(await stored({ ...object, body }, keep));
            if (index) assert.deepEqual(contentOf(index.pages), right);
            assert.ok(bytes() <= length);
            counts[index ? 'right' : 'refused']++;
          },
        ),
        { numRuns: 300 },
      );
      assert.ok(counts.refused > 200, JSON.stringify(counts));
    });

    it('refuses it when it was cut, wherever; with attributes, too', async () => {
      const object = await encoded(weldRecords(60, 3));
      const { length } = object.body;
      for (const end of [
        0,
        1,
        50,
        TRAILER_LENGTH,
        length - object.indexLength,
        length - TRAILER_LENGTH,
        length - 1,
      ]) {
        const body = object.body.subarray(0, end);
        await refused('OBJECT_FOREIGN', await stored({ body }));
        await rejectsWith('OBJECT_CORRUPT', headObject(await stored({ ...object, body }), 'b', 'o'));
      }
    });
  });

  describe('in a sidecar', () => {
    let object: EncodedObject;
    before(async () => {
      object = await encoded(weldRecords(5000, 5), { compression: 'none' });
    });

    it('brings all pages with one GET, with attributes or, after a look at the end, without', async () => {
      for (const [keep, gets] of [
        [() => true, 1],
        [none, 2],
      ] as const) {
        const one = await read(await stored(object, keep));
        assert.deepEqual([one.index?.count, one.index?.compression, one.gets()], [5000, 'none', gets]);
        assert.ok((one.index?.pages.length ?? 0) >= 2);
      }
    });

    it('refuses one that is missing, empty, cut, no index, or that of another object', async () => {
      const other = await encoded(weldRecords(5000, 5, 2), { compression: 'none', batch: 'another' });
      const text = zlib.gunzipSync(object.sidecar!).toString();
      const lines = text.split('\n').slice(0, -1);
      // The last bytes of what is cut tell any size.
      const cut = /^OBJECT_(CORRUPT|TOO_LARGE)$/;
      const cases: [Buffer | undefined, string | RegExp][] = [
        [undefined, 'OBJECT_FOREIGN'],
        [Buffer.alloc(0), 'OBJECT_FOREIGN'],
        [Buffer.from('hello'), cut],
        [Buffer.alloc(1000), 'OBJECT_CORRUPT'],
        [object.sidecar!.subarray(0, -1), cut],
        [object.sidecar!.subarray(1), 'OBJECT_CORRUPT'],
        [zlib.gzipSync(''), 'OBJECT_CHANGED'],
        [zlib.gzipSync(lines[0]! + '\n'), 'OBJECT_CHANGED'],
        [zlib.gzipSync(text.slice(0, -1)), 'OBJECT_CHANGED'],
        [zlib.gzipSync(lines.toReversed().join('\n') + '\n'), 'OBJECT_CORRUPT'],
        [zlib.gzipSync('{}\n'), 'OBJECT_CORRUPT'],
        [zlib.gzipSync('\n'.repeat(1000)), 'OBJECT_CORRUPT'],
        [other.sidecar, 'OBJECT_CHANGED'],
      ];
      for (const [n, [sidecar, code]] of cases.entries()) {
        const { body, attributes } = object;
        const { error } = await read(await stored({ body, attributes, ...(sidecar && { sidecar }) }));
        assert.match(error?.code ?? '', new RegExp(code), `case ${n}: ${error?.message ?? ''}`);
      }
    });

    it('refuses one that is larger than a reader takes, once it has shown that', async () => {
      const zeros = zlib.gzipSync(Buffer.alloc(DEFAULT_MAX_INDEX + 1));
      await refused('OBJECT_TOO_LARGE', await stored({ ...object, sidecar: zeros }));
      const store = await stored({ ...object, sidecar: randomBytes(DEFAULT_MAX_INDEX + MIB) });
      await refused('OBJECT_TOO_LARGE', store, DEFAULT_MAX_INDEX);
    });
  });
});
