import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';

import fc from 'fast-check';

import { crc32c } from '../../../lib/crc32c';
import { S3BatchError } from '../../../lib/errors';
import {
  DEFAULT_MAX_INDEX,
  encodeObject,
  type EncodedObject,
  type IndexPage,
  SIDECAR_SUFFIX,
  TRAILER_LENGTH,
} from '../../../lib/object';
import { indexMembers, writeTrailer } from '../../../lib/object/tail';
import { counted, filterOf, headObject, noTraffic, readIndex } from '../../../lib/query';
import { MemoryStore } from '../../support/memory-store';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { FORMAT, rejectsWith } from '../object/read-back';

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

/** The object as it is stored, with these of its attributes. */
async function stored(
  { body, attributes, sidecar }: Partial<EncodedObject> & { body: Buffer },
  keep: (name: string) => boolean = () => true,
): Promise<MemoryStore> {
  const store = new MemoryStore();
  const kept = Object.fromEntries(Object.entries(attributes ?? {}).filter(([name]) => keep(name)));
  await store.put('b', 'o', body, { contentType: 'application/gzip', attributes: kept });
  if (sidecar) {
    const options = { contentType: 'application/gzip', attributes: {} };
    await store.put('b', `o${SIDECAR_SUFFIX}`, sidecar, options);
  }
  return store;
}

/** Reads the pages that may have a series, or all; tells how many GETs and bytes it took. */
async function read(store: MemoryStore, series?: string) {
  const traffic = noTraffic();
  const through = counted(store, traffic);
  const choice = filterOf(series === undefined ? {} : { series }, undefined).pagesOf(undefined);
  const head = await headObject(through, 'b', 'o');
  try {
    return {
      index: await readIndex(through, head, choice),
      gets: () => traffic.get,
      bytes: () => traffic.bytes,
    };
  } catch (error) {
    assert.ok(error instanceof S3BatchError, String(error));
    return { error, gets: () => traffic.get, bytes: () => traffic.bytes };
  }
}

async function refused(code: string, store: MemoryStore, mostBytes = Infinity): Promise<void> {
  const { error, bytes } = await read(store);
  assert.equal(error?.code, code, error?.message);
  assert.ok(bytes() <= mostBytes, `${bytes()} bytes were fetched`);
}

const noMap = (name: string): boolean => !name.startsWith('map-');
const none = (): boolean => false;

/** What a page tells of its records. */
const contentOf = (pages: readonly IndexPage[]): unknown[] =>
  pages.map(({ topics, series, time, length, topic, flags, blocks }) => ({
    ...{ topics, series, blocks },
    columns: [time, length, topic, flags].map((column) => [...column]),
  }));

