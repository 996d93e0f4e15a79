import assert from 'node:assert/strict';
import zlib from 'node:zlib';

import fc from 'fast-check';

import {
  type Compression,
  encodeObject,
  type EncodedObject,
  type Framing,
  type ObjectFormat,
  type Records,
  TRAILER_LENGTH,
} from '../../../lib/object';
import { mulberry32 } from '../../../demo/weld-messages';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import * as any from './arbitraries';
import { directoryOf, FORMAT, indexOf, inOrder, pageOf, pageTextsOf, readAll } from './read-back';

const ENCODINGS = 1 | 2 | 4;

function formatWith(framing: Framing, compression: Compression): ObjectFormat {
  return { ...FORMAT, framing, compression };
}

describe('encodeObject', () => {
  it('keeps every record of any batch, in order, with topic, time, series, flags and exact bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        any.batch,
        any.framing,
        any.compression,
        any.blockSize,
        async (list, framing, compression, blockSize) => {
          const format = formatWith(framing, compression);
          const object = await encodeObject(recordsOf(list, framing), format, { blockSize });
          const index = await indexOf(object);
          const records = await readAll(object.body, index);
          assert.deepEqual(
            records.map(({ topic, series, time, payload, flags }) => ({
              topic,
              series,
              time,
              payload: Buffer.from(payload),
              flags: flags & ~ENCODINGS,
            })),
            inOrder(list),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('writes an index that tells what is in the object', async () => {
    await fc.assert(
      fc.asyncProperty(any.batch, any.framing, any.blockSize, async (list, framing, blockSize) => {
        const object = await encodeObject(recordsOf(list, framing), formatWith(framing, 'gzip'), {
          blockSize,
        });
        const page = await pageOf(object);
        const expected = inOrder(list);
        const times = list.map((record) => record.time);
        assert.equal(page.count, list.length);
        assert.equal(page.first, Math.min(...times));
        assert.equal(page.last, Math.max(...times));
        assert.deepEqual(page.key, FORMAT.key);
        assert.equal(page.batch, FORMAT.batch);
        assert.equal(page.framing, framing);
        assert.deepEqual(page.series, [...new Set(expected.map((record) => record.series))]);
        for (const [place, record] of expected.entries()) {
          assert.equal(page.series[page.seriesAt(place)], record.series);
          const block = page.blockAt(place);
          assert(block.first <= place && place < block.first + block.records);
        }
      }),
    );
  });

  it('gives the same bytes for the same records', async () => {
    await fc.assert(
      fc.asyncProperty(any.batch, any.framing, any.compression, async (list, framing, compression) => {
        const encode = () =>
          encodeObject(recordsOf(list, framing), formatWith(framing, compression), { blockSize: 100 });
        assert.deepEqual(await encode(), await encode());
      }),
      { numRuns: 30 },
    );
  });

  it('is one gzip file of all records for a decompressor that knows nothing of the index', async () => {
    const list = weldRecords(2000, 20);
    const { body, contentType } = await encodeObject(recordsOf(list, 'newline'), FORMAT, { blockSize: 4096 });
    const lines = inOrder(list).map((record) => `${record.payload.toString()}\n`);
    assert.equal(zlib.gunzipSync(body).toString(), lines.join(''));
    assert.equal(contentType, 'application/gzip');
  });

  it('keeps all records with the same key', async () => {
    const list = Array.from({ length: 50 }, (_, n): TestRecord => ({
      topic: 't',
      series: 's',
      time: 1000 * (n % 2),
      payload: Buffer.from(String(n)),
    }));
    const object = await encodeObject(recordsOf(list, 'newline'), FORMAT, { blockSize: 20 });
    const records = await readAll(object.body, await indexOf(object));
    assert.deepEqual(
      records.map((record) => record.payload.toString()),
      inOrder(list).map((record) => record.payload.toString()),
    );
  });

  describe('of 10,000 welds of twenty devices', () => {
    const welds = weldRecords(10_000, 20);
    let object: EncodedObject;

    before(async () => {
      object = await encodeObject(recordsOf(welds, 'newline'), FORMAT);
    });

    it('gives each device blocks of its own, one behind the other', async () => {
      const blocks = (await indexOf(object)).flatMap((page) =>
        page.blocks.map(({ first, records }) => {
          const last = page.series[page.seriesAt(first + records - 1)];
          assert.equal(page.series[page.seriesAt(first)], last);
          return last;
        }),
      );
      assert.deepEqual(blocks, [...new Set(inOrder(welds).map((record) => record.series))]);
    });

    it('covers whole blocks with each page of the index, in order, and tells in a directory what each covers', async () => {
      const { directory, trailer } = await directoryOf(object.body);
      const pages = await indexOf(object);
      const expected = inOrder(welds);
      const times = welds.map((record) => record.time);
      assert.equal(directory.count, 10_000);
      assert.equal(trailer.count, 10_000);
      assert.equal(directory.first, Math.min(...times));
      assert.equal(directory.last, Math.max(...times));
      assert.equal(directory.pages.length, pages.length);
      assert.equal(pages.length, 5);
      let place = 0;
      let offset = 0;
      for (const [number, entry] of directory.pages.entries()) {
        const page = pages[number]!;
        const own = expected.slice(place, place + page.count);
        assert.equal(entry.series, own[0]?.series);
        assert.equal(entry.offset, offset);
        assert.equal(page.blocks[0]?.offset, offset);
        assert.equal(entry.records, own.length);
        assert.deepEqual(
          [...page.time],
          own.map((record) => record.time),
        );
        assert.equal(page.first, Math.min(...page.time));
        assert.equal(page.last, Math.max(...page.time));
        place += page.count;
        offset = page.end;
      }
      assert.equal(place, 10_000);
      assert.equal(offset, trailer.offset);
    });

    it('gives every record back', async () => {
      const records = await readAll(object.body, await indexOf(object));
      assert.deepEqual(
        records.map(({ topic, series, time, payload }) => ({
          topic,
          series,
          time,
          payload: Buffer.from(payload),
        })),
        inOrder(welds),
      );
    });

    it('takes about 1.4 bytes of index a record', () => {
      assert(object.indexLength < 1.5 * 10_000, String(object.indexLength));
    });
  });

  it('begins a page of the index behind the block in which the last one reached 2,000 records', async () => {
    const list = Array.from({ length: 9000 }, (_, n): TestRecord => {
      return { topic: 't', series: 's', time: n, payload: Buffer.from(String(n % 10)) };
    });
    const object = await encodeObject(recordsOf(list, 'newline'), FORMAT, { blockSize: 1500 });
    const counts = (await indexOf(object)).map((page) => page.count);
    assert.deepEqual(counts, [2250, 2250, 2250, 2250]);
    const whole = await encodeObject(recordsOf(list, 'newline'), FORMAT);
    assert.equal((await pageOf(whole)).count, 9000);
  });

  it('continues a page of the index that is longer than one gzip member can carry', async () => {
    const random = mulberry32(7);
    const list = Array.from({ length: 32_000 }, (_, n): TestRecord => {
      const time = Math.floor(random() * 1e9);
      return { topic: `t/${n % 3}`, series: `s/${n % 3}`, time, payload: Buffer.alloc(random() * 250, n) };
    });
    const object = await encodeObject(recordsOf(list, 'length'), formatWith('length', 'gzip'), {
      blockSize: 16 << 20,
    });
    assert(object.indexLength > 2 * 65_531, String(object.indexLength));
    const records = await readAll(object.body, [await pageOf(object)]);
    const expected = inOrder(list);
    assert.equal(records.length, expected.length);
    assert(records.every(({ payload }, place) => payload.equals(expected[place]!.payload)));
    assert.equal(
      zlib.gunzipSync(object.body).length,
      list.reduce((sum, { payload }) => sum + 4 + payload.length, 0),
    );
  });

  it('keeps times in the largest unit that fits all of them', async () => {
    const units: [times: number[], unit: number, deltas: number[]][] = [
      [[5000, 2000, 9000], 1000, [0, 3, 4]],
      [[5000, 2000, 9001], 1, [0, 3000, 4001]],
      [[86_400_000, 0], 86_400_000, [0, 1]],
      [[77, 77], 1, [0, 0]],
    ];
    for (const [times, unit, deltas] of units) {
      const list = times.map((time) => ({ topic: 't', series: 's', time, payload: Buffer.from('1') }));
      const [page] = await pageTextsOf(await encodeObject(recordsOf(list, 'newline'), FORMAT));
      const { records } = JSON.parse(page!.json.toString()) as {
        records: { timeUnit: number; time: number[] };
      };
      assert.equal(records.timeUnit, unit);
      assert.deepEqual(records.time, deltas);
    }
  });

  it('numbers topics and flags in runs', async () => {
    const list = ['x', 'x', 'y', 'x'].map((topic, time) => ({
      topic,
      series: 's',
      time,
      payload: Buffer.from('1'),
      flags: time === 3 ? 8 : 0,
    }));
    const [page] = await pageTextsOf(await encodeObject(recordsOf(list, 'newline'), FORMAT));
    const { topics, records } = JSON.parse(page!.json.toString()) as {
      topics: string[];
      records: { topic: number[]; flags: number[] };
    };
    assert.deepEqual(topics, ['x', 'y']);
    assert.deepEqual(records.topic, [0, 2, 1, 1, 0, 1]);
    assert.deepEqual(records.flags, [0, 3, 8, 1]);
  });

  describe('without compression', () => {
    it('is plain NDJSON with the index in a sidecar', async () => {
      const list = weldRecords(300, 3);
      const object = await encodeObject(recordsOf(list, 'newline'), formatWith('newline', 'none'));
      const lines = inOrder(list).map((record) => `${record.payload.toString()}\n`);
      assert.equal(object.body.toString(), lines.join(''));
      assert.equal(object.contentType, 'application/x-ndjson');
      assert.equal(object.attributes.index, '.index.gz');
      const page = JSON.parse(zlib.gunzipSync(object.sidecar!).toString()) as { count: number };
      assert.equal(page.count, 300);
      assert.equal(object.indexLength, object.sidecar!.length);
    });

    it('has one page a line in the sidecar', async () => {
      const list = weldRecords(5000, 3);
      const format = formatWith('newline', 'none');
      const object = await encodeObject(recordsOf(list, 'newline'), format, { blockSize: 4096 });
      const lines = zlib.gunzipSync(object.sidecar!).toString().split('\n');
      assert.equal(lines.length, 4);
      assert.equal(lines.pop(), '');
      const records = await readAll(object.body, await indexOf(object));
      assert.deepEqual(
        records.map((record) => record.payload.toString()),
        inOrder(list).map((record) => record.payload.toString()),
      );
    });

    it('has the content type of bytes for other framings', async () => {
      const object = await encodeObject(recordsOf(weldRecords(1, 1), 'none'), formatWith('none', 'none'));
      assert.equal(object.contentType, 'application/octet-stream');
    });

    it('may have no byte at all', async () => {
      const list = [{ topic: 't', series: 's', time: 1, payload: Buffer.alloc(0) }];
      const object = await encodeObject(recordsOf(list, 'none'), formatWith('none', 'none'));
      assert.equal(object.body.length, 0);
      const [record] = await readAll(object.body, await indexOf(object));
      assert.deepEqual(record?.payload, Buffer.alloc(0));
    });
  });

  it('takes more blocks than a function may have arguments', async () => {
    const count = 130_000;
    const records: Records = {
      ...{ count, sources: [{ topic: 't', series: 's' }] },
      ...{ time: () => 0, length: () => 1, source: () => 0, flags: () => 0, lineBreaks: () => undefined },
      copy: (record, target, at) => target.fill(record, at, at + 1),
    };
    const format = formatWith('none', 'gzip');
    const { body } = await encodeObject(records, format, { blockSize: 1 });
    const plain = zlib.gunzipSync(body);
    assert.equal(plain.length, count);
    assert.ok(plain.every((byte, record) => byte === (record & 0xff)));
  }).timeout(60_000);

  it('ends in a trailer of fixed length', async () => {
    const object = await encodeObject(recordsOf(weldRecords(3, 1), 'newline'), FORMAT);
    assert.equal(TRAILER_LENGTH, 86);
    assert.equal(object.body.subarray(-86, -82).toString('hex'), '1f8b0804');
    assert.equal(object.body.subarray(-70, -62).toString('latin1'), 'S3BATCH\n');
  });

  it('lets the event loop turn every few thousand records', async () => {
    const records = recordsOf(weldRecords(8000, 1), 'newline');
    let touched = 0;
    let most = 0;
    const counted = <T>(read: (record: number) => T) => {
      return (record: number): T => {
        most = Math.max(most, ++touched);
        return read(record);
      };
    };
    let running = true;
    const tick = (): void => {
      touched = 0;
      if (running) setImmediate(tick);
    };
    tick();
    const watched: Records = {
      ...records,
      time: counted(records.time.bind(records)),
      length: counted(records.length.bind(records)),
      source: counted(records.source.bind(records)),
      flags: counted(records.flags.bind(records)),
    };
    await encodeObject(watched, FORMAT);
    running = false;
    // Two columns of a slice of 2,048 records between two turns, and at times two slices.
    assert(most <= 4 * 2048, `${most} reads at a stretch`);
  });
});
