import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { weldingWriter } from '../../bench/welding';
import { weldMessages } from '../../demo/weld-messages';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { linesOf, objectsIn } from './archive';
import { ask, askAsInfinity, type Chosen, post, queryBody, theDashboard } from './grafana-requests';

const REPOSITORY = path.resolve(__dirname, '../../..');
const START = Date.UTC(2018, 9, 1, 17, 10, 35);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RANGE = { from: START, to: START + HOUR };
/** Voltages that no station welds with. */
const PEAKS = { low: 0.111, high: 9.999 };
/** The voltage in a message of another type. */
const ALARM = 77;

/** A spot as a scan of the objects finds it, without the index. */
interface Spot {
  plant: string;
  device: string;
  time: number;
  voltage: number;
  spot: number;
  quality: string;
}

interface Row {
  time: number;
  device: string;
  voltage: number;
}

interface Series {
  target: string;
  datapoints: [voltage: number, time: number][];
}

describe('the example that answers Grafana', function () {
  this.timeout(120_000);
  let store: TestStore;
  let nodeRed: NodeRedProcess;
  let base: string;
  let spots: Spot[] = [];
  const dashboard = theDashboard();
  const [all, single] = dashboard.panels.map(({ targets }) => targets[0]!);
  const [plants, devices] = dashboard.templating.list.map(({ query }) => query.infinityQuery);

  before(async () => {
    store = await startTestStore();
    for (const bucket of ['plant-1', 'plant-2', 'secrets']) await store.createBucket(bucket);
    const writer = weldingWriter(store.store, 3000);
    const messages = weldMessages({ count: 12_000, plants: 2, stations: 11, seconds: 3600, late: 5 });
    for (const { topic, payload } of messages) writer.append(topic, payload, START);
    const [some] = weldMessages({ count: 1, plants: 1, stations: 1 });
    // In one second, so that they meet in whatever stretch of time they are thinned to.
    for (const Voltage of [1.2, PEAKS.low, PEAKS.high, 1.3]) {
      const weldspot = { Timestamp: '20181001 174000', SpotId: 7, Voltage, Quality: 'NOK' };
      writer.append(some!.topic, Buffer.from(JSON.stringify({ weldspot })), START);
    }
    // Neither of these is to be drawn: the one has no voltage, the other is no weld.
    writer.append(some!.topic, Buffer.from('{"weldspot":{"Timestamp":"20181001 174100"}}'), START);
    const alarm = { weldspot: { Timestamp: '20181001 174100', Voltage: ALARM } };
    writer.append(some!.topic.replace('/WELD/', '/ALARM/'), Buffer.from(JSON.stringify(alarm)), START);
    await writer.flush();
    spots = [...(await scan(store, 'plant-1')), ...(await scan(store, 'plant-2'))];
    assert.equal(spots.length, 12_004);
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    base = `${nodeRed.url}/grafana`;
    await nodeRed.deploy(theFlow(store.server.url));
  });

  after(async () => {
    // What has not been set has not been started, because a step before it failed.
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await (store as TestStore | undefined)?.stop();
  });

  function wanted({ plant, devices: some, from, to }: Chosen): Spot[] {
    return spots.filter(
      (spot) =>
        spot.plant === plant && (!some || some.includes(spot.device)) && spot.time >= from && spot.time <= to,
    );
  }

  /** Each device's lowest and highest voltage in each stretch of time. */
  function extremes(some: readonly Spot[], width: number): string[] {
    const kept = new Map<string, [low: number, high: number]>();
    for (const { device, time, voltage } of some) {
      const stretch = `${device} ${Math.floor(time / width)}`;
      const [low, high] = kept.get(stretch) ?? [voltage, voltage];
      kept.set(stretch, [Math.min(low, voltage), Math.max(high, voltage)]);
    }
    return [...kept].flatMap(([stretch, values]) =>
      [...new Set(values)].map((value) => `${stretch} ${value}`),
    );
  }

  function namesIn(some: readonly Spot[]): string[] {
    const names = [...new Set(some.map(({ device }) => device))];
    return names.sort((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]));
  }

  /** A refusal is JSON that names the cause. */
  async function refused(answer: Promise<{ status: number; body: unknown }>): Promise<[number, string]> {
    const { status, body } = await answer;
    return [status, (body as { error: string }).error];
  }

  describe('to the Infinity data source, with the queries of the dashboard', () => {
    const asked = { plant: 'PLANT-1', ...RANGE };

    it('tells the plants that are set, and the devices that the index has in the time range', async () => {
      assert.deepEqual((await askAsInfinity(base, plants!, asked)).body, [
        { plant: 'PLANT-1' },
        { plant: 'PLANT-2' },
        { plant: 'PLANT-3' },
      ]);
      const found = await askAsInfinity(base, devices!, asked);
      assert.deepEqual(
        found.body,
        namesIn(wanted(asked)).map((device) => ({ device })),
      );
      assert.match(found.type, /^application\/json/);
      // The stations that are a day late are found on their day alone.
      const late = { ...asked, from: START - DAY, to: START - DAY + HOUR };
      const names = namesIn(spots.filter(({ plant, time }) => plant === 'PLANT-1' && time < START));
      assert.deepEqual(
        (await askAsInfinity(base, devices!, late)).body,
        names.map((device) => ({ device })),
      );
      assert.equal(namesIn(wanted(asked)).length + names.length, 11);
    });

    it('gives rows of all devices in the order of time, thinned without losing a peak', async () => {
      const names = namesIn(wanted(asked));
      const { body } = await askAsInfinity(base, all!, { ...asked, devices: names, intervalMs: 10_000 });
      const rows = body as Row[];
      const expected = extremes(wanted(asked), 20_000);
      assert.deepEqual(
        rows.map(({ device, time, voltage }) => `${device} ${Math.floor(time / 20_000)} ${voltage}`).sort(),
        expected.sort(),
      );
      assert.ok(rows.every(({ time }, n) => n === 0 || time >= rows[n - 1]!.time));
      assert.ok(rows.length < wanted(asked).length);
      for (const peak of Object.values(PEAKS)) assert.ok(rows.some(({ voltage }) => voltage === peak));
      // The plug-in makes a column of each device and would keep one value of those with the same time.
      assert.equal(new Set(rows.map(({ device, time }) => `${device} ${time}`)).size, rows.length);
      assert.deepEqual(
        all!.columns.map(({ selector }) => selector),
        Object.keys(rows[0]!),
      );
    });

    it('gives the spots of one device, and reads little else', async () => {
      const chosen = {
        ...asked,
        from: START + 600_000,
        to: START + 1_200_000,
        devices: ['WELDING-STATION-3'],
      };
      store.server.stats.reset();
      const { body } = await askAsInfinity(base, single!, { ...chosen, intervalMs: 1 });
      // 4,000 points are the most that one device gets.
      const rows = (body as Row[]).map(
        ({ device, time, voltage }) => `${device} ${Math.floor(time / 300)} ${voltage}`,
      );
      assert.deepEqual(rows.sort(), extremes(wanted(chosen), 300).sort());
      assert.ok(rows.length > 60);
      const { bytesSent } = store.server.stats;
      const objects = await objectsIn(store.store, 'plant-1');
      const bytes = objects.reduce((sum, one) => sum + one.bytes.length, 0);
      assert.ok(bytesSent < bytes / 4, `${bytesSent} of ${bytes}`);
    });

    it('takes the same question as GET', async () => {
      const query = `plant=PLANT-2&device=WELDING-STATION-1&device=WELDING-STATION-2&from=${RANGE.from}&to=${RANGE.to}`;
      const { body } = await ask(`${base}/voltage?${query}&maxDataPoints=4000`);
      const chosen = { plant: 'PLANT-2', ...RANGE, devices: ['WELDING-STATION-1', 'WELDING-STATION-2'] };
      const rows = (body as Row[]).map(
        ({ device, time, voltage }) => `${device} ${Math.floor(time / 1800)} ${voltage}`,
      );
      assert.deepEqual(rows.sort(), extremes(wanted(chosen), 1800).sort());
    });

    it('answers nothing with an empty list, and is healthy', async () => {
      const later = {
        plant: 'PLANT-1',
        from: START + DAY,
        to: START + 2 * DAY,
        devices: ['WELDING-STATION-3'],
      };
      assert.deepEqual((await askAsInfinity(base, all!, later)).body, []);
      assert.deepEqual((await askAsInfinity(base, all!, { ...later, ...RANGE, devices: [''] })).body, []);
      assert.deepEqual((await askAsInfinity(base, devices!, later)).body, []);
      for (const url of [base, `${base}/`])
        assert.deepEqual(await ask(url).then(({ status, body }) => [status, body]), [200, { status: 'ok' }]);
    });
  });

  describe('to the JSON data sources', () => {
    it('tells plants and devices in each of their ways', async () => {
      const names = namesIn(wanted({ plant: 'PLANT-2', ...RANGE }));
      assert.deepEqual((await post(`${base}/search`, { target: '' })).body, [
        'PLANT-1',
        'PLANT-2',
        'PLANT-3',
      ]);
      // It brings no time range; nothing was welded in the last day.
      assert.deepEqual((await post(`${base}/search`, { target: 'PLANT-2' })).body, []);
      const range = { from: new Date(RANGE.from).toISOString(), to: new Date(RANGE.to).toISOString() };
      assert.deepEqual(
        (await post(`${base}/variable`, { payload: { target: 'PLANT-2' }, range })).body,
        names.map((name) => ({ __text: name, __value: name })),
      );
      const [metric] = (await post(`${base}/metrics`, {})).body as { value: string; payloads: object[] }[];
      assert.equal(metric?.value, 'PLANT-1');
      assert.deepEqual(metric.payloads, [{ label: 'Devices', name: 'devices', type: 'multi-select' }]);
      const options = { metric: 'PLANT-1', payload: {}, name: 'devices' };
      assert.deepEqual((await post(`${base}/metric-payload-options`, options)).body, []);
    });

    it('gives a series for each device of each target', async () => {
      const { body } = await post(
        `${base}/query`,
        queryBody(RANGE.from, RANGE.to, [
          { target: 'PLANT-1' },
          { target: 'PLANT-2/(WELDING-STATION-1|WELDING-STATION-2)' },
          { target: 'PLANT-2', payload: { devices: ['WELDING-STATION-5'] } },
          { target: 'PLANT-2/WELDING-STATION-7', hide: true },
        ]),
      );
      const series = body as Series[];
      const of = (plant: string, some: readonly string[]): string[] => some.map((name) => `${plant}/${name}`);
      assert.deepEqual(
        series.map(({ target }) => target),
        [
          ...of('PLANT-1', namesIn(wanted({ plant: 'PLANT-1', ...RANGE }))),
          ...of('PLANT-2', ['WELDING-STATION-1', 'WELDING-STATION-2', 'WELDING-STATION-5']),
        ],
      );
      for (const { target, datapoints } of series) {
        const [plant = '', device = ''] = target.split('/');
        const own = wanted({ plant, devices: [device], ...RANGE });
        assert.deepEqual(
          datapoints.map(([voltage, time]) => `${device} ${Math.floor(time / 10_000)} ${voltage}`).sort(),
          extremes(own, 10_000).sort(),
        );
        assert.ok(datapoints.length <= 720 + 2);
      }
    });

    it('gives a table, and rejected spots as annotations', async () => {
      const target = { target: 'PLANT-1/WELDING-STATION-3', type: 'table' };
      const { body } = await post(`${base}/query`, queryBody(RANGE.from, RANGE.to, [target]));
      const [table] = body as {
        type: string;
        columns: { text: string }[];
        rows: [number, string, number][];
      }[];
      assert.equal(table?.type, 'table');
      assert.deepEqual(
        table.columns.map(({ text }) => text),
        ['Time', 'Device', 'Voltage'],
      );
      const own = wanted({ plant: 'PLANT-1', devices: ['WELDING-STATION-3'], ...RANGE });
      assert.deepEqual(
        table.rows
          .map(([time, device, voltage]) => `${device} ${Math.floor(time / 10_000)} ${voltage}`)
          .sort(),
        extremes(own, 10_000).sort(),
      );
      const range = { from: new Date(RANGE.from).toISOString(), to: new Date(RANGE.to).toISOString() };
      const annotation = { name: 'rejected', datasource: 'JSON', enable: true, query: 'PLANT-2' };
      const marks = (await post(`${base}/annotations`, { range, annotation })).body as { time: number }[];
      const bad = wanted({ plant: 'PLANT-2', ...RANGE }).filter(({ quality }) => quality === 'NOK');
      assert.ok(bad.length > 10);
      assert.deepEqual(
        marks,
        bad
          .sort((a, b) => a.time - b.time)
          .map(({ time, device, spot }) => ({
            time,
            title: `${device}: spot rejected`,
            text: `spot ${spot}`,
            tags: [device],
          })),
      );
    });
  });

  describe('that should not be answered', () => {
    const rows = (body: object) => refused(post(`${base}/voltage`, { plant: 'PLANT-1', ...RANGE, ...body }));

    it('lets nobody choose a bucket', async () => {
      const requests = store.server.stats.requests;
      for (const plant of [
        'SECRETS',
        'secrets',
        '',
        '../PLANT-1',
        'PLANT-1/',
        ['PLANT-1'],
        { a: 1 },
        null,
        7,
      ]) {
        const [status, error] = await rows({ plant });
        assert.equal(status, 404, JSON.stringify(plant));
        assert.match(error, /there is no plant .*: known are PLANT-1, PLANT-2, PLANT-3/);
      }
      const [status] = await refused(
        post(`${base}/query`, queryBody(RANGE.from, RANGE.to, [{ target: 'secrets' }])),
      );
      assert.equal(status, 404);
      assert.equal(store.server.stats.requests, requests);
    });

    it('says what is wrong with devices, times and ranges', async () => {
      const requests = store.server.stats.requests;
      const many = Array.from({ length: 101 }, (_, n) => `D${n}`);
      const cases: [object, RegExp][] = [
        [{ devices: ['a/b'] }, /a device is a topic level/],
        [{ devices: ['#'] }, /a device is a topic level/],
        [{ devices: [7] }, /a device is a topic level/],
        [{ devices: 'x'.repeat(101) }, /a device is a topic level/],
        [{ devices: many }, /101 devices are more than the 100/],
        [{ devices: { a: 'D1', b: ['D2'] } }, /a device is a topic level/],
        [{ from: 'yesterday' }, /from and to must be times/],
        [{ from: undefined }, /from and to must be times/],
        [{ to: RANGE.from - 1 }, /from the earlier one/],
        [{ from: RANGE.from - 32 * DAY }, /longer than the 31 days/],
      ];
      for (const [body, error] of cases) {
        const answer = await rows(body);
        assert.equal(answer[0], 400, JSON.stringify(body));
        assert.match(answer[1], error);
      }
      const filtered = queryBody(RANGE.from, RANGE.to, [{ target: 'PLANT-1' }], {
        adhocFilters: [{ key: 'device', operator: '=', value: 'x' }],
      });
      assert.deepEqual(await refused(post(`${base}/query`, filtered)), [
        400,
        'ad hoc filters are not supported: name the devices in the target',
      ]);
      assert.equal((await refused(post(`${base}/query`, {})))[0], 400);
      assert.equal(store.server.stats.requests, requests);
    });

    it('names a missing bucket, an object that cannot be read, and a store that is away', async () => {
      const [status, error] = await rows({ plant: 'PLANT-3' });
      assert.equal(status, 404);
      assert.match(error, /plant-3/);
      const name = 'dt=2018-10-01/20181001T171100Z-20181001T171200Z-damaged.ndjson.gz';
      const foreign = { contentType: 'application/gzip', attributes: {} };
      await store.store.put('plant-2', name, Buffer.alloc(500), foreign);
      for (const path of ['voltage', 'devices']) {
        const query = `plant=PLANT-2&from=${RANGE.from}&to=${RANGE.to}`;
        const answer = await refused(ask(`${base}/${path}?${query}`));
        assert.equal(answer[0], 502);
        assert.match(
          answer[1],
          /1 objects could not be read, the first is plant-2\/dt=2018-10-01\/.*damaged/,
        );
      }
      await store.store.delete('plant-2', name);
      await nodeRed.deploy(theFlow('http://127.0.0.1:9'));
      const away = await refused(ask(`${base}/devices?plant=PLANT-1&from=${RANGE.from}&to=${RANGE.to}`));
      assert.equal(away[0], 502);
      assert.doesNotMatch(away[1], new RegExp(KEYS.secretKey));
      await nodeRed.deploy(theFlow(store.server.url));
    });

    it('fetches no more objects once nobody waits for them', async () => {
      await store.createBucket('plant-3');
      const writer = weldingWriter(store.store, 25);
      const day = { start: START + 3 * DAY, seconds: 3600 };
      for (const { topic, payload } of weldMessages({ count: 1500, plants: 1, stations: 2, ...day }))
        writer.append(topic.replace('PLANT-1', 'PLANT-3'), payload, START);
      await writer.flush();
      const question = `${base}/voltage?plant=PLANT-3&from=${day.start}&to=${day.start + HOUR}`;
      let fetched = 0;
      const isFetch = ({ operation }: { operation: string }): boolean => {
        if (operation !== 'GetObject') return false;
        fetched++;
        return true;
      };
      const atOnce = store.server.faults.add({ kind: 'delay', ms: 20, match: isFetch });
      assert.equal((await ask(question)).status, 200);
      const whole = fetched;
      fetched = 0;
      const leave = new AbortController();
      const left = assert.rejects(ask(question, { signal: leave.signal }), { name: 'AbortError' });
      while (fetched === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      leave.abort();
      await left;
      let seen = -1;
      while (seen !== fetched) {
        seen = fetched;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      atOnce();
      // The index is asked to its end; of the 60 objects only those that were on their way are read.
      assert.ok(fetched < whole - 30, `${fetched} of ${whole}`);
    });

    it('refuses many targets whose points would take all memory', async () => {
      const targets = Array.from({ length: 20_000 }, () => ({ target: 'PLANT-1' }));
      const range = { from: RANGE.from, to: RANGE.to };
      const { status, body } = await post(`${base}/query`, { range, targets });
      assert.deepEqual(
        [status, body],
        [413, { error: 'more than 1000000 points: ask for fewer targets or a shorter range' }],
      );
    });

    it('stops at the limit of records, once', async () => {
      await nodeRed.deploy(theFlow(store.server.url, { MAX_RECORDS: '2000' }));
      assert.deepEqual(await rows({}), [
        413,
        'more than 2000 records: choose a shorter range or fewer devices',
      ]);
      const one = await post(`${base}/voltage`, {
        plant: 'PLANT-1',
        ...RANGE,
        devices: ['WELDING-STATION-2'],
      });
      assert.equal(one.status, 200);
      // Settings that are no list make no part of them a plant.
      await nodeRed.deploy(theFlow(store.server.url, { PLANTS: '"PLANT-1,PLANT-2"' }));
      assert.equal((await rows({}))[0], 404);
      assert.doesNotMatch(nodeRed.log, /\[error\]/);
    });
  });
});

/** The example as it stands in the file, but for endpoint and keys. @param env settings of the tab that are changed */
function theFlow(endpoint: string, env: Record<string, string> = {}): FlowNode[] {
  const file = path.join(REPOSITORY, 'examples/grafana.json');
  const nodes = JSON.parse(readFileSync(file, 'utf8')) as FlowNode[];
  const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey };
  return nodes.map((node) => {
    if (node.type === 's3-connection') return { ...node, endpoint, credentials };
    if (node.type !== 'tab') return node;
    const settings = node.env as { name: string; value: string }[];
    return { ...node, env: settings.map((one) => ({ ...one, value: env[one.name] ?? one.value })) };
  });
}

/** The spots in a bucket's objects, read as any tool for gzip and NDJSON reads them. */
async function scan({ store }: TestStore, bucket: string): Promise<Spot[]> {
  const objects = await objectsIn(store, bucket);
  // Which device welded stands in the topic alone: the stations' spots have numbers of their own.
  return objects.flatMap((object) =>
    linesOf(object).flatMap((line) => {
      const { weldspot } = JSON.parse(line) as { weldspot: Record<string, unknown> };
      const { Timestamp, Voltage, SpotId, Quality } = weldspot;
      if (typeof Voltage !== 'number' || Voltage === ALARM) return [];
      const spot = Number(SpotId);
      const number = spot === 7 ? 1 : 1 + Math.floor((spot - 10_000) / 20);
      return [
        {
          plant: bucket.toUpperCase(),
          device: `WELDING-STATION-${number}`,
          time: Date.parse(String(Timestamp).replace(/^(....)(..)(..) (..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z')),
          voltage: Voltage,
          spot,
          quality: String(Quality),
        },
      ];
    }),
  );
}
