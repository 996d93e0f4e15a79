import assert from 'node:assert/strict';
import path from 'node:path';

import type { Browser, Locator } from 'playwright-core';

import { Archive, DAY, LAYOUT, message } from '../lib/query/archive';
import { startTestStore, type TestStore } from '../support/embedded';
import { connection, offsetIndex, rangeIn, tab, weldingLayout } from '../support/flow';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const PLANTS = ['plant-1', 'plant-2'];
const DEVICES = ['WELDER-01', 'WELDER-02', 'WELDER-03'];

/** What the tests ask of the editor's global `RED`. */
interface EditorApi {
  actions: { invoke(action: string): void };
  nodes: { node(id: string): Record<string, unknown> | null; dirty(): boolean };
  view: { select(selection: object): void };
}

/** Colours as a dark theme sets them: what does not follow stands out in the picture. */
const DARK = `:root {
  --red-ui-primary-background: #1f2329; --red-ui-secondary-background: #15181c; --red-ui-tertiary-background: #2a2f36;
  --red-ui-primary-text-color: #d5d9de; --red-ui-secondary-text-color: #9aa3ad; --red-ui-header-text-color: #eee;
  --red-ui-text-color-error: #ff8080; --red-ui-text-color-link: #6bb8ff; --red-ui-list-item-color: #d5d9de;
  --red-ui-list-item-background-hover: #2a2f36; --red-ui-list-item-background-selected: #1d4368;
  --red-ui-primary-border-color: #3a414a; --red-ui-secondary-border-color: #2e343b;
  --red-ui-form-text-color: #d5d9de; --red-ui-form-input-background: #15181c; --red-ui-form-input-border-color: #3a414a;
  --red-ui-workspace-button-background: #2a2f36; --red-ui-workspace-button-color: #d5d9de;
  --red-ui-workspace-button-background-hover: #353b44; --red-ui-workspace-button-background-active: #40464f;
}`;

