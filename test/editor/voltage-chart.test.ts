import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { type Broker, startBroker } from '../../demo/embedded';
import type { S3Server } from '../../embedded/s3-server';
import { packRepository } from '../matrix/install';
import { objectsIn, recordsIn, weld } from '../nodes/archive';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { batchOut, connection, tab, weldingLayout } from '../support/flow';
import { until } from '../support/fake-clock';
import { FlowRunner } from '../support/node-red-helper';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { chartInPage, colours, contrast, type Drawn } from './dashboard';
import { Editor, type EditorNode, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const PACKAGE = 'node-red-contrib-s3-batch';
const DASHBOARD = { name: '@flowfuse/node-red-dashboard', version: '1.31.0' };
const CHART = 'voltage-chart';
/** All flows of the Import menu, the one that the walk goes on with last. */
const EXAMPLES = readdirSync(path.join(REPOSITORY, 'examples'))
  .filter((name) => name.endsWith('.json'))
  .map((name) => path.basename(name, '.json'))
  .sort((a, b) => Number(a === CHART) - Number(b === CHART) || (a < b ? -1 : 1));
/** Buckets that the examples' layouts name for what they publish. */
const BUCKETS = ['plant-1', 'plant-2', 'plant-3', 'sensors', 'shift-log'];
/** More spots of a device than are drawn one by one, on three days and so in three objects. */
const LONG = {
  plant: 'plant-long',
  devices: ['D1', 'D2'],
  days: ['20181001', '20181002', '20181003'],
  spots: 1500,
};
const SHORT = { plant: 'PLANT-SHORT', devices: ['D1', 'D2', 'D10'], days: ['20181001'], spots: 40 };
const DAY = ['20181001 000000', '20181002 000000'] as const;
/** An object a day, of which only the first stays whole. */
const DAMAGED = {
  plant: 'plant-damaged',
  devices: ['D1'],
  days: ['20181101', '20181102', '20181103', '20181104'],
  spots: 100,
};
/** Comes while the page is open. */
const NEW = { plant: 'plant-new', devices: ['D1'], days: ['20181001'], spots: 1 };
/** Plants whose buckets hold nothing, and nothing of this kind. */
const EMPTY = 'plant-empty';
const FOREIGN = 'backups';
const PEAK = 9.75;
const DIP = 0.125;

interface Plant {
  plant: string;
  devices: string[];
  days: string[];
  /** Of each device and day. */
  spots: number;
}

interface Point {
  device: string;
  time: number;
  voltage: number;
}

describe('the examples in a fresh Node-RED, and the voltage chart', function () {
  this.timeout(180_000);
  // Each step goes on where the one before it left editor and page.
  this.bail(true);
  let folder: string;
  let broker: Broker;
  /** What the other examples write to. */
  let store: TestStore;
  /** What the chart reads. */
  let archive: TestStore;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;
  let page: Page;
  /** Of the page. */
  const errors: string[] = [];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-examples-'));
    broker = await startBroker(0);
    store = await startTestStore();
    for (const bucket of BUCKETS) await store.createBucket(bucket);
    archive = await startArchive();
    nodeRed = await startNodeRed();
    browser = await launchBrowser();
  });

  after(async () => {
    // What has not been set has not been started, because a step before it failed.
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await (archive as TestStore | undefined)?.stop();
    await (store as TestStore | undefined)?.stop();
    await (broker as Broker | undefined)?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    if ((page as Page | undefined) !== undefined) await shoot('failed');
    else await (editor as Editor | undefined)?.screenshot('example-failed');
  });

  async function shoot(name: string): Promise<void> {
    const close = page.getByText('Close', { exact: true });
    if (await close.isVisible()) await close.click();
    await page.screenshot({ path: path.join(REPOSITORY, `test-output/editor/voltage-chart-${name}.png`) });
  }

  /** Tells an example where store and broker are, by its dialogues. */
  async function connect(imported: readonly EditorNode[], { url }: S3Server): Promise<void> {
    for (const { id, type } of imported) {
      if (type !== 's3-connection' && type !== 'mqtt-broker') continue;
      const form = await editor.openDialog(id);
      if (type === 'mqtt-broker') await form.locator('#node-config-input-port').fill(String(broker.port));
      else {
        await form.locator('#node-config-input-endpoint').fill(url);
        await form.locator('#node-config-input-accessKeyId').fill(KEYS.accessKey);
        await form.locator('#node-config-input-secretAccessKey').fill(KEYS.secretKey);
      }
      await editor.closeDialog({ keep: true });
    }
  }

  const list = (name: string): Locator => page.getByRole('combobox', { name, exact: true });

  /** Fills in the question, by keyboard alone. */
  async function fillIn(plant: string, devices: string, from: string, to: string): Promise<void> {
    await list('Devices').focus();
    const chips = await page.locator('.voltage-form .v-chip').count();
    // The first of two chooses the last device, the second takes it away.
    for (let pressed = 0; pressed < 2 * chips; pressed++) await page.keyboard.press('Backspace');
    await list('Plant').focus();
    for (const text of [plant, devices, from, to]) {
      await page.keyboard.press('Control+A');
      await page.keyboard.press('Delete');
      await page.keyboard.type(text);
      await page.keyboard.press('Tab');
    }
  }

  /** Presses the button, which has the focus when the question is filled in. */
  async function press(): Promise<void> {
    await page.evaluate(() => {
      const status = document.querySelector('.voltage-status');
      if (!status) throw new Error('no status');
      const said: string[] = [];
      Object.assign(globalThis, { said });
      new MutationObserver(() => said.push(status.textContent)).observe(status, {
        characterData: true,
        childList: true,
        subtree: true,
      });
    });
    await page.keyboard.press('Enter');
  }

  /** All that the status has said since the button was pressed, once this has come. */
  async function said(what: RegExp): Promise<string[]> {
    let texts: string[] = [];
    await until(`a status like ${String(what)}`, async () => {
      texts = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
      return what.test(texts.at(-1) ?? '');
    });
    return texts;
  }

  /** Asks by keyboard. Answers all that the status says, the end last. */
  async function ask(...question: Parameters<typeof fillIn>): Promise<string[]> {
    await fillIn(...question);
    await press();
    return said(/^(?!Looking|Found|Fetching)./);
  }

  /** The last that the status says. */
  async function answerTo(...question: Parameters<typeof ask>): Promise<string> {
    return (await ask(...question)).at(-1) ?? '';
  }

  /** The chart once it has this number of points. */
  async function drawn(count: number): Promise<Drawn> {
    let chart: Drawn | undefined;
    await until(`a chart of ${count} points`, async () => {
      chart = await page.evaluate(chartInPage);
      return chart?.series.reduce((sum, { data }) => sum + data.length, 0) === count;
    });
    assert.ok(chart);
    return chart;
  }

  const devicesDrawn = async (count: number): Promise<string[]> =>
    (await drawn(count)).series.map(({ name }) => name);

  /** Opens a pick list by keyboard, so that an entry has the focus. Answers what it offers. */
  async function open(name: string): Promise<string[]> {
    // While lists open and close, keys may get lost.
    await until(`the list ${name}`, async () => {
      await list(name).press('ArrowDown');
      await page.waitForTimeout(300);
      return focused().isVisible();
    });
    return page.getByRole('option').allInnerTexts();
  }

  const focused = (): Locator => page.locator('[role=option]:focus');

  /** Goes to an entry of the pick list that is open. */
  async function goTo(entry: string): Promise<void> {
    await until(`${entry} in the list`, async () => {
      if ((await focused().innerText()) === entry) return true;
      await page.keyboard.press('ArrowDown');
      return false;
    });
  }

  /** Closes the pick list that is open. */
  async function close(key: string): Promise<void> {
    await page.keyboard.press(key);
    await page.getByRole('option').first().waitFor({ state: 'hidden' });
  }

  /** Waits until this is said about the lists. */
  async function listsAre(told: string): Promise<void> {
    await page.locator('.voltage-lists').filter({ hasText: told }).waitFor();
  }

  /** Has the lists filled again, by keyboard. */
  async function refreshed(told: string): Promise<void> {
    await page.getByRole('button', { name: 'Refresh lists' }).press('Enter');
    await listsAre(told);
  }

  /** Deploys the chart's flow with another number in its functions. */
  async function withNumber<T>(text: string, instead: string, work: () => Promise<T>): Promise<T> {
    const flows = (await nodeRed.get('/flows')) as FlowNode[];
    const changed = flows.map((node) =>
      typeof node.func === 'string' ? { ...node, func: node.func.replace(text, instead) } : node,
    );
    assert.notDeepEqual(changed, flows, text);
    await nodeRed.deploy(changed, { type: 'nodes' });
    try {
      return await work();
    } finally {
      await nodeRed.deploy(flows, { type: 'nodes' });
    }
  }

  it('are in the palette once the tarball is uploaded, and the Dashboard comes from the registry', async () => {
    await nodeRed.installTarball(await packRepository(REPOSITORY, folder));
    await nodeRed.install(DASHBOARD.name, DASHBOARD.version);
    const sets = await nodeRed.nodeSets();
    for (const name of [PACKAGE, DASHBOARD.name]) {
      const own = sets.filter(({ module }) => module === name);
      assert.ok(own.length > 0, name);
      assert.deepEqual(
        own.filter(({ enabled, err }) => !enabled || err !== undefined),
        [],
      );
    }
    editor = await Editor.open(browser, nodeRed);
  });

  for (const name of EXAMPLES)
    it(`are imported and deployed without an error: ${name}`, async () => {
      const from = nodeRed.log.length;
      const imported = await editor.importExample(PACKAGE, name);
      const file = path.join(REPOSITORY, 'examples', `${name}.json`);
      const typesOf = (nodes: readonly EditorNode[]): string[] =>
        nodes
          .map(({ type }) => type)
          .filter((type) => type !== 'tab')
          .sort();
      assert.deepEqual(typesOf(imported), typesOf(JSON.parse(readFileSync(file, 'utf8')) as EditorNode[]));
      await connect(imported, name === CHART ? archive.server : store.server);
      await editor.deploy();
      await editor.screenshot(`example-${name}`);
      // A moment for what begins with the flow.
      await editor.page.waitForTimeout(500);
      assert.doesNotMatch(nodeRed.log.slice(from), /\[(error|warn)\]|missing types/i);
      assert.deepEqual(editor.errors, []);
      if (name !== CHART) await editor.clear();
      else await editor.close();
    });

  it('fills its lists from the archive when the page is opened', async () => {
    page = await browser.newPage({
      viewport: { width: 1200, height: 1000 },
      timezoneId: 'Asia/Tokyo',
      reducedMotion: 'reduce',
    });
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`${nodeRed.url}/dashboard/voltage`);
    await listsAre('Plants: 3, devices: 6, in 6 of 9 objects listed');
    await listsAre('There may be more: 2 objects');
    assert.deepEqual(await open('Plant'), [DAMAGED.plant, LONG.plant, SHORT.plant]);
    await close('Escape');
  });

  it('draws a line for each device, with the voltages that a scan of all objects finds', async () => {
    const before = archive.server.stats.requests;
    const status = await answerTo(SHORT.plant, '', ...DAY);
    assert.equal(requestsIn(status), archive.server.stats.requests - before);
    assert.match(
      status,
      /^120 spots, all drawn\. 1 of 1 object listed, \d+ requests, [\d,]+ bytes; downloading these objects: [\d,]+ bytes\.$/,
    );
    const { series, useUTC } = await drawn(120);
    assert.equal(useUTC, true);
    assert.deepEqual(
      series.map(({ name }) => name),
      SHORT.devices,
    );
    const scanned = await scan(archive, SHORT.plant);
    for (const { name, data } of series) {
      const expected = scanned
        .filter(({ device }) => device === name)
        .map(({ time, voltage }) => [time, voltage]);
      assert.deepEqual(data, expected, name);
    }
    assert.ok((await colours(page)) > SHORT.devices.length, 'lines on the canvas');
  });

  it('draws the devices that are named', async () => {
    assert.match(await answerTo(SHORT.plant, 'D10, D2', ...DAY), /^80 spots, all drawn/);
    assert.deepEqual(await devicesDrawn(80), ['D2', 'D10']);
  });

  it('draws a plant and devices that are chosen from the lists with the keyboard', async () => {
    await fillIn('', '', ...DAY);
    await open('Plant');
    await goTo(SHORT.plant);
    await close('Enter');
    assert.equal(await list('Plant').inputValue(), SHORT.plant);
    assert.deepEqual(await open('Devices'), SHORT.devices);
    for (const device of ['D1', 'D2']) {
      await goTo(device);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: `Remove ${device}` }).waitFor();
    }
    await close('Escape');
    await page.getByRole('button', { name: 'Show voltage' }).focus();
    await press();
    await said(/^80 spots, all drawn/);
    assert.deepEqual(await devicesDrawn(80), ['D1', 'D2']);
  });

  it('thins a long time and keeps the lowest and the highest', async () => {
    const before = archive.server.stats.requests;
    const said = await ask(LONG.plant, '', '20181001 000000', '20181004 000000');
    const status = said.at(-1) ?? '';
    assert.ok(
      said.some((text) =>
        /^Fetching: 1 of 3 objects, 3,000 of 9,000 spots; [\d,]+ bytes in \d+ requests instead of [\d,]+ bytes\.$/.test(
          text,
        ),
      ),
      said.join('\n'),
    );
    assert.equal(requestsIn(status), archive.server.stats.requests - before);
    const [, points = '', seconds = ''] =
      /^9,000 spots, drawn as ([\d,]+) points: .*in every ([\d,.]+) s, so no peak is lost\. 3 of 3 objects/.exec(
        status,
      ) ?? [];
    assert.ok(points, status);
    const { series } = await drawn(Number(points.replaceAll(',', '')));
    const width = Number(seconds.replaceAll(',', '')) * 1000;
    const scanned = await scan(archive, LONG.plant);
    assert.deepEqual(
      series.map(({ name }) => name),
      LONG.devices,
    );
    for (const { name, data } of series) {
      assert.deepEqual(
        data,
        thinned(
          scanned.filter(({ device }) => device === name),
          width,
        ),
        name,
      );
      assert.ok(data.length <= 1000, `${data.length} points`);
      const voltages = data.map(([, voltage]) => voltage);
      assert.deepEqual([Math.min(...voltages), Math.max(...voltages)], [DIP, PEAK]);
    }
    assert.equal(await page.locator('.voltage-objects tbody tr').count(), 3);
  });

  it('opens the offset map of an object with Enter', async () => {
    await page.locator('.voltage-objects button').first().focus();
    await page.keyboard.press('Enter');
    await page.getByText('Offset map of').waitFor();
    assert.match(
      await page.locator('.voltage-map caption').innerText(),
      /: 3,000 records, the first 200 shown$/,
    );
    assert.equal(await page.locator('.voltage-map tbody tr').count(), 200);
    assert.match(await page.locator('.voltage-map tbody tr').first().innerText(), /^D1\/WELD\/1\/20181001 /);
  });

  it('can be read in light and in dark', async () => {
    await answerTo(SHORT.plant, SHORT.devices.join(), ...DAY);
    await drawn(120);
    await refreshed('Plants: 2, devices: 5,');
    await page.locator('.voltage-objects button').first().press('Enter');
    await page.getByText('Offset map of').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      // Lines are drawn and colours change with a transition.
      await page.waitForTimeout(1500);
      await shoot(colorScheme);
      for (const selector of [
        '.voltage-form label',
        '.voltage-form input',
        '.voltage-form .v-chip',
        '.voltage-lists',
        '.voltage-form > button',
        '.voltage-status',
        '.voltage-table caption',
        '.voltage-table td',
        '.voltage-table td button',
        '.v-toolbar-title',
      ])
        assert.ok(
          (await contrast(page, selector)) >= 4.5,
          `${selector}, ${colorScheme}: ${await contrast(page, selector)}`,
        );
      await open('Devices');
      await shoot(`list-${colorScheme}`);
      assert.ok(
        (await contrast(page, '.v-overlay-container .v-list-item-title')) >= 4.5,
        `list, ${colorScheme}`,
      );
      await close('Escape');
    }
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('shows no more than the last of two questions', async () => {
    const noMoreDelay = archive.server.faults.add({
      kind: 'delay',
      ms: 1500,
      match: ({ operation, bucket, headers }) =>
        operation === 'GetObject' && bucket === LONG.plant && headers.range !== undefined,
    });
    await fillIn(LONG.plant, '', '20181001 000000', '20181004 000000');
    await press();
    await said(/^Looking/);
    const answer = await answerTo(SHORT.plant, 'D1', ...DAY);
    assert.match(answer, /^40 spots, all drawn/);
    noMoreDelay();
    // Until what the first question has asked for is long there.
    await page.waitForTimeout(4000);
    assert.deepEqual(await said(/./).then((texts) => texts.at(-1)), answer);
    assert.deepEqual(await devicesDrawn(40), ['D1']);
  });

  it('names the objects that are damaged, and draws the others', async () => {
    const keys = (await objectsIn(archive.store, DAMAGED.plant)).map(({ key }) => key);
    const status = await answerTo(DAMAGED.plant, '', '20181101 000000', '20181105 000000');
    assert.match(status, /^The chart has holes: 3 objects could not be read:.*\. 100 spots, all drawn\./);
    assert.deepEqual(
      keys.map((key) => status.includes(`${key}: `)),
      [false, true, true, true],
    );
    const { series } = await drawn(100);
    assert.deepEqual(
      new Set(series.flatMap(({ data }) => data.map(([time]) => new Date(time).getUTCDate()))),
      new Set([1]),
    );
    await shoot('damaged');
    // Nothing but damage is no empty answer.
    assert.match(
      await answerTo(DAMAGED.plant, '', '20181102 000000', '20181103 000000'),
      /^No answer: 2 objects could not be read:/,
    );
    await drawn(0);
  });

  it('draws nothing of what is too much, and says what is', async () => {
    const most = 'bytes: 200000000';
    assert.match(
      await withNumber(most, 'bytes: 1000', () => answerTo(SHORT.plant, '', ...DAY)),
      /^Nothing drawn: [\d,]+ bytes are more than the 1,000 that are read for a chart\. Choose a shorter time/,
    );
    assert.match(
      await withNumber('objects: 10000', 'objects: 2', () =>
        answerTo(LONG.plant, '', '20181001 000000', '20181004 000000'),
      ),
      /^Nothing drawn: 3 objects are more than the 2 /,
    );
    await drawn(0);
    assert.match(
      await withNumber('MAX_DEVICES = 50', 'MAX_DEVICES = 2', () => answerTo(SHORT.plant, '', ...DAY)),
      /^Nothing drawn: more than 2 devices/,
    );
    await drawn(0);
  });

  it('says that there is nothing, and what is wrong with a question, and answers the next', async () => {
    assert.match(await answerTo(SHORT.plant, 'D99', ...DAY), /^Nothing found/);
    assert.match(await answerTo(EMPTY, '', ...DAY), /^Nothing found: this plant has no spots/);
    assert.match(
      await answerTo('plant-unknown', '', ...DAY),
      /^Nothing found: there is no object of this plant\..*plant-unknown/,
    );
    assert.match(await answerTo(SHORT.plant, '', 'yesterday', DAY[1]), /^No answer: from is no time/);
    assert.match(await answerTo(SHORT.plant, 'D1', ...DAY), /^40 spots, all drawn/);
    assert.deepEqual(await devicesDrawn(40), ['D1']);
  });

  it('refreshes its lists for the time that is filled in, with what is new', async () => {
    await writeSpots(archive, [NEW]);
    await fillIn('', '', ...DAY);
    await refreshed('Plants: 3, devices: 6,');
    assert.deepEqual(await open('Plant'), [LONG.plant, NEW.plant, SHORT.plant]);
    await close('Escape');

    const denied = { kind: 'status', status: 403, code: 'AccessDenied' } as const;
    archive.server.faults.add({ ...denied, match: ({ operation }) => operation === 'ListBuckets' });
    await refreshed('No lists, but plant and devices can be typed: The store denies access');
    assert.match(await answerTo(NEW.plant, 'D1', ...DAY), /^1 spot, all drawn/);
  });

  it('says that the store is away', async () => {
    await archive.server.stop();
    assert.match(await answerTo(SHORT.plant, '', ...DAY), /^No answer: .*(connect|reach)/i);
    assert.ok(nodeRed.running);
    assert.deepEqual(errors, []);
  });
});

