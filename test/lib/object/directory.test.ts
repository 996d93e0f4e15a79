import assert from 'node:assert/strict';

import fc from 'fast-check';

import { encodeObject, parseDirectory } from '../../../lib/object';
import type { DirectoryJson } from '../../../lib/object/directory';
import { recordsOf, type TestRecord } from '../../support/records';
import { directoryOf, FORMAT, throwsWith } from './read-back';

describe('parseDirectory', () => {
  let text: string;
  let dataLength: number;
  let pagesLength: number;

  before(async () => {
    const list = Array.from({ length: 7000 }, (_, n): TestRecord => {
      return { topic: 't', series: `s/${n % 9}`, time: n, payload: Buffer.from(`${n}`) };
    });
    const object = await encodeObject(recordsOf(list, 'newline'), FORMAT, { blockSize: 2000 });
    const { json, trailer } = await directoryOf(object.body);
    text = json.toString();
    dataLength = trailer.offset;
    pagesLength = trailer.length - trailer.directoryLength;
  });

  /** The directory after a change to its JSON. */
  function changed(change: (json: DirectoryJson) => void): Buffer {
    const json = JSON.parse(text) as DirectoryJson;
    change(json);
    return Buffer.from(JSON.stringify(json));
  }

  it('tells where pages lie, and the blocks that they cover', () => {
    const { pages, count, batch } = parseDirectory(Buffer.from(text), dataLength, pagesLength);
    assert.equal(count, 7000);
    assert.equal(batch, FORMAT.batch);
    assert.equal(pages.length, 3);
    let offset = 0;
    let indexOffset = dataLength;
    for (const page of pages) {
      assert.equal(page.offset, offset);
      assert.equal(page.indexOffset, indexOffset);
      offset += page.length;
      indexOffset += page.indexLength;
    }
    assert.equal(offset, dataLength);
    assert.equal(indexOffset, dataLength + pagesLength);
  });

  const lies: [what: string, change: (json: DirectoryJson) => void][] = [
    ['no records', (json) => (json.count = 0)],
    ['a record too many', (json) => json.count++],
    ['a million million records', (json) => (json.count = 1e12)],
    ['a time before 1970', (json) => (json.first = -1)],
    ['an end before the beginning', (json) => (json.first = json.last + 1)],
    ['a time after the year 9999', (json) => (json.last = 253_402_300_800_000)],
    ['no pages', (json) => (json.pages = { series: [], length: [], records: [], indexLength: [], size: [] })],
    [
      'a page without records',
      ({ pages }) => pages.records.splice(0, 2, 0, pages.records[0]! + pages.records[1]!),
    ],
    ['records that do not add up', (json) => json.pages.records[0]!++],
    ['blocks that do not add up', (json) => json.pages.length[0]!--],
    ['pages that do not add up', (json) => json.pages.indexLength[0]!++],
    ['a page of 2^53 - 1 bytes', (json) => (json.pages.indexLength[0] = Number.MAX_SAFE_INTEGER)],
    ['blocks of 2^53 - 1 bytes', (json) => (json.pages.length[1] = Number.MAX_SAFE_INTEGER)],
    ['a negative length', (json) => (json.pages.length[0] = -1)],
    ['half a byte', (json) => (json.pages.size[0] = 0.5)],
    ['columns of different lengths', (json) => json.pages.size.push(1)],
    ['a series that is no text', (json) => ((json.pages.series as unknown[])[0] = 7)],
    ['another framing', (json) => (json.framing = 'toString')],
    ['another compression', (json) => (json.compression = '')],
    ['a batch that is no text', (json) => ((json as { batch: unknown }).batch = null)],
    ['version 0', (json) => (json.version = 0)],
  ];
  for (const [what, change] of lies) {
    it(`refuses ${what}`, () => {
      throwsWith('OBJECT_CORRUPT', () => parseDirectory(changed(change), dataLength, pagesLength));
    });
  }

  it('refuses a directory of another object', () => {
    throwsWith('OBJECT_CORRUPT', () => parseDirectory(Buffer.from(text), dataLength + 1, pagesLength));
    throwsWith('OBJECT_CORRUPT', () => parseDirectory(Buffer.from(text), dataLength, pagesLength - 1));
  });

  it('refuses a later version, whatever else it holds', () => {
    throwsWith('OBJECT_VERSION', () => parseDirectory(Buffer.from('{"version":2}'), dataLength, pagesLength));
  });

  it('refuses what is no directory', () => {
    for (const other of ['', 'null', '[]', '{}', '{"version":1}', text.slice(1), '['.repeat(1e6)]) {
      throwsWith('OBJECT_CORRUPT', () => parseDirectory(Buffer.from(other), dataLength, pagesLength));
    }
  });

  it('takes names such as __proto__ as names, and ignores members that it does not know', () => {
    const polluted = text.replace('"count":', '"__proto__":{"polluted":1},"note":[1],"count":');
    assert.equal(parseDirectory(Buffer.from(polluted), dataLength, pagesLength).pages.length, 3);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('gives pages within the object or an error of ours, whatever stands in it', () => {
    const value = fc.constantFrom<unknown>(null, true, 'x', {}, [null], -1, 0, 1, 0.5, 2 ** 53, 1e300, {
      length: 3,
    });
    const name = fc.constantFrom('series', 'length', 'records', 'indexLength', 'size');
    const path = fc.oneof(
      fc.tuple(
        fc.constantFrom('version', 'batch', 'framing', 'compression', 'count', 'first', 'last', 'pages'),
      ),
      fc.tuple(fc.constant('pages'), name),
      fc.tuple(fc.constant('pages'), name, fc.nat(3).map(String)),
    );
    fc.assert(
      fc.property(path, value, (steps, lie) => {
        const buffer = changed((json) => {
          let target = json as unknown as Record<string, unknown>;
          for (const step of steps.slice(0, -1)) target = target[step] as Record<string, unknown>;
          target[steps.at(-1)!] = lie;
        });
        try {
          const { pages } = parseDirectory(buffer, dataLength, pagesLength);
          for (const page of pages) {
            assert(page.offset + page.length <= dataLength);
            assert(page.indexOffset + page.indexLength <= dataLength + pagesLength);
          }
        } catch (error) {
          assert.equal((error as Error).name, 'S3BatchError', String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
