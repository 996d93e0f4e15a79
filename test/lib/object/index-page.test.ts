import assert from 'node:assert/strict';

import fc from 'fast-check';

import { encodeObject, type EncodedObject, IndexPage } from '../../../lib/object';
import type { IndexPageJson } from '../../../lib/object/index-json';
import { recordsOf } from '../../support/records';
import { FORMAT, pageTextsOf, readAll, throwsWith } from './read-back';

const LIST = [
  { topic: 't/a', series: 'a', time: 1000, payload: Buffer.from('{"n":\n1}') },
  { topic: 't/a', series: 'a', time: 2000, payload: Buffer.from('text') },
  { topic: 't/b', series: 'b', time: 3000, payload: Buffer.from('{"n":3}') },
  { topic: 't/b', series: 'b', time: 3000, payload: Buffer.from([0xff]), flags: 8 },
];

describe('IndexPage on a page that lies', () => {
  let object: EncodedObject;
  let text: string;
  let span: { offset: number; length: number };

  before(async () => {
    object = await encodeObject(recordsOf(LIST, 'newline'), FORMAT, { blockSize: 20 });
    const [page] = await pageTextsOf(object);
    text = page!.json.toString();
    span = { offset: 0, length: page!.length ?? 0 };
    assert.equal(new IndexPage(page!.json, span).blocks.length, 2);
  });

  /** The index after a change to its JSON. */
  function changed(change: (json: IndexPageJson) => void): Buffer {
    const json = JSON.parse(text) as IndexPageJson;
    change(json);
    return Buffer.from(JSON.stringify(json));
  }

  const lies: [what: string, change: (json: IndexPageJson) => void][] = [
    ['no records', (json) => (json.count = 0)],
    ['a million million records', (json) => (json.count = 1e12)],
    ['a record too few', (json) => (json.count = 3)],
    ['half a record', (json) => (json.count = 3.5)],
    ['a time before 1970', (json) => (json.first = -1)],
    ['a time after the year 9999', (json) => (json.last = 253_402_300_800_000)],
    ['an end before the beginning', (json) => (json.last = 999)],
    ['a record after the last time', (json) => (json.records.time[1] = 3)],
    ['a time delta that overflows', (json) => (json.records.time[1] = Number.MAX_SAFE_INTEGER)],
    ['a negative time delta', (json) => (json.records.time[1] = -1)],
    ['a time unit of nothing', (json) => (json.records.timeUnit = 0)],
    ['a huge time unit', (json) => (json.records.timeUnit = Number.MAX_SAFE_INTEGER)],
    ['one time too many', (json) => json.records.time.push(0)],
    ['one length too few', (json) => json.records.length.pop()],
    ['a record of 4 GiB and 18 bytes', (json) => (json.records.length[0]! += 2 ** 32)],
    ['records that are a byte longer', (json) => json.records.shortest++],
    ['records of 4 GiB', (json) => (json.records.shortest = 2 ** 32)],
    ['a shortest record of 2^53 - 1 bytes', (json) => (json.records.shortest = Number.MAX_SAFE_INTEGER)],
    ['a shortest record of half a byte', (json) => (json.records.shortest = 0.5)],
    ['a record of 2^50 bytes', (json) => (json.records.length[0] = 2 ** 50)],
    ['a record a byte longer', (json) => json.records.length[0]!++],
    ['a negative length', (json) => (json.records.length[0] = -9)],
    ['a block of 2^50 bytes', (json) => (json.blocks.size[0] = 2 ** 50)],
    ['a block that takes 2^50 bytes', (json) => (json.blocks.length[0] = 2 ** 50)],
    ['a block that takes a byte more', (json) => json.blocks.length[1]!++],
    ['a block that takes a byte less', (json) => json.blocks.length[1]!--],
    ['a block of a negative length', (json) => (json.blocks.length[0] = -1)],
    ['a block without records', (json) => (json.blocks.records[0] = 0)],
    ['a block with 2^50 records', (json) => (json.blocks.records[0] = 2 ** 50)],
    ['one block too few', (json) => Object.values(json.blocks).forEach((column) => column.pop())],
    ['one block too many', (json) => Object.values(json.blocks).forEach((column) => column.push(0))],
    ['no blocks', (json) => (json.blocks = { length: [], size: [], records: [] })],
    ['block columns of different lengths', (json) => json.blocks.size.push(1)],
    ['a series without records', (json) => (json.records.series = [0, 4])],
    ['a series of 2^53 - 1 records', (json) => (json.records.series[1] = Number.MAX_SAFE_INTEGER)],
    ['more series than names', (json) => json.series.pop()],
    ['a topic that has no name', (json) => (json.records.topic = [7, 4])],
    ['no topics', (json) => (json.topics = [])],
    ['a run that is too long', (json) => (json.records.topic = [0, 5])],
    ['a run of 2^53 - 1 records', (json) => (json.records.flags = [0, Number.MAX_SAFE_INTEGER])],
    ['runs that are too short', (json) => (json.records.flags = [0, 3])],
    ['a run without its length', (json) => (json.records.flags = [0, 4, 1])],
    ['flags of more than 16 bits', (json) => (json.records.flags = [65_536, 4])],
    ['another framing', (json) => (json.framing = 'toString')],
    ['another compression', (json) => (json.compression = 'zstd')],
    ['line breaks of no record', (json) => (json.records.lineBreaks = { 4: [2] })],
    ['line breaks of a record that is not folded', (json) => (json.records.lineBreaks = { 1: [2] })],
    ['line breaks of a strange place', (json) => (json.records.lineBreaks = { '00': [2] })],
    ['line breaks before the record', (json) => (json.records.lineBreaks = { 0: [-2] })],
    ['a key time that is no number', (json) => (json.key.time = 0.5)],
    ['version 0', (json) => (json.version = 0)],
  ];
  for (const [what, change] of lies) {
    it(`refuses ${what}`, () => {
      throwsWith('OBJECT_CORRUPT', () => new IndexPage(changed(change), span));
    });
  }
  it('refuses blocks that begin or end elsewhere than the directory says', () => {
    for (const length of [0, span.length - 1, span.length + 1, 2 ** 50]) {
      throwsWith('OBJECT_CORRUPT', () => new IndexPage(Buffer.from(text), { offset: 0, length }));
    }
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(Buffer.from(text), { ...span, offset: 1 }));
    throwsWith(
      'OBJECT_CORRUPT',
      () =>
        new IndexPage(
          changed((json) => (json.offset = 1)),
          span,
        ),
    );
    const moved = changed((json) => (json.offset = 1000));
    const page = new IndexPage(moved, { offset: 1000 });
    assert.equal(page.blocks[0]?.offset, 1000);
    assert.equal(page.end, 1000 + span.length);
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(moved, { offset: 1000, length: 1000 + span.length }));
  });

  it('refuses a later version, whatever else it holds', () => {
    const versions = ['{"version":2}', '{"version":2,"records":"elsewhere"}', '{"version":9007199254740991}'];
    for (const version of versions) {
      throwsWith('OBJECT_VERSION', () => new IndexPage(Buffer.from(version), span));
    }
  });

  it('refuses what is no index', () => {
    const others = [
      '',
      'null',
      '7',
      '"index"',
      '[]',
      '{}',
      '{"version":1}',
      text.slice(0, -1),
      `${text}}`,
      '{"version":NaN}',
    ];
    for (const other of [...others, text.replace('"count":4', '"count":1e400'), '\0'.repeat(100)]) {
      throwsWith('OBJECT_CORRUPT', () => new IndexPage(Buffer.from(other), span));
    }
  });

  it('refuses members of other types', () => {
    fc.assert(
      fc.property(
        anyPath(),
        fc.constantFrom(null, true, 'x', {}, [null], -1, 0.5, { length: 3 }),
        (path, value) => {
          const buffer = changed((json) => set(json, path, value));
          const may = path.join('.') === 'key.time' && value !== true;
          try {
            new IndexPage(buffer, span);
            assert(may || typeof value === 'string' || JSON.stringify(value) === '{}', path.join('.'));
          } catch (error) {
            assert.equal((error as Error).name, 'S3BatchError', String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes names such as __proto__ as names', () => {
    const polluted = text
      .replace('"topics":', '"__proto__":{"count":9,"polluted":1},"constructor":{"prototype":{}},"topics":')
      .replace('"lineBreaks":{', '"lineBreaks":{"__proto__":[2],');
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(Buffer.from(polluted), span));
    const harmless = polluted.replace('"__proto__":[2],', '');
    assert.equal(new IndexPage(Buffer.from(harmless), span).count, 4);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    const bare = text.replace('"version":1', '"__proto__":{"version":1}');
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(Buffer.from(bare), span));
  });

  it('ignores members that it does not know', () => {
    const newer = text.replace('"topics":', '"note":{"by":["a",{"b":[1]}]},"topics":');
    assert.equal(new IndexPage(Buffer.from(newer), span).count, 4);
  });

  it('refuses blocks that are larger than the reader takes', () => {
    throwsWith('OBJECT_TOO_LARGE', () => new IndexPage(Buffer.from(text), span, { maxBlock: 15 }));
    assert.equal(new IndexPage(Buffer.from(text), span, { maxBlock: 16 }).count, 4);
  });

  it('refuses a block that cannot have been so small: deflate shrinks to a 1,032nd at most', () => {
    const huge = changed((json) => {
      json.records.length[0] = 2 ** 31;
      json.blocks.size[0] = 2 ** 31 + json.records.length[1]! + 2 * json.records.shortest;
    });
    throwsWith('OBJECT_TOO_LARGE', () => new IndexPage(huge, span));
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(huge, span, { maxBlock: 2 ** 40 }));
  });

  it('gives the records or an error of ours, never another, whatever numbers stand in it', async () => {
    const number = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 50, Number.MAX_SAFE_INTEGER, 1e300, -1, 0.5),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyPath(), number), { minLength: 1, maxLength: 3 }),
        async (changes) => {
          const buffer = changed((json) => changes.forEach(([path, value]) => set(json, path, value)));
          try {
            const index = new IndexPage(buffer, span);
            const records = await readAll(object.body, [index]);
            assert.equal(records.length, 4);
          } catch (error) {
            assert.equal((error as Error).name, 'S3BatchError', String(error));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses nesting that would take far more memory than its text', () => {
    const before = process.resourceUsage().maxRSS;
    const deep = Buffer.alloc(32 << 20, '[');
    const wide = Buffer.alloc(32 << 20, '[],');
    wide[0] = 0x5b;
    wide[1] = 0x5b;
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(deep, span));
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(wide, span));
    const text = Buffer.from(`["${'\\"['.repeat(5000)}"]`);
    throwsWith('OBJECT_CORRUPT', () => new IndexPage(text, span));
    const grown = (process.resourceUsage().maxRSS - before) * 1024;
    assert(grown < 200e6, `${grown} bytes`);
  });
});

