import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  type Directory,
  encodeObject,
  type EncodedObject,
  type IndexLocation,
  IndexPage,
  inflateIndex,
  readAttributes,
} from '../../../lib/object';
import { buildAttributes, decodeText, encodeText } from '../../../lib/object/attributes';
import { recordsOf, weldRecords } from '../../support/records';
import { batch, blockSize, compression } from './arbitraries';
import { directoryOf, FORMAT, readAll, throwsWith } from './read-back';

const NAMES_OF_ALL = ['count', 'first', 'format', 'framing', 'index'];

function withinLimits(attributes: Record<string, string>): void {
  const entries = Object.entries(attributes);
  let total = 0;
  for (const [name, value] of entries) {
    total += `x-amz-meta-${name}${value}`.length;
    assert.match(name, /^[a-z][a-z0-9-]{0,63}$/);
    assert.match(value, /^[\x20-\x7e]*$/);
    assert.equal(value, value.trim());
    assert(value.length <= 1000);
    assert(value.length > 0);
  }
  assert(total <= 2048, `${total} bytes`);
  assert(entries.length <= 32);
  for (const name of NAMES_OF_ALL) assert(name in attributes, name);
}

function directoryWith(batchId: string, pages: Directory['pages'] = []): Directory {
  const range = { count: 1e15 - 1, first: 0, last: 253_402_300_799_999 };
  return { framing: 'newline', compression: 'gzip', batch: batchId, ...range, pages };
}

const FAR: IndexLocation = { offset: 1e13, length: 1e8, directoryLength: 1e7, directorySize: 1e9 };

function weldObject(count: number, devices: number): Promise<EncodedObject> {
  return encodeObject(recordsOf(weldRecords(count, devices), 'newline'), FORMAT);
}

