import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { offsetKey } from '../../../lib/layout';
import {
  type Compression,
  encodeObject,
  type EncodedObject,
  type Framing,
  type KeyFormat,
} from '../../../lib/object';
import { mulberry32 } from '../../../demo/weld-messages';
import { hasModule, needs, PYTHON, works } from '../../support/python';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { FORMAT, inOrder } from './read-back';

const run = promisify(execFile);
const READER = path.resolve(__dirname, '../../../../test/interop/read_object.py');
const OUTPUT = { maxBuffer: 64 << 20, env: { ...process.env, PYTHONUTF8: '1' } };

const TIME_ZONE = works(PYTHON, '-c', 'import zoneinfo, sys; sys.exit(sys.version_info < (3, 9))');

/** A line that `read_object.py` prints. */
interface ReadRecord {
  key: string;
  series: string;
  topic: string;
  time: number;
  flags: number;
  payload: string;
}

describe('objects for other tools', () => {
  const welds = weldRecords(6000, 20);
  const lines = inOrder(welds).map((record) => record.payload.toString());
  let folder: string;
  let file: string;
  let object: EncodedObject;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-'));
    object = await encodeObject(recordsOf(welds, 'newline'), FORMAT, { blockSize: 16 * 1024 });
    file = await store('welds.ndjson.gz', object);
  });

  after(() => rm(folder, { recursive: true }));

  async function store(name: string, { body, sidecar, attributes }: EncodedObject): Promise<string> {
    const target = path.join(folder, name);
    await writeFile(target, body);
    await writeFile(`${target}.attributes.json`, JSON.stringify(attributes));
    if (sidecar) await writeFile(`${target}.index.gz`, sidecar);
    return target;
  }

  async function python(...args: string[]): Promise<string> {
    return (await run(PYTHON, args, OUTPUT)).stdout;
  }

  it('zcat prints the NDJSON', async function () {
    needs(this, 'zcat', works('zcat', '--version'));
    const { stdout } = await run('zcat', [file], OUTPUT);
    assert.equal(stdout, lines.map((line) => `${line}\n`).join(''));
  });

  it('gzip finds nothing wrong', async function () {
    needs(this, 'gzip', works('gzip', '--version'));
    const { stderr } = await run('gzip', ['--test', '--verbose', file], OUTPUT);
    assert.match(stderr, /OK/);
  });

  it("Python's gzip and json read all lines", async function () {
    needs(this, 'Python', works(PYTHON, '--version'));
    const script = `
import gzip, json, sys
with gzip.open(sys.argv[1], "rt", encoding="utf-8") as lines:
    values = [json.loads(line) for line in lines]
print(len(values), sum(value["weldspot"]["SpotId"] for value in values))`;
    const spots = welds.map(
      ({ payload }) => JSON.parse(payload.toString()) as { weldspot: { SpotId: number } },
    );
    const sum = spots.reduce((total, { weldspot }) => total + weldspot.SpotId, 0);
    assert.equal((await python('-c', script, file)).trim(), `6000 ${sum}`);
  });

  it('DuckDB counts the records', async function () {
    needs(this, 'duckdb for Python', hasModule('duckdb'));
    const script = `
import duckdb, sys
print(duckdb.sql(f"select count(*), count(distinct weldspot.SpotId) from read_json_auto('{sys.argv[1]}')").fetchall())`;
    const spots = new Set(welds.map(({ payload }) => /"SpotId":(\d+)/.exec(payload.toString())?.[1]));
    assert.equal((await python('-c', script, file)).trim(), `[(6000, ${spots.size})]`);
  });

  it('pandas counts the records', async function () {
    needs(this, 'pandas for Python', hasModule('pandas'));
    const script = `
import pandas, sys
print(len(pandas.read_json(sys.argv[1], lines=True, compression="gzip")))`;
    assert.equal((await python('-c', script, file)).trim(), '6000');
  });

  describe('the reader that was written from the specification alone', () => {
    before(function () {
      needs(this, 'Python 3.9', TIME_ZONE);
    });

    async function read(target: string, way: 'attributes' | 'suffix', ...args: string[]) {
      const attributes = way === 'attributes' ? ['--attributes', `${target}.attributes.json`] : [];
      const { stdout, stderr } = await run(PYTHON, [READER, target, ...attributes, ...args], OUTPUT);
      const records = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as ReadRecord);
      const { requests } = JSON.parse(stderr) as { requests: [offset: number, length: number][] };
      return { records, requests };
    }

    function plain({ topic, series, time, payload }: TestRecord): unknown[] {
      return [topic, series, time, payload.toString('base64')];
    }

    const odd: TestRecord[] = [
      '{"a":\r\n[1,\n2]}',
      'plain text\n',
      '',
      '\u2028',
      '{"a":1}',
      '"\u{1f600}"',
      Buffer.from([0, 255, 10, 13, 128]),
    ].map((payload, n) => ({
      topic: `t/${n % 2}`,
      series: ['\u{1f600}', '\uffee', 'a%2Fb', ''][n % 4]!,
      time: 1000 + ((n * 37) % 5),
      payload: Buffer.from(payload),
      flags: n % 3 === 0 ? 8 : 0,
    }));

    const framings: Framing[] = ['newline', 'length', 'none'];
    const compressions: Compression[] = ['gzip', 'none'];
    for (const framing of framings) {
      for (const compression of compressions) {
        it(`gives exact bytes: framing ${framing}, compression ${compression}`, async () => {
          const format = { ...FORMAT, framing, compression };
          const written = await encodeObject(recordsOf(odd, framing), format, { blockSize: 30 });
          const target = await store(`odd-${framing}-${compression}`, written);
          const ways = await Promise.all([read(target, 'attributes'), read(target, 'suffix')]);
          for (const { records } of ways) {
            assert.deepEqual(
              records.map(({ topic, series, time, payload }) => [topic, series, time, payload]),
              inOrder(odd).map(plain),
            );
            assert.deepEqual(
              records.map(({ flags }) => flags & 8),
              inOrder(odd).map(({ flags }) => flags),
            );
          }
        });
      }
    }

    it('gives one device within an hour as a scan of everything does', async () => {
      const series = 'WELDING-STATION-7/WELD/1';
      const from = Date.UTC(2018, 9, 1, 17, 14);
      const to = from + 300_000;
      const expected = inOrder(welds).filter(
        (record) => record.series === series && record.time >= from && record.time <= to,
      );
      assert(expected.length > 10 && expected.length < 150);
      const filter = ['--series', series, '--from', String(from), '--to', String(to)];
      for (const way of ['attributes', 'suffix'] as const) {
        const { records, requests } = await read(file, way, ...filter);
        assert.deepEqual(
          records.map(({ topic, series: own, time, payload }) => [topic, own, time, payload]),
          expected.map(plain),
        );
        assert.equal(requests.length, 2);
        const index = requests[0]?.[1] ?? 0;
        if (way === 'attributes') assert(index < object.indexLength / 2, `${index} bytes of index`);
        const device = requests[1]?.[1] ?? 0;
        assert(device < object.body.length / 15, `${device} of ${object.body.length} bytes`);
      }
    });

    it('reads a small object with one range after the HEAD', async () => {
      const list = weldRecords(300, 20);
      const target = await store('small.ndjson.gz', await encodeObject(recordsOf(list, 'newline'), FORMAT));
      const { records, requests } = await read(target, 'attributes', '--series', 'WELDING-STATION-7/WELD/1');
      assert.equal(records.length, 15);
      assert.equal(requests.length, 1);
    });

    it('reads a page of the index that lies in several members and begins before the suffix', async () => {
      const random = mulberry32(3);
      const list = Array.from({ length: 16_000 }, (): TestRecord => {
        const time = Math.floor(random() * 2 ** 40);
        return { topic: 't', series: 's', time, payload: Buffer.alloc(random() * 250) };
      });
      const format = { ...FORMAT, framing: 'length' } as const;
      const written = await encodeObject(recordsOf(list, 'length'), format, { blockSize: 16 << 20 });
      assert(written.indexLength > 65_531 + 86);
      const target = await store('long.bin.gz', written);
      const wanted = inOrder(list).slice(12_000, 12_003);
      const filter = ['--from', String(wanted[0]?.time), '--to', String(wanted[2]?.time)];
      const { records, requests } = await read(target, 'suffix', ...filter);
      assert.deepEqual(
        records.map(({ topic, series, time, payload }) => [topic, series, time, payload]),
        wanted.map(plain),
      );
      assert.equal(requests.length, 3);
    });

    it('makes the offset keys that the layout makes', async () => {
      const formats: KeyFormat[] = [
        { template: 'A/B/T', timePosition: -1, timeFormat: 'yyyyMMdd HHmmss', timeZone: 'Europe/Berlin' },
        { template: 'T/A/B', timePosition: 0, timeFormat: 'iso', timeZone: 'UTC' },
        { template: 'A/T/B', timePosition: 1, timeFormat: 'epoch-s', timeZone: 'UTC' },
        { template: 'A/T/B', timePosition: -2, timeFormat: 'epoch-ms', timeZone: 'UTC' },
        {
          template: 'A/B/C/D/T',
          timePosition: 9,
          timeFormat: "yyyy/MM/dd'T'HH:mm:ss.SSS ZZ''",
          timeZone: 'UTC-3:30',
        },
        { template: 'A/B', timePosition: -9, timeFormat: 'EEEE d MMMM yy, hh:mm:ss a', timeZone: 'UTC+2' },
        {
          template: 'A/B',
          timePosition: -1,
          timeFormat: "kkkk-'W'WW-E HH%mm",
          timeZone: 'Asia/Kolkata',
        },
        {
          template: 'A/B',
          timePosition: -1,
          timeFormat: 'yyyy ooo H.m.s.u Z ZZZ',
          timeZone: 'America/St_Johns',
        },
        { template: 'T', timePosition: 0, timeFormat: 'yyyy-MM-dd HH:mm:ss', timeZone: 'America/New_York' },
        { template: 'A/B', timePosition: undefined, timeFormat: 'iso', timeZone: 'UTC' },
      ];
      const list = ['a/b', 'a%2Fb/c/d', '', 'ü'].flatMap((series) =>
        [0, 1_538_413_835_250, 1_546_300_799_999, 253_402_300_799_999].map((time): TestRecord => ({
          topic: 't',
          series,
          time,
          payload: Buffer.from('1'),
        })),
      );
      await Promise.all(
        formats.map(async (key, n) => {
          const written = await encodeObject(recordsOf(list, 'newline'), { ...FORMAT, key });
          const { records } = await read(await store(`keys-${n}`, written), 'attributes');
          assert.deepEqual(
            records.map((record) => record.key),
            inOrder(list).map(({ series, time }) => offsetKey(key, series, time)),
          );
        }),
      );
    });

    it('reads an object that lost attributes, or all of them', async () => {
      const series = 'WELDING-STATION-7/WELD/1';
      const expected = inOrder(welds).filter((record) => record.series === series);
      const { 'map-pages': pages, ...withoutPages } = object.attributes;
      assert(pages);
      const left = [withoutPages, { ...withoutPages, 'map-pages': pages.slice(0, -9) }, {}];
      for (const [number, attributes] of left.entries()) {
        const target = await store(`lost-${number}.ndjson.gz`, { ...object, attributes });
        const { records } = await read(target, 'attributes', '--series', series);
        assert.deepEqual(
          records.map(({ payload }) => payload),
          expected.map(({ payload }) => payload.toString('base64')),
        );
      }
    });

    it('refuses an object that was cut', async () => {
      const target = await store('cut', { ...object, body: object.body.subarray(0, -1) });
      for (const way of ['attributes', 'suffix'] as const) {
        await assert.rejects(read(target, way), /refused: /);
      }
    });
  });
});
