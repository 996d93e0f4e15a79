import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { weldingLayout, weldingWriter } from '../../bench/welding';
import { type WeldMessage, weldMessages } from '../../demo/weld-messages';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { awsVariables, needsPackages, type Output, python, ROOT, run } from './python';

const SCRIPT = path.join(ROOT, 'examples/python/plot_voltage.py');
const BUCKET = 'plant-2';
const WHOLE = ['--from', '20181001 170000', '--to', '2018-10-01T18:00:00Z'];

describe('the Python application that draws voltages', function () {
  this.timeout(60_000);
  const messages = [...weldMessages({ count: 6000, plants: 2, stations: 8 })];
  const ofPlant = messages.filter(({ plant }) => plant === 'PLANT-2');
  let store: TestStore | undefined;
  let folder: string;

  before(async function () {
    needsPackages(this, 'boto3', 'matplotlib');
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-'));
    store = await startTestStore();
    for (const bucket of ['plant-1', BUCKET]) await store.createBucket(bucket);
    const writer = weldingWriter(store.store, 1000);
    for (const { topic, payload } of messages) writer.append(topic, payload, Date.now());
    const [some] = ofPlant;
    assert.ok(some);
    // Records that have no voltage: told, and left out.
    for (const payload of ['{"weldspot":{"Timestamp":"20181001 171100"}}', 'no JSON'])
      writer.append(some.topic, Buffer.from(payload), Date.UTC(2018, 9, 1, 17, 20));
    await writer.flush();
  });

  after(async () => {
    await store?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  function plot(...args: string[]): Promise<Output> {
    const env = awsVariables({ endpoint: store?.server.url ?? '', ...KEYS });
    return run([SCRIPT, ...args], { env: { ...env, MPLCONFIGDIR: folder } });
  }

  function stationsIn(list: readonly WeldMessage[]): string[] {
    return [...new Set(list.map(({ station }) => station))].sort();
  }

  it('draws every device of the plant, and says what it cost', async () => {
    const file = path.join(folder, 'all.svg');
    const { code, stdout, stderr } = await plot('--plant', 'PLANT-2', ...WHOLE, '--output', file);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      new RegExp(`^${ofPlant.length.toLocaleString('en-US')} spots of 8 devices in 4 objects`),
    );
    assert.match(
      stdout,
      /\d+ requests and [\d,]+ bytes; a download of everything: 5 requests and [\d,]+ bytes/,
    );
    assert.match(stderr, /left out: 2 records without a number at weldspot.Voltage/);
    // Text is drawn as shapes, each with a comment that tells it.
    const drawn = await readFile(file, 'utf8');
    assert.deepEqual(
      stationsIn(ofPlant).filter((station) => !drawn.includes(`<!-- ${station} -->`)),
      [],
    );
    for (const text of ['Weld voltage of PLANT-2', 'Voltage (V)', 'Time (UTC)'])
      assert.ok(drawn.includes(`<!-- ${text}`), text);
  });

  it('draws the asked devices and times, fetching little else', async () => {
    const file = path.join(ROOT, 'test-output', 'voltage.png');
    await mkdir(path.dirname(file), { recursive: true });
    const from = Date.UTC(2018, 9, 1, 17, 12);
    const devices = ['WELDING-STATION-3', 'WELDING-STATION-5'];
    const wanted = ofPlant.filter(
      ({ station, time }) => devices.includes(station) && time >= from && time <= from + 60_000,
    );
    const { code, stdout, stderr } = await plot(
      ...['--plant', 'PLANT-2', '--from', '20181001 171200', '--to', '20181001 171300', '--output', file],
      ...devices.flatMap((device) => ['--device', device]),
      ...['--device', 'WELDING-STATION-99'],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^${wanted.length} spots of 2 devices`));
    assert.match(stderr, /nothing found of: WELDING-STATION-99/);
    const [, fetched, everything] = /and ([\d,]+) bytes; .* and ([\d,]+) bytes/.exec(stdout) ?? [];
    const bytes = (text = ''): number => Number(text.replaceAll(',', ''));
    assert.ok(bytes(fetched) > 0 && bytes(fetched) < bytes(everything), stdout);
    assert.equal((await readFile(file)).toString('latin1', 1, 4), 'PNG');
  });

  it('draws what it can and ends with 1 when an object is damaged', async () => {
    const file = path.join(folder, 'damaged.svg');
    const name = 'dt=2018-10-01/20181001T171100Z-20181001T171200Z-damaged.ndjson.gz';
    await store?.store.put(BUCKET, name, Buffer.alloc(500), {
      contentType: 'application/gzip',
      attributes: {},
    });
    const { code, stdout, stderr } = await plot('--plant', 'PLANT-2', ...WHOLE, '--output', file);
    await store?.store.delete(BUCKET, name);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /could not be read: dt=2018-10-01.*damaged.ndjson.gz: the object has no offset index/,
    );
    assert.match(stdout, /drawn: /);
    assert.match(await readFile(file, 'utf8'), /objects that could not be read: 1/);
  });

  it('says what is wrong in one line', async () => {
    const file = path.join(folder, 'none.png');
    const none = await plot('--plant', 'PLANT-9', ...WHOLE, '--output', file);
    assert.deepEqual([none.code, none.stderr.split('\n').length], [1, 2]);
    assert.match(none.stderr, /there is no bucket plant-9 at http/);
    const odd = await plot('--plant', 'PLANT 9', ...WHOLE);
    assert.match(odd.stderr, /say with --bucket/);
    const empty = await plot('--plant', 'PLANT-2', '--from', '20201001 000000', '--to', '2020-10-02');
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /nothing to draw/);
    const swapped = await plot('--plant', 'PLANT-2', '--from', '2020-10-02', '--to', '2020-10-01');
    assert.match(swapped.stderr, /--from is later than --to/);
  });

  it('keeps peaks and troughs when it thins', async () => {
    const script = `
import random, sys
sys.path.insert(0, "examples/python")
from plot_voltage import Trace
random.seed(1)
trace = Trace(0, 10**9)
points = [(at * 5000, random.gauss(1.5, 0.1)) for at in range(200_000)]
points[123_456], points[154_321] = (617_280_000, 9.0), (771_605_000, -9.0)
random.shuffle(points)
for point in points: trace.add(*point)
thinned = trace.points(1200)
print(trace.spots, (617_280_000, 9.0) in thinned, (771_605_000, -9.0) in thinned, thinned == sorted(thinned), len(thinned) <= 2402)`;
    assert.equal((await python(['-c', script])).trim(), '200000 True True True True');
  });

  it('thins in time what lies outside of the time that the name of its object tells', async () => {
    const script = `
import sys
sys.path.insert(0, "examples/python")
from plot_voltage import Trace
trace = Trace(0, 1000)
for at in range(100_000): trace.add(at * 1000, 1.5)
print(trace.spots, len(trace.points(1200)) <= 2402)`;
    assert.equal((await python(['-c', script])).trim(), '100000 True');
  });

  it('leaves out a voltage that no number can hold', async () => {
    const script = `
import sys
sys.path.insert(0, "examples/python")
from plot_voltage import number_at
payloads = [b'{"v":1' + b"0" * 400 + b"}", b'{"v":1e999}', b'{"v":true}', b'{"v":1.5}']
print([number_at(payload, ["v"]) for payload in payloads])`;
    assert.equal((await python(['-c', script])).trim(), '[None, None, None, 1.5]');
  });

  it('finds objects in folders of a partition, whatever the order of their names', async () => {
    const script = `
import sys
sys.path.insert(0, "examples/python")
from offset_index import Archive, Listed
class Bucket:
    requests = received = 0
    def list(self, prefix, after):
        for key in sorted(NAMES):
            if key.startswith(prefix) and key > after: yield Listed(key, 1)
def name(folder, hour): return "dt=2018-10-01/%s20181001T%d0000Z-20181001T%d5959Z-b.ndjson.gz" % (folder, hour, hour)
NAMES = [name(folder, hour) for folder in ("", "A/", "B/") for hour in (16, 17, 18)]
begin = 1538413200000
for partition, names in ("day", NAMES), ("none", [key for key in NAMES if key.count("/") == 2]):
    NAMES = names
    archive = Archive(Bucket(), partition, prefix="" if partition == "day" else "dt=2018-10-01/")
    print([key.split("/")[1][:1] for key, *_ in archive.find_objects(begin, begin + 1000)])`;
    assert.equal((await python(['-c', script])).trim(), "['2', 'A', 'B']\n['A', 'B']");
  });

  it('takes its objects from the layout that the archive flow has', () => {
    assert.equal(
      weldingLayout().settings.objectName,
      '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
    );
    assert.equal(weldingLayout().settings.partition, 'day');
  });
});