/** A store with plants, some of whose objects are damaged, and with other buckets. */
async function startArchive(): Promise<TestStore> {
  const store = await startTestStore();
  await writeSpots(store, [SHORT, LONG, DAMAGED]);
  await damage(store);
  for (const bucket of [EMPTY, FOREIGN]) await store.createBucket(bucket);
  await store.store.put(FOREIGN, 'dt=20181001/dump.gz', Buffer.from('x'), {
    contentType: 'application/gzip',
    attributes: {},
  });
  return store;
}

/** Has s3-batch-out fill buckets with spots of several devices, whose voltages go up and down. */
async function writeSpots(store: TestStore, plants: readonly Plant[]): Promise<void> {
  const flow = new FlowRunner();
  await flow.load([tab(), connection(store.server.url), weldingLayout(), batchOut({ blockSize: '1' })]);
  for (const { plant, devices, days, spots } of plants) {
    await store.createBucket(bucketOf(plant));
    for (const day of days)
      for (let spot = 0; spot < spots; spot++)
        for (const [number, device] of devices.entries()) {
          const at = new Date(spot * 30_000).toISOString().slice(11, 19).replaceAll(':', '');
          const wave = 1.4 + number / 5 + 0.1 * Math.sin(spot / 8 + number) + ((spot * 37) % 11) / 200;
          const extreme = day === days[0] && plant === LONG.plant ? { 701: PEAK, 702: DIP }[spot] : undefined;
          const Voltage = extreme ?? Math.round(wave * 1000) / 1000;
          flow.give('out', weld(plant, device, `${day} ${at}`, { Voltage }));
        }
  }
  await flow.send('out', { flush: true });
  await flow.unload();
  flow.check();
}

