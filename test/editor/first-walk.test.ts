import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Browser, Locator } from 'playwright-core';

import { type Broker, startBroker } from '../../demo/embedded';
import { packRepository } from '../matrix/install';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { until } from '../support/fake-clock';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const PACKAGE = 'node-red-contrib-s3-batch';
const EXAMPLE = 'welding-plant';
const BUCKETS = ['plant-1', 'plant-2', 'plant-3'];

/** What a person does in one step of the walk, as counted. */
interface Step {
  name: string;
  seconds: number;
  clicks: number;
  fields: number;
}

/**
 * The way of a new user, each step where the one before left off: from an empty Node-RED by the palette to objects in a
 * store, and back to single messages.
 */
describe('a first walk through the editor', function () {
  // Each step needs the one before.
  this.bail(true);
  const steps: Step[] = [];
  let step: Step;
  let folder: string;
  let broker: Broker;
  let store: TestStore;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-walk-'));
    broker = await startBroker(0);
    store = await startTestStore();
    // The doctor makes the first one.
    for (const bucket of BUCKETS.slice(1)) await store.createBucket(bucket);
    nodeRed = await startNodeRed();
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed);
  });

  after(async () => {
    for (const { name, seconds, clicks, fields } of steps)
      console.log(`    ${name}: ${seconds.toFixed(1)} s, ${clicks} clicks, ${fields} fields`);
    // What has not been set has not been started, because a step before it failed.
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await (store as TestStore | undefined)?.stop();
    await (broker as Broker | undefined)?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(function () {
    step = { name: this.currentTest?.title ?? '', seconds: performance.now(), clicks: 0, fields: 0 };
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await editor.screenshot('walk-failed');
    step.seconds = (performance.now() - step.seconds) / 1000;
    steps.push(step);
  });

  const find = (selector: string): Locator => editor.page.locator(selector);
  const button = (name: string | RegExp): Locator =>
    editor.page.getByRole('button', { name }).locator('visible=true').last();

  async function click(what: Locator, times = 1): Promise<void> {
    step.clicks += times;
    if (times === 2) await what.dblclick();
    else await what.click();
  }

  async function fill(what: Locator, text: string): Promise<void> {
    step.fields++;
    await what.fill(text);
  }

  /** Chooses an entry of the editor's main menu. */
  async function chooseInMenu(id: string): Promise<void> {
    await click(find('#red-ui-header-button-sidemenu'));
    await click(find(`#${id}`));
  }

  /** A node on the canvas, once it is there, by its type and, when there are several, its name. */
  async function node(type: string, name?: string): Promise<Locator> {
    let found: { id: string } | undefined;
    await until(`a node ${type} ${name ?? ''}`, async () => {
      found = (await editor.nodes()).find((one) => one.type === type && (name ?? one.name) === one.name);
      return found !== undefined;
    });
    return find(`[id="${found?.id ?? ''}"]`);
  }

  /** Opens a node's dialogue, and from it that of a settings node that it uses. */
  async function openSettings(type: string, property: string): Promise<void> {
    await click((await node(type)).locator('.red-ui-flow-node'), 2);
    await editor.trayAtRest();
    await click(find(`#node-input-btn-${property}-edit`));
    await editor.trayAtRest();
  }

  /** Accepts the dialogue of a settings node, and that of the node below it. */
  async function done(): Promise<void> {
    await click(find('#node-config-dialog-ok'));
    await find('#node-config-dialog-ok').waitFor({ state: 'hidden' });
    await editor.trayAtRest();
    await click(find('#node-dialog-ok'));
    await find('#node-dialog-ok').waitFor({ state: 'hidden' });
  }

  it('installs the package by upload', async () => {
    const tarball = await packRepository(REPOSITORY, folder);
    await chooseInMenu('menu-item-edit-palette');
    await click(find('#red-ui-settings-tab-palette').getByText('Install', { exact: true }));
    step.clicks++; // the button that opens the file chooser
    await find('#red-ui-palette-editor-upload-form input[type=file]').setInputFiles(tarball);
    await click(find('.red-ui-palette-editor-upload-buttons button.primary'));
    await find('.red-ui-palette-node[data-palette-type="s3-batch-out"]').waitFor({
      state: 'attached',
      timeout: 110_000,
    });
    await click(button('Close'));
  });

  it('imports an example', async () => {
    await chooseInMenu('menu-item-import');
    await click(find('#red-ui-clipboard-dialog').getByRole('link', { name: 'Examples' }));
    const examples = find('#red-ui-clipboard-dialog-import-tab-examples');
    await click(examples.getByText(PACKAGE, { exact: true }));
    await click(examples.getByText(EXAMPLE, { exact: true }));
    await click(find('#red-ui-clipboard-dialog-ok'));
    await click(find('#red-ui-workspace-tabs').getByText('Welding plant'));
    await (await node('batch-flush')).waitFor();
    await editor.screenshot('walk-imported');
  });

  it('says where the broker is', async () => {
    await openSettings('mqtt in', 'broker');
    await fill(find('#node-config-input-port'), String(broker.port));
    await done();
  });

  it('fills in the connection, and has the doctor try it', async () => {
    await openSettings('s3-batch-out', 'connection');
    await fill(find('#node-config-input-endpoint'), store.server.url);
    await fill(find('#node-config-input-accessKeyId'), KEYS.accessKey);
    await fill(find('#node-config-input-secretAccessKey'), KEYS.secretKey);
    await fill(find('#s3-connection-doctor-bucket'), 'plant-1');
    await click(find('#s3-connection-doctor-create'));
    await click(find('#s3-connection-doctor-start'));
    await find('#s3-connection-doctor-start').waitFor({ state: 'hidden' });
    await find('#s3-connection-doctor-start').waitFor();
    assert.match(await find('#s3-connection-doctor-status').innerText(), /^0 failed/);
    await editor.screenshot('walk-doctor');
    await done();
  });

  it('deploys', async () => {
    step.clicks++;
    await editor.deploy();
    const status = (await node('s3-batch-out')).locator('.red-ui-flow-node-status-label');
    // So that every station has welded.
    await status.filter({ hasText: /([6-9]\d|\d{3}) records/ }).waitFor();
    await editor.screenshot('walk-deployed');
  });

  it('stores what came so far', async () => {
    await click((await node('batch-flush')).locator('.red-ui-flow-node-button-button'));
    const status = (await node('s3-batch-out')).locator('.red-ui-flow-node-status-label');
    await status.filter({ hasText: /\d stored/ }).waitFor();
  });

  it('gets the messages of one station back', async () => {
    await click(find('#red-ui-sidebar a[href="#debug"]').locator('visible=true'));
    await click(
      (await node('inject', 'PLANT-1, WELDING-STATION-3')).locator('.red-ui-flow-node-button-button'),
    );
    await find('.red-ui-debug-msg').filter({ hasText: 'WELDING-STATION-3' }).first().waitFor();
    await editor.screenshot('walk-messages');
  });

  it('looks into the objects', async () => {
    await editor.page.evaluate(() => {
      const { RED } = globalThis as unknown as { RED: { actions: { invoke(name: string): void } } };
      RED.actions.invoke('s3-batch:show-object-browser');
    });
    step.clicks += 2; // the list of the sidebar's tabs, and the one in it
    const sidebar = find('.s3-browser');
    await click(sidebar.getByRole('button', { name: 'List' }));
    const row = (text: string | RegExp): Locator => sidebar.locator('.s3-browser-row', { hasText: text });
    await click(row('plant-1'));
    await click(row(/^dt=/).first());
    await click(row(/\d+ records/).first());
    await sidebar.locator('.s3-browser-details').getByRole('table').waitFor();
    await editor.screenshot('walk-browser');
  });

  it('has logged no errors in the browser', () => {
    assert.deepEqual(editor.errors, []);
  });
});