describe('attributes', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.string({ unit: fc.constantFrom(' ', 'x', '%', ';', ',', 'é'), minLength: 900, maxLength: 3000 }),
    fc.constantFrom('', ' ', ' '.repeat(2000), '%', '%41', '\n', '\ud800'),
  );

  it('stay within what every store takes, whatever is in them', () => {
    const block = fc.record({ series: anyText, offset: fc.nat(), length: fc.nat(), records: fc.nat() });
    const page = fc.record({
      series: anyText,
      offset: fc.nat(),
      length: fc.nat(),
      records: fc.nat(),
      indexOffset: fc.nat(),
      indexLength: fc.nat(),
      size: fc.nat(),
    });
    const compressed = fc.uint8Array({ minLength: 1, maxLength: 2000 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        anyText,
        anyText,
        fc.array(compressed, { minLength: 1, maxLength: 2 }),
        fc.array(page, { minLength: 1, maxLength: 20 }),
        fc.array(block, { minLength: 1, maxLength: 40 }),
        (id, template, pageBytes, pages, blocks) => {
          const key = { ...FORMAT.key, template };
          const attributes = buildAttributes(directoryWith(id, pages), key, FAR, pageBytes, blocks);
          withinLimits(attributes);
          const pieces = (name: string) => (attributes[name] ?? '') + (attributes[`${name}-1`] ?? '');
          if (attributes.key !== undefined) assert.equal(decodeText(pieces('key')), template.toWellFormed());
          if (attributes.batch !== undefined) assert.equal(decodeText(pieces('batch')), id.toWellFormed());
          if ('map-pages' in attributes) assert.equal(pieces('map-pages').split(';').length, pages.length);
          if ('map-blocks' in attributes) assert.equal(pieces('map-blocks').split(';').length, blocks.length);
          if ('map-index' in attributes) {
            assert.equal(pageBytes.length, 1);
            assert('map-pages' in attributes && !('map-blocks' in attributes));
            assert.equal(pieces('map-index'), pageBytes[0]!.toString('base64'));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are read back as what the object holds', async () => {
    await fc.assert(
      fc.asyncProperty(batch, compression, blockSize, async (list, pressed, size) => {
        const format = { ...FORMAT, compression: pressed } as const;
        const object = await encodeObject(recordsOf(list, 'newline'), format, { blockSize: size });
        withinLimits(object.attributes);
        const summary = readAttributes(object.attributes, object.body.length);
        assert(summary);
        const times = list.map((record) => record.time);
        assert.equal(summary.count, list.length);
        assert.equal(summary.first, Math.min(...times));
        assert.equal(summary.last, Math.max(...times));
        assert.equal(summary.batch, FORMAT.batch);
        assert.equal(summary.keyTemplate, FORMAT.key.template);
        assert.equal(summary.framing, 'newline');
        if (summary.index === 'sidecar') {
          assert.equal(pressed, 'none');
          assert.equal(summary.pages, undefined);
        } else if (summary.pages) {
          const { directory, trailer } = await directoryOf(object.body);
          assert.deepEqual(summary.pages, directory.pages);
          const { offset, length, directoryLength, directorySize } = trailer;
          assert.deepEqual(summary.index, { offset, length, directoryLength, directorySize });
        }
        if (summary.pageBytes) {
          const page = summary.pages![0]!;
          const index = new IndexPage(await inflateIndex(summary.pageBytes, page.size), page);
          assert.equal((await readAll(object.body, [index])).length, list.length);
        }
        if (summary.blocks) {
          assert.equal(summary.pageBytes, undefined);
          assert.equal(
            summary.blocks.reduce((sum, { records }) => sum + records, 0),
            list.length,
          );
        }
      }),
    );
  });

  it('are these for one weld', async () => {
    const { attributes, body } = await encodeObject(recordsOf(weldRecords(1, 1), 'newline'), FORMAT);
    const { directory, trailer } = await directoryOf(body);
    const { offset, length, directoryLength, directorySize } = trailer;
    const page = directory.pages[0]!;
    assert.deepEqual(attributes, {
      format: 's3-batch/1',
      count: '1',
      first: '2018-10-01T17:10:39.000Z',
      last: '2018-10-01T17:10:39.000Z',
      framing: 'newline',
      index: `${offset},${length},${directoryLength},${directorySize}`,
      batch: FORMAT.batch,
      key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
      'map-pages': `WELDING-STATION-1/WELD/1,${offset},1,${page.indexLength},${page.size}`,
      'map-index': body.subarray(offset + 16, offset + page.indexLength - 10).toString('base64'),
    });
  });

  it('hold the whole index of a few hundred records', async () => {
    const { attributes, body } = await weldObject(300, 20);
    assert('map-index' in attributes);
    assert(!('map-blocks' in attributes));
    const summary = readAttributes(attributes, body.length);
    const page = summary!.pages![0]!;
    assert.equal(new IndexPage(await inflateIndex(summary!.pageBytes!, page.size), page).count, 300);
  });

  it('hold the pages of the index and the blocks of an object of 10,000 records of 20 devices', async () => {
    const { attributes, body } = await weldObject(10_000, 20);
    assert(!('map-index' in attributes));
    const { pages, blocks } = readAttributes(attributes, body.length) ?? {};
    assert.deepEqual(pages, (await directoryOf(body)).directory.pages);
    assert.equal(blocks?.length, 20);
    assert.equal(blocks[11]?.series, 'WELDING-STATION-2/WELD/1');
    assert.equal(blocks[11].records, 500);
    assert.equal(blocks[11].offset, blocks[10]!.offset + blocks[10]!.length);
  });

  it('hold no map of the blocks of an object with many', async () => {
    const object = await encodeObject(recordsOf(weldRecords(10_000, 20), 'newline'), FORMAT, {
      blockSize: 16 * 1024,
    });
    assert.deepEqual(
      Object.keys(object.attributes).filter((name) => name.startsWith('map-')),
      ['map-pages'],
    );
    assert.equal(readAttributes(object.attributes, object.body.length)?.count, 10_000);
  });

  it('cut a value that is longer than 1,000 characters into pieces that neither begin nor end with a space', () => {
    const template = `${'x'.repeat(999)} y`;
    const attributes = buildAttributes(directoryWith('b'), { ...FORMAT.key, template }, 'sidecar', [], []);
    assert.equal(attributes.key, 'x'.repeat(998));
    assert.equal(attributes['key-1'], 'x y');
    assert.equal(readAttributes(attributes, 1)?.keyTemplate, template);
  });

  it('are not ours without a format', () => {
    for (const format of [
      undefined,
      '',
      's3-batch',
      's3-batch/',
      's3-batch/1.5',
      's3-batch/x',
      ' s3-batch/1',
    ]) {
      assert.equal(readAttributes(format === undefined ? {} : { format, count: '1' }, 100), undefined);
    }
  });

  describe('from a stranger', () => {
    const SIZE = 1000;
    const good = {
      format: 's3-batch/1',
      count: '3',
      first: '2018-10-01T17:10:35.000Z',
      last: '2018-10-01T17:10:36.000Z',
      framing: 'length',
      index: '600,314,100,900',
      'map-pages': 'a,200,1,107,500;b%2Cc,400,2,107,501',
      'map-blocks': 'a,0,200,1;b%2Cc,200,400,2',
    };

    it('are taken when they agree', () => {
      assert.deepEqual(readAttributes(good, SIZE), {
        count: 3,
        first: 1_538_413_835_000,
        last: 1_538_413_836_000,
        framing: 'length',
        index: { offset: 600, length: 314, directoryLength: 100, directorySize: 900 },
        batch: '',
        keyTemplate: '',
        pages: [
          { series: 'a', offset: 0, length: 200, records: 1, indexOffset: 600, indexLength: 107, size: 500 },
          {
            series: 'b,c',
            offset: 200,
            length: 400,
            records: 2,
            indexOffset: 707,
            indexLength: 107,
            size: 501,
          },
        ],
        blocks: [
          { series: 'a', offset: 0, length: 200, records: 1 },
          { series: 'b,c', offset: 200, length: 400, records: 2 },
        ],
      });
    });

    const contradictions: Record<string, string>[] = [
      { count: '-1' },
      { count: '0' },
      { count: '1e3' },
      { count: '9'.repeat(30) },
      { first: '2018-10-01T17:10:37.000Z' },
      { first: '2018-99-01T17:10:35.000Z' },
      { first: 'yesterday' },
      { last: '' },
      { index: '' },
      { index: 'elsewhere' },
      { index: '600,314' },
      { index: '600,314,100' },
      { index: '600,315,100,900' },
      { index: '600,314,315,900' },
      { index: '0,914,100,-1' },
      { index: '999999999999999,999999999999999,1,1' },
      { framing: 'lines' },
      { framing: '' },
    ];
    for (const lie of contradictions) {
      it(`are refused with ${JSON.stringify(lie)}`, () => {
        throwsWith('OBJECT_CORRUPT', () => readAttributes({ ...good, ...lie }, SIZE));
      });
    }

    it('are refused when they lack what every object has', () => {
      for (const lacking of ['count', 'first', 'last', 'index', 'framing']) {
        const rest = Object.fromEntries(Object.entries(good).filter(([name]) => name !== lacking));
        throwsWith('OBJECT_CORRUPT', () => readAttributes(rest, SIZE));
      }
    });

    it('are of a later version before anything else is looked at', () => {
      throwsWith('OBJECT_VERSION', () => readAttributes({ format: 's3-batch/2' }, SIZE));
      throwsWith('OBJECT_VERSION', () => readAttributes({ ...good, format: 's3-batch/999999999' }, SIZE));
      throwsWith('OBJECT_CORRUPT', () => readAttributes({ ...good, format: 's3-batch/0' }, SIZE));
    });

    it('lose a map that does not fit the object, and only that', () => {
      const maps = [
        '',
        'a',
        'a,0,600',
        'a,0,600,0',
        'a,0,600,4',
        'a,0,599,3',
        'a,1,599,3',
        'a,0,200,1;b,300,300,2',
        'a,0,600,3;',
        'a,0,1e9,3',
      ];
      for (const map of maps) {
        const summary = readAttributes({ ...good, 'map-blocks': map }, SIZE);
        assert.equal(summary?.count, 3);
        assert.equal(summary.blocks, undefined, map);
        assert.equal(summary.pages?.length, 2);
      }
      const pageMaps = [
        '',
        'a',
        'a,600,3,214',
        'a,600,3,214,500,1',
        'a,600,3,213,500',
        'a,600,2,214,500',
        'a,601,3,214,500',
        'a,600,3,214,500;b,0,0,0,500',
        'a,600,3,214,1e3',
      ];
      for (const map of pageMaps) {
        const summary = readAttributes({ ...good, 'map-pages': map }, SIZE);
        assert.equal(summary?.count, 3);
        assert.equal(summary.pages, undefined, map);
        assert.equal(summary.blocks?.length, 2);
      }
    });

    it('lose an index of which a piece was lost', async () => {
      const { attributes, body } = await weldObject(300, 20);
      const lost = (...names: string[]) =>
        Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
      assert('map-index-1' in attributes);
      for (const left of [
        lost('map-index'),
        lost('map-index-1'),
        { ...lost('map-index-1'), 'map-index': 'AAAA' },
        { ...lost('map-index-1'), 'map-index': '?' },
      ]) {
        const summary = readAttributes(left, body.length);
        assert.equal(summary?.pages?.length, 1);
        assert.equal(summary.pageBytes, undefined);
      }
      assert.equal(readAttributes(lost('map-pages'), body.length)?.pageBytes, undefined);
    });

    it('never cause any other error', () => {
      const name = fc.constantFrom(
        'format',
        'count',
        'first',
        'last',
        'index',
        'batch',
        'key',
        'map-index',
        'map-index-1',
        'map-pages',
        'map-blocks',
        'framing',
        '__proto__',
      );
      const value = fc.oneof(
        fc.constantFrom(
          's3-batch/1',
          '.index.gz',
          '1',
          '600,314,100,900',
          '%',
          '%ff',
          ',;,',
          '2018-10-01T17:10:35.000Z',
        ),
        fc.string({ unit: 'binary' }),
      );
      fc.assert(
        fc.property(fc.dictionary(name, value), (changes) => {
          try {
            readAttributes({ ...good, ...changes }, SIZE);
          } catch (error) {
            assert.equal((error as Error).name, 'S3BatchError');
          }
        }),
        { numRuns: 500 },
      );
    });
  });
});

describe('encodeText', () => {
  it('gives printable ASCII without outer spaces that decodeText undoes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const encoded = encodeText(text, ',;');
        assert.match(encoded, /^[\x20-\x7e]*$/);
        assert.equal(encoded, encoded.trim());
        assert(!/[,;]/.test(encoded));
        assert.equal(decodeText(encoded), text.toWellFormed());
      }),
      { numRuns: 500 },
    );
  });

  it('leaves plain text readable', () => {
    assert.equal(encodeText('WELDING STATION/1; a,b'), 'WELDING STATION/1; a,b');
    assert.equal(encodeText(' Ä%,', ','), '%20%C3%84%25%2C');
  });
});