describe('the object browser in the sidebar', () => {
  let store: TestStore;
  let archive: Archive;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;
  let sidebar: Locator;

  before(async () => {
    store = await startTestStore();
    // Two days of two plants with three welders each; two objects a day.
    const welds = Array.from({ length: 80 }, (_, number) =>
      PLANTS.flatMap((plant) =>
        DEVICES.map((device) =>
          message(plant, device, Math.floor(number / 40) * (DAY / 1000) + 36_000 + (number % 40) * 90, {
            SpotName: `spot ${number}`,
            Voltage: [1.5, 12.25, number],
            id: '12345678901234567890',
          }),
        ),
      ),
    ).flat();
    archive = await Archive.of(welds, { count: 60, blockSize: 2048 });
    for (const bucket of PLANTS) {
      await store.createBucket(bucket);
      for (const key of archive.store.keys(bucket)) {
        const { attributes, contentType = '' } = await archive.store.head(bucket, key);
        await store.store.put(bucket, key, archive.store.body(bucket, key), { contentType, attributes });
      }
    }
    await store.store.put(
      'plant-2',
      'notes/<img src=x onerror=alert(1)>.txt',
      Buffer.from('no object of ours'),
      {
        contentType: 'text/plain',
        attributes: {},
      },
    );
    const plain = { contentType: 'text/plain', attributes: {} };
    const many = Array.from({ length: 55 }, (_, number) => `many/${String(number).padStart(2, '0')}`);
    await Promise.all(many.map((key) => store.store.put('plant-2', key, Buffer.from('x'), plain)));
    store.server.stats.reset();
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    const { time, ...layout } = LAYOUT;
    assert.equal(time?.source, 'field');
    await nodeRed.deploy([
      tab(),
      connection(store.server.url),
      weldingLayout({ ...layout, timeField: 't', timeFormat: 'yyyyMMdd HHmmss', compressedLevel: '' }),
      offsetIndex({ name: 'the index', x: 300, y: 200 }),
      offsetIndex({
        id: 'by-device',
        name: 'by device',
        x: 300,
        y: 300,
        levels: [{ level: 'PLANT', value: 'plant-2', valueType: 'str' }],
        from: '20181002 100000',
        fromType: 'str',
      }),
      rangeIn({ x: 300, y: 400, bucket: 'plant-2', bucketType: 'str' }),
    ]);
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed);
    await run(({ RED }) => RED.actions.invoke('s3-batch:show-object-browser'));
    sidebar = editor.page.locator('.s3-browser');
    await sidebar.waitFor();
  });

  after(async () => {
    // What has not been set has not been started, because a step before it failed.
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await (store as TestStore | undefined)?.stop();
  });

  async function run<T>(work: (editorGlobal: { RED: EditorApi }) => T): Promise<T> {
    return editor.page.evaluate<T>(`(${work.toString()})(globalThis)`);
  }

  async function node(id: string): Promise<Record<string, unknown>> {
    return editor.page.evaluate((wanted) => {
      const found = (globalThis as unknown as { RED: EditorApi }).RED.nodes.node(wanted) ?? {};
      const names = ['bucket', 'key', 'series', 'from', 'to', 'connection', 'layout', 'levels', 'changed'];
      return Object.fromEntries(names.map((name) => [name, found[name]]));
    }, id);
  }

  const rows = (): Locator => sidebar.getByRole('treeitem');
  const rowOf = (text: string | RegExp): Locator =>
    rows().filter({ has: editor.page.locator('> .s3-browser-row', { hasText: text }) });
  const twisty = (text: string | RegExp): Locator =>
    rowOf(text).first().locator('> .s3-browser-row .s3-browser-twisty');
  const choose = async (text: string | RegExp): Promise<void> =>
    rowOf(text).first().locator('> .s3-browser-row').click();
  const details = (): Locator => sidebar.locator('.s3-browser-details');

  it('asks nothing until it is told to, and is translated', async () => {
    assert.equal(store.server.stats.requests, 0);
    const words = await editor.page.locator('#red-ui-sidebar').innerText();
    assert.doesNotMatch(words, /object-browser\.[a-z]+/);
    assert.match(words, /Press “List”/);
  });

  it('walks from the buckets to the bytes of a record', async () => {
    await sidebar.getByRole('button', { name: 'List' }).click();
    await rowOf('plant-1').waitFor();
    assert.deepEqual(await sidebar.locator('.s3-browser-label').allInnerTexts(), PLANTS);
    await choose('plant-1');
    await rowOf('dt=2018-10-01').waitFor();
    await choose('dt=2018-10-01');
    await rowOf(/60 records/)
      .first()
      .waitFor();
    await editor.screenshot('browser-objects');
    await choose(/60 records/);
    await details().getByRole('table').waitFor();
    assert.match(await details().innerText(), /Offset key\s+DEVICE\/TYPE\/t/);
    await editor.screenshot('browser-map');
    await choose('WELDER-01/WELD');
    await rowOf(/^10:01:30/).waitFor();
    await choose(/^10:01:30/);
    await details().locator('pre').waitFor();
    const shown = await details().locator('pre').innerText();
    assert.match(shown, /^\{\n {2}"t": "20181001 100130",\n {2}"SpotName": "spot 1",/);
    const facts = await details().locator('dl').innerText();
    assert.match(facts, /plant-1\/WELDER-01\/WELD/);
    await editor.screenshot('browser-light');
    await details().getByRole('button', { name: 'Hex' }).click();
    assert.match(await details().locator('pre').innerText(), /^0000 {2}7b 22 74 22/);
    await details().getByRole('button', { name: 'JSON' }).click();
    const dark = await editor.page.addStyleTag({ content: DARK });
    await editor.screenshot('browser-dark');
    await dark.evaluate((style) => (style as unknown as { remove(): void }).remove());
    assert.match(
      await editor.page.locator('.s3-browser-cost').innerText(),
      /^2 requests, [\d.]+ k?B · all: \d+ requests, [\d.]+ k?B$/,
    );
  });

  it('shows what is not ours as it is, and runs nothing that a name says', async () => {
    await choose('plant-2');
    await choose('notes');
    const row = rowOf('onerror');
    await row.first().waitFor();
    await row.first().locator('> .s3-browser-row').click();
    await details().getByRole('alert').waitFor();
    assert.match(
      await details().innerText(),
      /has no offset index.*It was not written by .*\(OBJECT_FOREIGN\)/s,
    );
    assert.equal(await sidebar.locator('img').count(), 0);
  });

  it('fetches more of a long folder when it is asked to', async () => {
    await choose('many');
    await rowOf('more…').waitFor();
    const inMany = rowOf('many').getByRole('treeitem');
    assert.equal(await inMany.count(), 51);
    await rowOf('more…').focus();
    await editor.page.keyboard.press('Enter');
    await rowOf(/^54/).waitFor();
    assert.equal(await inMany.count(), 55);
    assert.match(await editor.page.locator(':focus').innerText(), /^50/);
  });

  it('can be used with the keyboard alone', async () => {
    const focused = async (): Promise<string> =>
      editor.page.evaluate(() => {
        const row = document.activeElement?.querySelector('.s3-browser-label') ?? document.activeElement;
        return row?.textContent ?? '';
      });
    const press = async (key: string, count = 1): Promise<string> => {
      for (let i = 0; i < count; i++) await editor.page.keyboard.press(key);
      return focused();
    };
    await sidebar.getByRole('button', { name: 'List' }).click();
    await rowOf('plant-1').waitFor();
    await sidebar.getByRole('button', { name: 'Open' }).focus();
    assert.equal(await press('Tab'), 'plant-1');
    await press('ArrowRight');
    await rowOf('dt=2018-10-01').waitFor();
    assert.equal(await press('ArrowDown', 2), 'dt=2018-10-02');
    assert.equal(await press('Enter'), 'dt=2018-10-02');
    assert.equal(await rowOf('dt=2018-10-02').getAttribute('aria-selected'), 'true');
    await rowOf(/60 records/)
      .first()
      .waitFor();
    assert.match(await press('ArrowRight'), /^10:00:00 – 10:28:30 · 60 records/);
    assert.equal(await press('ArrowLeft'), 'dt=2018-10-02');
    await press('ArrowLeft');
    assert.equal(await rowOf('dt=2018-10-02').getAttribute('aria-expanded'), 'false');
    assert.equal(await press('Home'), 'plant-1');
    assert.equal(await press('End'), 'plant-2');
    assert.equal(await rows().locator('xpath=self::*[@tabindex="0"]').count(), 1);
  });

  it('sets the query of an offset-index by a click, as an edit that can be undone', async () => {
    const before = await node('index');
    await sidebar.getByRole('button', { name: 'List' }).click();
    assert.equal(await run(({ RED }) => RED.nodes.dirty()), false);
    await choose('plant-1');
    await choose('dt=2018-10-01');
    await rowOf(/60 records/)
      .first()
      .waitFor();
    await twisty(/60 records/).click();
    await choose('WELDER-01/WELD');
    await rowOf(/^10:03:00/).waitFor();
    await choose(/^10:03:00/);
    await sidebar.getByLabel('offset-index').selectOption({ label: 'the index' });
    await sidebar.getByRole('button', { name: 'Set its query' }).click();
    const [key] = archive.store.keys('plant-1');
    assert.deepEqual(await node('index'), {
      bucket: 'plant-1',
      key,
      series: 'WELDER-01/WELD',
      from: '2018-10-01T10:03:00.000Z',
      to: '2018-10-01T10:03:00.000Z',
      connection: 'connection',
      layout: 'layout',
      levels: [],
      changed: true,
    });
    assert.equal(await run(({ RED }) => RED.nodes.dirty()), true);
    const form = await editor.openDialog('index');
    assert.equal(await form.locator('#node-input-key').inputValue(), key);
    assert.equal(await form.locator('#node-input-fromType').inputValue(), 'str');
    await editor.closeDialog();
    await run(({ RED }) => RED.actions.invoke('core:undo'));
    assert.deepEqual(await node('index'), { ...before, changed: false });
    assert.equal(await run(({ RED }) => RED.nodes.dirty()), false);
  });

  it('looks up what an offset-index asks for', async () => {
    await sidebar.getByLabel('offset-index').selectOption({ label: 'by device' });
    await sidebar.getByRole('button', { name: 'Look its query up' }).click();
    const day = rowOf('plant-2').locator('[aria-selected="true"]');
    await day.waitFor();
    assert.match(await day.innerText(), /^\s*dt=2018-10-02/);
    assert.equal(await sidebar.getByLabel('Layout').inputValue(), 'layout');
    await sidebar.getByRole('button', { name: 'Set its query' }).click();
    assert.equal((await node('by-device')).from, '2018-10-02T00:00:00.000Z');
    await sidebar.getByLabel('offset-index').selectOption({ label: 'the index' });
    await sidebar.getByRole('button', { name: 'Look its query up' }).click();
    const refused = editor.page
      .locator('.red-ui-notification-error', { hasText: 'CONNECTION' })
      .or(editor.page.locator('.red-ui-notification-error', { hasText: 'QUERY_INVALID' }));
    await refused.first().waitFor();
  });

  it('opens from a dialogue, at its connection and bucket, and gives it the keyboard', async () => {
    const focused = (): Locator => editor.page.locator('.s3-browser-tree li:focus > .s3-browser-row');
    // By the keyboard alone; the bucket of this node is told by messages.
    const dialogue = await editor.openDialog('index');
    const look = dialogue.getByRole('button', { name: 'Look into the archive' });
    await look.focus();
    await look.press('Enter');
    await focused().getByText('plant-1').waitFor();
    assert.equal(await sidebar.getByLabel('Connection').inputValue(), 'connection');
    assert.equal(await sidebar.getByLabel('Layout').inputValue(), 'layout');
    await editor.closeDialogs();

    const range = await editor.openDialog('range');
    await sidebar.getByRole('button', { name: 'List' }).focus();
    await range.getByRole('button', { name: 'Look into the archive' }).click();
    await focused().getByText('plant-2').waitFor();
    await rowOf('dt=2018-10-01').waitFor();
    assert.equal(await sidebar.getByLabel('Layout').inputValue(), '');
    await editor.screenshot('browser-beside-dialogue');
    // It can be used beside the dialogue, but must not change what that is going to write.
    await choose('dt=2018-10-01');
    await sidebar.getByLabel('offset-index').selectOption({ label: 'the index' });
    await sidebar.getByRole('button', { name: 'Set its query' }).click();
    await editor.page
      .locator('.red-ui-notification-error', { hasText: 'Close the dialogue first' })
      .waitFor();
    await editor.closeDialogs();
  });

  it('goes on with a bucket that is typed in when buckets may not be listed, and tells of failures', async () => {
    const allow = store.server.faults.add({
      kind: 'status',
      status: 403,
      code: 'AccessDenied',
      match: ({ operation }) => operation === 'ListBuckets',
    });
    await sidebar.getByRole('button', { name: 'List' }).click();
    await rowOf('Open a bucket by its name above').waitFor();
    await sidebar.getByLabel('Bucket', { exact: true }).fill('plant-1');
    await sidebar.getByLabel('Bucket', { exact: true }).press('Enter');
    await rowOf('dt=2018-10-01').waitFor();
    await sidebar.getByLabel('Bucket', { exact: true }).fill('nowhere');
    await sidebar.getByRole('button', { name: 'Open' }).click();
    await rowOf(/The bucket does not exist.*Create it, or correct its name.*\(BUCKET_MISSING\)/s)
      .first()
      .waitFor();
    await editor.screenshot('browser-failure');
    allow();
  });

  it('has logged no errors in the browser but for what was refused', () => {
    assert.deepEqual(
      editor.errors.filter((error) => !/\b(?:400|502)\b.*s3-batch\/browse/s.test(error)),
      [],
    );
  });
});