/** What a piece of work adds to the most memory that this process ever had, in bytes. */
async function peakOf(work: () => Promise<void>): Promise<number> {
  const before = process.resourceUsage().maxRSS;
  await work();
  return (process.resourceUsage().maxRSS - before) * KIB;
}

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

  describe('of a hostile object', () => {
    interface Claims {
      /** Bytes before the directory: pages, or anything. */
      before?: Buffer;
      pages?: Partial<Record<'series' | 'length' | 'records' | 'indexLength' | 'size', unknown[]>>;
      directory?: Buffer;
      trailer?: Partial<Parameters<typeof writeTrailer>[0]>;
    }

    /** An object without blocks whose directory and trailer claim what they are told to. */
    function hostile({ before = Buffer.alloc(0), pages = {}, directory, trailer = {} }: Claims): Buffer {
      const kind = {
        version: 1,
        batch: 'b',
        framing: 'none',
        compression: 'gzip',
        count: 1,
        first: 0,
        last: 0,
      };
      const own = { series: ['s'], length: [0], records: [1], indexLength: [before.length], size: [100] };
      const json = directory ?? Buffer.from(JSON.stringify({ ...kind, pages: { ...own, ...pages } }));
      const compressed = zlib.gzipSync(json);
      const members = indexMembers(compressed);
      return Buffer.concat([
        before,
        members,
        writeTrailer({
          offset: 0,
          length: before.length + members.length,
          directoryLength: members.length,
          directorySize: json.length,
          count: 1,
          checksum: crc32c(compressed),
          ...trailer,
        }),
      ]);
    }

    const LITTLE = 2 * SUFFIX;
    const large = Buffer.alloc(12 * MIB);

    it('takes no memory for a directory that cannot be true', async () => {
      const size = (members: number): number => large.length + members;
      const members = hostile({}).length - TRAILER_LENGTH;
      for (const [directoryLength, directorySize, code] of [
        [size(members), DEFAULT_MAX_INDEX + 1, 'OBJECT_TOO_LARGE'],
        [size(members), 2 ** 50, 'OBJECT_TOO_LARGE'],
        [size(members), 1000, 'OBJECT_CORRUPT'],
        [members, DEFAULT_MAX_INDEX + 1, 'OBJECT_TOO_LARGE'],
        [members, DEFAULT_MAX_INDEX, 'OBJECT_CORRUPT'],
        [0, 0, 'OBJECT_CORRUPT'],
        [1, 1, 'OBJECT_CORRUPT'],
      ] as const) {
        const body = hostile({ before: large, trailer: { directoryLength, directorySize } });
        await refused(code, await stored({ body }), LITTLE);
      }
      const body = hostile({ before: Buffer.alloc(DEFAULT_MAX_INDEX + MIB) });
      const { length } = body;
      await refused(
        'OBJECT_TOO_LARGE',
        await stored({ body: withTrailer(body, { directoryLength: length - 86 }) }),
        LITTLE,
      );
    });

    function withTrailer(body: Buffer, change: { directoryLength: number }): Buffer {
      const length = body.length - TRAILER_LENGTH;
      const claims = { offset: 0, length, directorySize: 2 ** 24, count: 1, checksum: 0, ...change };
      return Buffer.concat([body.subarray(0, length), writeTrailer(claims)]);
    }

    it('takes no memory for pages that cannot be true, or are more than a reader takes', async () => {
      const half = DEFAULT_MAX_INDEX / 2 + 1;
      const many = { series: ['a', 'b'], length: [0, 0], records: [1, 1] };
      const count = { directory: undefined, trailer: { count: 2 } };
      const two = (indexLength: number[], size: number[]): Buffer => {
        const kind = {
          version: 1,
          batch: 'b',
          framing: 'none',
          compression: 'gzip',
          count: 2,
          first: 0,
          last: 0,
        };
        const pages = { ...many, indexLength, size };
        return hostile({
          before: large,
          ...count,
          directory: Buffer.from(JSON.stringify({ ...kind, pages })),
        });
      };
      const cases: [Buffer, string][] = [
        [hostile({ before: large, pages: { size: [DEFAULT_MAX_INDEX + 1] } }), 'OBJECT_TOO_LARGE'],
        [hostile({ before: large, pages: { size: [2 ** 53 - 1] } }), 'OBJECT_TOO_LARGE'],
        [hostile({ before: large, pages: { size: [1000] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { size: [0] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { indexLength: [large.length + 1] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { indexLength: [-1] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { size: ['1'] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { series: [] } }), 'OBJECT_CORRUPT'],
        [hostile({ before: large, pages: { length: [1] } }), 'OBJECT_CORRUPT'],
        // Each of them would do, but not both.
        [two([large.length / 2, large.length / 2], [half, half]), 'OBJECT_TOO_LARGE'],
        // One that takes no bytes, and one that takes all.
        [two([0, large.length], [10, 10]), 'OBJECT_CORRUPT'],
      ];
      for (const [body, code] of cases) await refused(code, await stored({ body }), LITTLE);
    });

    it('refuses attributes that claim such pages, before anything is fetched', async () => {
      const body = hostile({ before: large });
      const members = body.length - TRAILER_LENGTH - large.length;
      const time = '2018-10-01T17:10:35.000Z';
      const attributes = {
        format: 's3-batch/1',
        count: '1',
        first: time,
        last: time,
        framing: 'none',
        index: `0,${large.length + members},${members},300`,
      };
      for (const [pages, code] of [
        [`s,0,1,${large.length},${DEFAULT_MAX_INDEX + 1}`, 'OBJECT_TOO_LARGE'],
        [`s,0,1,${large.length},${'9'.repeat(15)}`, 'OBJECT_TOO_LARGE'],
        [`s,0,1,${large.length},1000`, 'OBJECT_CORRUPT'],
      ] as const) {
        await refused(code, await stored({ body, attributes: { ...attributes, 'map-pages': pages } }), 0);
      }
      const directory = `0,${large.length + members},${large.length + members},300`;
      await refused(
        'OBJECT_CORRUPT',
        await stored({ body, attributes: { ...attributes, index: directory } }),
        0,
      );
    });

    it('refuses a directory that is no directory', async () => {
      const later = Buffer.from('{"version":2}');
      await refused('OBJECT_VERSION', await stored({ body: hostile({ directory: later }) }));
      for (const text of [
        '',
        '{',
        '[]',
        'null',
        '{"version":1}',
        '['.repeat(1000),
        '{"version":1,"pages":[]}',
        '5',
      ])
        await refused('OBJECT_CORRUPT', await stored({ body: hostile({ directory: Buffer.from(text) }) }));
      await refused('OBJECT_CORRUPT', await stored({ body: hostile({ trailer: { count: 2 } }) }));
      await refused('OBJECT_CORRUPT', await stored({ body: hostile({ trailer: { checksum: 1 } }) }));
    });

    it('refuses pages that are no pages', async () => {
      for (const text of ['', '{', '[]', '{"version":1}', '['.repeat(100)]) {
        const before = indexMembers(zlib.gzipSync(text));
        const body = hostile({ before, pages: { size: [text.length] } });
        await refused('OBJECT_CORRUPT', await stored({ body }));
      }
      for (const before of [Buffer.alloc(40), Buffer.from('hello'), indexMembers(Buffer.from('no gzip'))])
        await refused('OBJECT_CORRUPT', await stored({ body: hostile({ before }) }));
    });

    it('takes no more memory than a reader has for a bomb', async () => {
      const bomb = zlib.gzipSync(Buffer.alloc(DEFAULT_MAX_INDEX - 1, '['), { level: 9 });
      const directory = await stored({
        body: hostile({ directory: Buffer.alloc(DEFAULT_MAX_INDEX - 1, '[') }),
      });
      const before = indexMembers(bomb);
      const page = await stored({ body: hostile({ before, pages: { size: [DEFAULT_MAX_INDEX - 1] } }) });
      const peak = await peakOf(async () => {
        await refused('OBJECT_CORRUPT', directory);
        await refused('OBJECT_CORRUPT', page);
      });
      assert.ok(peak < 4 * DEFAULT_MAX_INDEX, `${peak} bytes`);
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