/** A path to a member or an entry of an index's JSON; those of no such member add one. */
function anyPath(): fc.Arbitrary<string[]> {
  const member = fc.constantFrom(
    'version',
    'batch',
    'framing',
    'compression',
    'key',
    'count',
    'offset',
    'first',
    'last',
    'topics',
    'series',
    'blocks',
    'records',
  );
  const entry = fc.nat(4).map(String);
  const column = fc.constantFrom('series', 'topic', 'time', 'length', 'flags');
  return fc.oneof(
    fc.tuple(member),
    fc.tuple(fc.constant('key'), fc.constantFrom('template', 'time', 'format', 'zone')),
    fc.tuple(fc.constant('blocks'), fc.constantFrom('length', 'size', 'records')),
    fc.tuple(
      fc.constant('records'),
      fc.constantFrom('series', 'topic', 'timeUnit', 'time', 'length', 'flags', 'lineBreaks'),
    ),
    fc.tuple(fc.constant('blocks'), fc.constantFrom('length', 'size', 'records'), entry),
    fc.tuple(fc.constant('records'), column, entry),
    fc.tuple(fc.constantFrom('topics', 'series'), entry),
    fc.tuple(fc.constant('records'), fc.constant('lineBreaks'), fc.constant('0'), entry),
  );
}

function set(json: unknown, path: readonly string[], value: unknown): void {
  let target = json as Record<string, unknown>;
  for (const step of path.slice(0, -1)) {
    if (typeof target[step] !== 'object' || target[step] === null) return;
    target = target[step] as Record<string, unknown>;
  }
  target[path.at(-1)!] = value;
}
