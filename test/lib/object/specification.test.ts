import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { encodeObject, type ObjectFormat, readAttributes, readTrailer } from '../../../lib/object';
import { RecordFlag } from '../../../lib/record';
import { hasModule, needs, PYTHON } from '../../support/python';
import { recordsOf, type TestRecord } from '../../support/records';
import { directoryOf, indexOf, pageTextsOf, readAll } from './read-back';

const PAGE = readFileSync(path.resolve(__dirname, '../../../../docs/object-format.md'), 'utf8');

/** The text of an example on the page. */
function example(name: string): string {
  const found = new RegExp(`<!-- example: ${name} -->\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(PAGE);
  assert(found?.[1], `docs/object-format.md has no example "${name}"`);
  return found[1];
}

/** A JSON text without the lengths of what was compressed: versions of zlib differ in these. */
function comparable(text = ''): string {
  const lengths = (name: string, value: unknown): unknown =>
    name === 'indexLength' || (name === 'length' && JSON.stringify(value) !== '[39,39,40,0]') ? '…' : value;
  return JSON.stringify(JSON.parse(text), lengths);
}

const FORMAT: ObjectFormat = {
  framing: 'newline',
  compression: 'gzip',
  key: {
    template: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    timePosition: -1,
    timeFormat: 'yyyyMMdd HHmmss',
    timeZone: 'UTC',
  },
  batch: '01cqt4w8p0k3jx5m7n9q',
};

function record(device: number, second: number, payload: string, flags = 0): TestRecord {
  const series = `WELDING-STATION-${device}/WELD/1`;
  return {
    topic: `ROOT/JSON/NONE/PLANT-7/${series}`,
    series,
    time: Date.UTC(2018, 9, 1, 17, 10, second),
    payload: Buffer.from(payload),
    flags,
  };
}

const ARRIVED = [
  record(3, 41, '{"weldspot":\n{"Timestamp":"20181001 171041","SpotId":10233}}'),
  record(12, 42, '{"weldspot":{"Timestamp":"20181001 171042","SpotId":10017}}'),
  record(3, 44, 'station in service', RecordFlag.ARRIVAL_TIME),
  record(12, 42, '{"weldspot":{"Timestamp":"20181001 171042","SpotId":10018}}'),
];
const IN_ORDER = [1, 3, 0, 2].map((number) => ARRIVED[number]!);

describe('docs/object-format.md', () => {
  it('shows the page and the directory that the writer makes of its example', async () => {
    const object = await encodeObject(recordsOf(ARRIVED, 'newline'), FORMAT, { blockSize: 128 });
    const [page] = await pageTextsOf(object);
    const { json } = await directoryOf(object.body);
    assert.deepEqual(comparable(page?.json.toString()), comparable(example('page')));
    assert.deepEqual(comparable(json.toString()), comparable(example('directory')));
  });

  it('shows a whole object that gives these records', async () => {
    const body = Buffer.from(example('object'), 'base64');
    assert.equal(body.length, 949);
    const [page] = await pageTextsOf({ body });
    assert.deepEqual(JSON.parse(page!.json.toString()), JSON.parse(example('page')));
    const { json } = await directoryOf(body);
    assert.deepEqual(JSON.parse(json.toString()), JSON.parse(example('directory')));
    const records = await readAll(body, await indexOf({ body }));
    assert.deepEqual(
      records.map(({ topic, series, time, payload }) => [topic, series, time, payload.toString()]),
      IN_ORDER.map(({ topic, series, time, payload }) => [topic, series, time, payload.toString()]),
    );
  });

  it('shows the trailer of that object', () => {
    const bytes = example('trailer').replace(/^((?:[0-9a-f]+ ?)+)(?: {2}.*)?$/gm, '$1');
    const trailer = Buffer.from(bytes.replace(/\s/g, ''), 'hex');
    const body = Buffer.from(example('object'), 'base64');
    assert.deepEqual(trailer, body.subarray(-86));
    const { checksum, ...numbers } = readTrailer(trailer, 949);
    assert.deepEqual(numbers, {
      offset: 186,
      length: 677,
      directoryLength: 238,
      directorySize: 249,
      count: 4,
    });
    assert.equal(typeof checksum, 'number');
  });

  it('gives flags the numbers that they have', () => {
    const rows = [...PAGE.matchAll(/^\| (\d+) \| ([A-Z][A-Z0-9_]+) \|/gm)].map(([, bit, name]) => [
      name,
      Number(bit),
    ]);
    assert.deepEqual(Object.fromEntries(rows), { ...RecordFlag });
  });

  it('names every attribute, and no other', async () => {
    const names = new Set<string>();
    for (const count of [1, 1500]) {
      const list = Array.from({ length: count }, (_, n) => ({
        ...ARRIVED[n % 4]!,
        time: (n * 7919) % 1_000_003,
      }));
      const object = await encodeObject(recordsOf(list, 'newline'), FORMAT);
      assert(readAttributes(object.attributes, object.body.length));
      for (const name of Object.keys(object.attributes)) names.add(name.replace(/-\d+$/, ''));
    }
    const table = /^\| name \| on \| value \|$([^]*?)^$/m.exec(PAGE)?.[1] ?? '';
    const shown = [...table.matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
      [...(cell ?? '').matchAll(/[a-z-]+/g)].map(([name]) => name),
    );
    assert.deepEqual(shown.sort(), [...names].sort());
  });

  describe('shows how other tools read the example', () => {
    const OBJECT = 'spots.ndjson.gz';
    let folder = '';
    before(() => {
      folder = mkdtempSync(path.join(tmpdir(), 's3-batch-'));
      writeFileSync(path.join(folder, OBJECT), Buffer.from(example('object'), 'base64'));
    });
    after(() => {
      rmSync(folder, { recursive: true });
    });

    function python(script: string): string {
      const { stdout, stderr } = spawnSync(PYTHON, ['-c', script], { cwd: folder, encoding: 'utf8' });
      assert.equal(stderr, '');
      return stdout.trim();
    }

    it('pandas', function () {
      needs(this, 'pandas for Python', hasModule('pandas'));
      const printed = python(example('pandas'));
      assert.equal(printed, "[10017, 10018, 10233] ['station in service']");
      assert.ok(PAGE.includes(`this prints \`${printed}\``));
    });

    it('DuckDB', function () {
      needs(this, 'duckdb for Python', hasModule('duckdb'));
      const script = `import duckdb\nprint(duckdb.sql("""${example('duckdb')}""").fetchall())`;
      assert.equal(python(script), "[('10017',), ('10018',), ('10233',), (None,)]");
    });
  });
});
