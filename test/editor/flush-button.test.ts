import assert from 'node:assert/strict';
import path from 'node:path';

import type { Browser } from 'playwright-core';

import { batchFlush, tab } from '../support/flow';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');

describe('the button of batch-flush', () => {
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  before(async () => {
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await nodeRed.remove();
  });

  it('tells the name of its node as text: flows come from strangers, too', async () => {
    const name = '<img src=x onerror="window.ran = true">';
    await nodeRed.deploy([tab(), batchFlush({ name, target: 'none', x: 200, y: 100 })]);
    const { page } = await Editor.open(browser, nodeRed);
    await page.locator('#flush .red-ui-flow-node-button-button').dispatchEvent('click');
    await page.locator('.red-ui-notification', { hasText: name }).waitFor();
    assert.equal(await page.locator('.red-ui-notification img').count(), 0);
  });
});
