import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  encodeObject,
  type EncodedObject,
  inflateIndex,
  OffsetIndex,
  readAttributes,
} from '../../../lib/object';
import { buildAttributes, decodeText, encodeText } from '../../../lib/object/attributes';
import { recordsOf, weldRecords } from '../../support/records';
import { batch, blockSize, compression } from './arbitraries';
import { FORMAT, readAll, throwsWith } from './read-back';

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
    const block = fc.record({
      series: anyText,
      offset: fc.nat(),
      length: fc.nat(),
      records: fc.integer({ min: 1, max: 1e9 }),
    });
    fc.assert(
      fc.property(
        anyText,
        anyText,
        fc.uint8Array({ maxLength: 2000 }),
        fc.array(block, { maxLength: 40 }),
        (id, template, compressed, blocks) => {
          const attributes = buildAttributes(
            { ...FORMAT, batch: id, key: { ...FORMAT.key, template } },
            { count: 1e15 - 1, first: 0, last: 253_402_300_799_999 },
            { offset: 1e13, length: 1e8, size: 1e9 },
            Buffer.from(compressed),
            1e8,
            blocks,
          );
          withinLimits(attributes);
          const pieces = (name: string) => (attributes[name] ?? '') + (attributes[`${name}-1`] ?? '');
          if (attributes.key !== undefined) assert.equal(decodeText(pieces('key')), template.toWellFormed());
          if (attributes.batch !== undefined) assert.equal(decodeText(pieces('batch')), id.toWellFormed());
          const base64 = Buffer.from(compressed).toString('base64');
          if ('map-index' in attributes) assert.equal(pieces('map-index'), `100000000,${base64}`);
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
        const dataLength = summary.index === 'sidecar' ? object.body.length : summary.index.offset;
        if (summary.indexBytes) {
          assert.equal(summary.blocks, undefined);
          const json = await inflateIndex(summary.indexBytes, summary.indexSize ?? 0);
          assert.equal((await readAll(object.body, new OffsetIndex(json, dataLength))).length, list.length);
        } else if (summary.blocks) {
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
    const index = readAttributes(attributes, body.length)?.index;
    assert(index && index !== 'sidecar');
    const { 'map-index': map = '', ...others } = attributes;
    assert.deepEqual(others, {
      format: 's3-batch/1',
      count: '1',
      first: '2018-10-01T17:10:39.000Z',
      last: '2018-10-01T17:10:39.000Z',
      framing: 'newline',
      index: `${index.offset},${index.length},${index.size}`,
      batch: FORMAT.batch,
      key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    });
    assert.equal(map, `${index.size},${body.subarray(index.offset + 16, -78 - 10).toString('base64')}`);
  });

  it('hold the whole index of a few hundred records', async () => {
    const { attributes, body } = await weldObject(300, 20);
    assert('map-index' in attributes);
    assert(!('map-blocks' in attributes));
    const summary = readAttributes(attributes, body.length);
    const json = await inflateIndex(summary!.indexBytes!, summary!.indexSize!);
    assert.equal(new OffsetIndex(json, (summary!.index as { offset: number }).offset).count, 300);
  });

  it('hold the blocks of an object of 10,000 records of 20 devices', async () => {
    const { attributes, body } = await weldObject(10_000, 20);
    assert(!('map-index' in attributes));
    const blocks = readAttributes(attributes, body.length)?.blocks;
    assert.equal(blocks?.length, 20);
    assert.equal(blocks[11]?.series, 'WELDING-STATION-2/WELD/1');
    assert.equal(blocks[11].records, 500);
    assert.equal(blocks[11].offset, blocks[10]!.offset + blocks[10]!.length);
  });

  it('hold no map of an object with many blocks', async () => {
    const object = await encodeObject(recordsOf(weldRecords(10_000, 20), 'newline'), FORMAT, {
      blockSize: 16 * 1024,
    });
    assert.deepEqual(
      Object.keys(object.attributes).filter((name) => name.startsWith('map-')),
      [],
    );
    assert.equal(readAttributes(object.attributes, object.body.length)?.count, 10_000);
  });

  it('cut a value that is longer than 1,000 characters into pieces that neither begin nor end with a space', () => {
    const template = `${'x'.repeat(999)} y`;
    const attributes = buildAttributes(
      { ...FORMAT, key: { ...FORMAT.key, template } },
      { count: 1, first: 0, last: 0 },
      'sidecar',
      Buffer.alloc(0),
      0,
      [],
    );
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
      index: '600,322,900',
      'map-blocks': 'a,0,200,1;b%2Cc,200,400,2',
    };

    it('are taken when they agree', () => {
      assert.deepEqual(readAttributes(good, SIZE), {
        count: 3,
        first: 1_538_413_835_000,
        last: 1_538_413_836_000,
        index: { offset: 600, length: 322, size: 900 },
        batch: '',
        keyTemplate: '',
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
      { index: '600,322' },
      { index: '600,323,900' },
      { index: '0,922,-1' },
      { index: '999999999999999,999999999999999,1' },
    ];
    for (const lie of contradictions) {
      it(`are refused with ${JSON.stringify(lie)}`, () => {
        throwsWith('OBJECT_CORRUPT', () => readAttributes({ ...good, ...lie }, SIZE));
      });
    }

    it('are refused when they lack what every object has', () => {
      for (const lacking of ['count', 'first', 'last', 'index']) {
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
        { ...lost('map-index-1'), 'map-index': '5,AAAA' },
        { ...lost('map-index-1'), 'map-index': '5,' },
      ]) {
        const summary = readAttributes(left, body.length);
        assert.equal(summary?.count, 300);
        assert.equal(summary.indexBytes, undefined);
      }
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
        'map-blocks',
        '__proto__',
      );
      const value = fc.oneof(
        fc.constantFrom(
          's3-batch/1',
          '.index.gz',
          '1',
          '600,322,900',
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
