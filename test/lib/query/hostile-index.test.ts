import assert from 'node:assert/strict';
import zlib from 'node:zlib';

import { crc32c } from '../../../lib/crc32c';
import { DEFAULT_MAX_INDEX, MAX_INDEX_RECORDS, TRAILER_LENGTH } from '../../../lib/object';
import { indexMembers, writeTrailer } from '../../../lib/object/tail';
import { refused, stored } from './stored-index';

const MIB = 1024 * 1024;
const SUFFIX = 64 * 1024;

/** What a piece of work adds to the most memory that this process ever had, in bytes. */
async function peakOf(work: () => Promise<void>): Promise<number> {
  const before = process.resourceUsage().maxRSS;
  await work();
  return (process.resourceUsage().maxRSS - before) * 1024;
}

describe('reading the offset index of a hostile object', () => {
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
    const records = (count: number): Claims => {
      const kind = { version: 1, batch: 'b', framing: 'none', compression: 'gzip', count, first: 0, last: 0 };
      const pages = { series: ['s'], length: [0], records: [count], indexLength: [10], size: [100] };
      const directory = Buffer.from(JSON.stringify({ ...kind, pages }));
      return { before: Buffer.alloc(10), directory, trailer: { count } };
    };
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
      [hostile(records(MAX_INDEX_RECORDS + 1)), 'OBJECT_TOO_LARGE'],
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