/** A bit of a block is turned round, the end of an object is cut off, an offset index becomes garbage. */
async function damage({ store }: TestStore): Promise<void> {
  const [, block, cut, index] = await objectsIn(store, DAMAGED.plant);
  assert.ok(block && cut && index);
  const put = (key: string, bytes: Buffer, attributes: Record<string, string>): Promise<unknown> =>
    store.put(DAMAGED.plant, key, bytes, { contentType: 'application/gzip', attributes });
  block.bytes.writeUInt8(block.bytes.readUInt8(40) ^ 1, 40);
  await put(block.key, block.bytes, block.attributes);
  await put(cut.key, cut.bytes.subarray(0, 100), cut.attributes);
  // Attributes may hold the whole index.
  await put(index.key, index.bytes.fill('garbage', index.bytes.length - 400, index.bytes.length - 86), {});
}

/** The bucket that the layout gives to a plant. */
function bucketOf(plant: string): string {
  return plant.toLowerCase();
}

/** How many requests the status says a question took. */
function requestsIn(status: string): number {
  return Number(/([\d,]+) requests/.exec(status)?.[1]?.replaceAll(',', ''));
}

/** The points of all records of a plant, in the order of time. */
async function scan({ store }: TestStore, plant: string): Promise<Point[]> {
  const records = await recordsIn(store, bucketOf(plant));
  const points = records.map(({ topic, time, payload }) => {
    const { weldspot } = JSON.parse(payload.toString()) as { weldspot: { Voltage: number } };
    return { device: topic.split('/')[4] ?? '', time, voltage: weldspot.Voltage };
  });
  return points.sort((a, b) => a.time - b.time);
}

/** The first lowest and the first highest point of each interval, in the order of time. */
function thinned(points: Point[], width: number): [number, number][] {
  const intervals = new Map<number, Point[]>();
  for (const point of points) {
    const interval = Math.floor(point.time / width);
    intervals.set(interval, [...(intervals.get(interval) ?? []), point]);
  }
  return [...intervals.values()].flatMap((some) => {
    const low = some.reduce((a, b) => (b.voltage < a.voltage ? b : a));
    const high = some.reduce((a, b) => (b.voltage > a.voltage ? b : a));
    return [...new Set([low, high])]
      .sort((a, b) => a.time - b.time)
      .map(({ time, voltage }): [number, number] => [time, voltage]);
  });
}
