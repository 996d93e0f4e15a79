import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { installed } from '../matrix/install';
import { recordsIn, weld } from '../nodes/archive';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { batchOut, connection, tab, weldingLayout } from '../support/flow';
import { until } from '../support/fake-clock';
import { FlowRunner } from '../support/node-red-helper';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const DASHBOARD = '@flowfuse/node-red-dashboard@1.31.0';
/** Kept between runs. */
const FOLDER = path.join(REPOSITORY, 'test-output', 'dashboard');
/** More spots of a device than are drawn one by one, on three days and so in three objects. */
const LONG = {
  plant: 'plant-long',
  devices: ['D1', 'D2'],
  days: ['20181001', '20181002', '20181003'],
  spots: 1500,
};
const SHORT = { plant: 'plant-short', devices: ['D1', 'D2', 'D10'], days: ['20181001'], spots: 40 };
const PEAK = 9.75;
const DIP = 0.125;

interface Point {
  device: string;
  time: number;
  voltage: number;
}

/** What is drawn: the series of the ECharts instance that the Dashboard's chart has. */
interface Drawn {
  useUTC: boolean;
  series: { name: string; data: [number, number][] }[];
}

describe('the example voltage-chart', function () {
  this.timeout(180_000);
  // Each step goes on where the one before it left the page.
  this.bail(true);
  let archive: TestStore;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let page: Page;

  before(async () => {
    await installed(FOLDER, [DASHBOARD], process.execPath);
    archive = await startArchive();
    nodeRed = await startNodeRed({
      packageFolder: REPOSITORY,
      settings: { nodesDir: [REPOSITORY, path.join(FOLDER, 'node_modules', '@flowfuse')] },
    });
    browser = await launchBrowser();
  });

  after(async () => {
    // What has not been set has not been started, because a step before it failed.
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await (archive as TestStore | undefined)?.stop();
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed' && (page as Page | undefined) !== undefined)
      await shoot('failed');
  });

  async function shoot(name: string): Promise<void> {
    const close = page.getByRole('button', { name: 'Close' });
    if (await close.isVisible()) await close.click();
    await page.screenshot({ path: path.join(REPOSITORY, `test-output/editor/voltage-chart-${name}.png`) });
  }

  /** Fills in the question and presses the button, by keyboard alone. Answers all that the status says, the end last. */
  async function ask(plant: string, devices: string, from: string, to: string): Promise<string[]> {
    await page.getByLabel('Plant').focus();
    for (const text of [plant, devices, from, to]) {
      await page.keyboard.press('Control+A');
      await page.keyboard.press('Delete');
      await page.keyboard.type(text);
      await page.keyboard.press('Tab');
    }
    await page.evaluate(() => {
      const status = document.querySelector('[role=status]');
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
    let said: string[] = [];
    await until('an answer', async () => {
      said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
      return /^(?!Looking|Found|Fetching)./.test(said.at(-1) ?? '');
    });
    return said;
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

  it('is imported, connected and deployed', async () => {
    const editor = await Editor.open(browser, nodeRed);
    const imported = await editor.importExample('node-red-contrib-s3-batch', 'voltage-chart');
    const s3 = imported.find(({ type }) => type === 's3-connection');
    assert.ok(s3);
    const form = await editor.openDialog(s3.id);
    await form.locator('#node-config-input-endpoint').fill(archive.server.url);
    await form.locator('#node-config-input-accessKeyId').fill(KEYS.accessKey);
    await form.locator('#node-config-input-secretAccessKey').fill(KEYS.secretKey);
    await editor.closeDialog({ keep: true });
    await editor.deploy();
    await editor.screenshot('voltage-chart-flow');
    await editor.close();
  });

  it('draws a line for each device, with the voltages that a scan of all objects finds', async () => {
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 }, timezoneId: 'Asia/Tokyo' });
    await page.goto(`${nodeRed.url}/dashboard/voltage`);
    const before = archive.server.stats.requests;
    const status = await answerTo(SHORT.plant, '', '20181001 000000', '20181002 000000');
    assert.equal(requestsIn(status), archive.server.stats.requests - before);
    assert.match(
      status,
      /^120 spots, all drawn\. 1 of 1 objects listed, \d+ requests, [\d,]+ bytes; downloading these objects: [\d,]+ bytes\.$/,
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
    const status = await answerTo(SHORT.plant, 'D10, D2', '20181001 000000', '20181002 000000');
    assert.match(status, /^80 spots, all drawn/);
    const { series } = await drawn(80);
    assert.deepEqual(
      series.map(({ name }) => name),
      ['D2', 'D10'],
    );
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
    await answerTo(SHORT.plant, '', '20181001 000000', '20181002 000000');
    await drawn(120);
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
        '.voltage-form button',
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
    }
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('says that there is nothing, and what is wrong with a question, and answers the next', async () => {
    assert.match(await answerTo(SHORT.plant, 'D99', '20181001 000000', '20181002 000000'), /^Nothing found/);
    assert.match(
      await answerTo('plant-unknown', '', '20181001 000000', '20181002 000000'),
      /^No answer: .*plant-unknown/,
    );
    assert.match(
      await answerTo(SHORT.plant, '', 'yesterday', '20181002 000000'),
      /^No answer: from is no time/,
    );
    assert.match(
      await answerTo(SHORT.plant, 'D1', '20181001 000000', '20181002 000000'),
      /^40 spots, all drawn/,
    );
    assert.deepEqual(
      (await drawn(40)).series.map(({ name }) => name),
      ['D1'],
    );
  });

  it('says that the store is away', async () => {
    await archive.server.stop();
    assert.match(
      await answerTo(SHORT.plant, '', '20181001 000000', '20181002 000000'),
      /^No answer: .*(connect|reach)/i,
    );
    assert.ok(nodeRed.running);
  });
});

/** A store that s3-batch-out has filled with spots of several devices, whose voltages go up and down. */
async function startArchive(): Promise<TestStore> {
  const store = await startTestStore();
  const flow = new FlowRunner();
  await flow.load([tab(), connection(store.server.url), weldingLayout(), batchOut({ blockSize: '1' })]);
  for (const { plant, devices, days, spots } of [SHORT, LONG]) {
    await store.createBucket(plant);
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
  return store;
}

/** How many requests the status says a question took. */
function requestsIn(status: string): number {
  return Number(/([\d,]+) requests/.exec(status)?.[1]?.replaceAll(',', ''));
}

/** The points of all records of a bucket, in the order of time. */
async function scan({ store }: TestStore, bucket: string): Promise<Point[]> {
  const records = await recordsIn(store, bucket);
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

/** A component, or an element, as Vue has drawn it. */
interface VNode {
  component?: {
    proxy?: { $options?: { name?: string }; chart?: { getOption(): Drawn } };
    subTree?: VNode;
  } | null;
  suspense?: { activeBranch?: VNode } | null;
  children?: unknown;
}

/** Runs in the page. The Dashboard gives no way to its chart: it is looked for in the components that Vue has drawn. */
function chartInPage(): Drawn | undefined {
  const root = (document.querySelector('#app') as unknown as { _vnode?: VNode } | null)?._vnode;
  const left: unknown[] = [root];
  while (left.length > 0) {
    const node = left.pop();
    if (typeof node !== 'object' || node === null) continue;
    const { component, suspense, children } = node as VNode;
    const proxy = component?.proxy;
    if (proxy?.$options?.name === 'DBUIChart' && proxy.chart) {
      const { useUTC, series } = proxy.chart.getOption();
      return {
        useUTC,
        series: series.map(({ name, data }) => ({ name, data: data.map(([x, y]) => [x, y]) })),
      };
    }
    left.push(
      component?.subTree,
      suspense?.activeBranch,
      ...(Array.isArray(children) ? (children as unknown[]) : []),
    );
  }
  return undefined;
}

/** Strong colours, other than grey, that many pixels of the chart have. */
async function colours(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector('canvas');
    const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const counts = new Map<string, number>();
    for (let i = 0; i < pixels.length; i += 4) {
      const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.slice(i, i + 4);
      if (alpha < 255 || Math.max(red, green, blue) - Math.min(red, green, blue) < 60) continue;
      const colour = `${red},${green},${blue}`;
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    return [...counts.values()].filter((count) => count > 50).length;
  });
}

/** The contrast of a text with what is behind it, as WCAG 2 reckons it. */
async function contrast(page: Page, selector: string): Promise<number> {
  return page.evaluate((where) => {
    const parts = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (rgb: number[]): number => {
      const [r = 0, g = 0, b = 0] = rgb.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const element = document.querySelector(where);
    if (element === null) throw new Error(`no ${where}`);
    let behind: number[] = [255, 255, 255];
    for (let one: Element | null = element; one; one = one.parentElement) {
      const ground = parts(getComputedStyle(one).backgroundColor);
      if (ground[3] === 0) continue;
      behind = ground;
      break;
    }
    const [r = 0, g = 0, b = 0, alpha = 1] = parts(getComputedStyle(element).color);
    const text = [r, g, b].map((part, i) => part * alpha + (behind[i] ?? 0) * (1 - alpha));
    const [a, c] = [luminance(text), luminance(behind.slice(0, 3))];
    return (Math.max(a, c) + 0.05) / (Math.min(a, c) + 0.05);
  }, selector);
}
