import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { installed } from '../matrix/install';
import { type WeldingArchive, startWeldingArchive } from '../nodes/welding-archive';
import { KEYS } from '../support/embedded';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const DASHBOARD = '@flowfuse/node-red-dashboard@1.31.0';
/** Kept between runs. */
const FOLDER = path.join(REPOSITORY, 'test-output', 'dashboard');

describe('the example voltage-chart', function () {
  this.timeout(180_000);
  let archive: WeldingArchive;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let page: Page;

  before(async () => {
    await installed(FOLDER, [DASHBOARD], process.execPath);
    archive = await startWeldingArchive();
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
    await (archive as WeldingArchive | undefined)?.stop();
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'failed' || (page as Page | undefined) === undefined) return;
    await page.screenshot({ path: path.join(REPOSITORY, 'test-output/editor/voltage-chart-failed.png') });
  });

  it('is imported, connected and deployed', async () => {
    const editor = await Editor.open(browser, nodeRed);
    const imported = await editor.importExample('node-red-contrib-s3-batch', 'voltage-chart');
    const connection = imported.find(({ type }) => type === 's3-connection');
    assert.ok(connection);
    const form = await editor.openDialog(connection.id);
    await form.locator('#node-config-input-endpoint').fill(archive.server.url);
    await form.locator('#node-config-input-accessKeyId').fill(KEYS.accessKey);
    await form.locator('#node-config-input-secretAccessKey').fill(KEYS.secretKey);
    await editor.closeDialog({ keep: true });
    await editor.deploy();
    await editor.close();
  });

  it('draws a line for each device, asked by keyboard', async () => {
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    await page.goto(`${nodeRed.url}/dashboard/voltage`);
    await page.getByLabel('Plant', { exact: false }).first().focus();
    for (const text of ['plant-a', 'D1, D2', '20181001 170000', '20181001 180000']) {
      await page.keyboard.press('Control+A');
      await page.keyboard.type(text);
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByText('20 spots, all drawn').waitFor({ timeout: 20_000 });
    await page.waitForTimeout(1500);
    await page.screenshot({ path: path.join(REPOSITORY, 'test-output/editor/voltage-chart-light.png') });
  });

  it('opens the offset map of an object with Enter', async () => {
    await page.locator('.voltage-objects button').first().focus();
    await page.keyboard.press('Enter');
    await page.getByText('Offset map of').waitFor();
    assert.equal(await page.locator('.voltage-map tbody tr').count(), 20);
  });
});
