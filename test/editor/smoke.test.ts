import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { mainJob } from '../matrix/flow';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { Editor, launchBrowser, untranslated } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const { name: PACKAGE, 'node-red': registered } = JSON.parse(
  readFileSync(path.join(REPOSITORY, 'package.json'), 'utf8'),
) as { name: string; 'node-red': { nodes: Record<string, string> } };
const TYPES = Object.keys(registered.nodes);
const CONFIG_TYPES = ['s3-connection', 'archive-layout'];
const CATEGORY = 's3 batch';

/** A flow that can be deployed; nobody listens at its endpoint. */
const FLOW = mainJob({
  endpoint: 'http://127.0.0.1:9',
  region: 'us-east-1',
  accessKey: 'access',
  secretKey: 'secret',
});

describe('the editor', () => {
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;

  before(async () => {
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    await nodeRed.deploy(FLOW);
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed);
  });

  after(async () => {
    // What has not been set has not been started, because a step before it failed.
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
  });

  afterEach(async () => editor.closeDialogs());

  /** The first node of a type that is in the editor. */
  async function idOf(type: string): Promise<string> {
    const node = (await editor.nodes()).find((one) => one.type === type);
    assert.ok(node, `a node of type ${type} is in the editor`);
    return node.id;
  }

  it('has every type', async () => {
    for (const type of TYPES) assert.ok(await editor.type(type), type);
  });

  it('shows the nodes in a category of their own, and the config nodes not', async () => {
    for (const type of TYPES) {
      const expected = CONFIG_TYPES.includes(type) ? undefined : CATEGORY;
      assert.equal(await editor.paletteCategory(type), expected, type);
    }
    await editor.page
      .locator('.red-ui-palette-node[data-palette-type="s3-range-in"]')
      .scrollIntoViewIfNeeded();
    await editor.screenshot('palette');
  });

  it('finds the icon of every type', async () => {
    const response = await fetch(`${nodeRed.url}/icons`);
    const icons = (await response.json()) as Record<string, string[]>;
    for (const type of TYPES.filter((one) => !CONFIG_TYPES.includes(one))) {
      const icon = (await editor.type(type))?.icon ?? '';
      const there =
        icon.startsWith('font-awesome/') || [PACKAGE, 'node-red'].some((set) => icons[set]?.includes(icon));
      assert.ok(there, `${type}: "${icon}"`);
    }
  });

  it('deploys', async () => {
    const form = await editor.openDialog(await idOf('s3-batch-out'));
    await form.locator('#node-input-name').fill('renamed');
    await editor.closeDialog({ keep: true });
    await editor.deploy();
    await editor.screenshot('deployed');
  });

  it('imports examples, so that there is a node of every type', async () => {
    for (const name of ['converter-and-backup', 'held-acknowledgements'])
      await editor.importExample(PACKAGE, name);
    for (const type of TYPES) await idOf(type);
  });

  for (const type of TYPES) {
    it(`opens the dialogue of ${type}, translated and with help`, async () => {
      const form = await editor.openDialog(await idOf(type));
      await editor.screenshot(`dialogue-${type}`);
      assert.ok((await form.locator('[data-i18n]').count()) > 0, 'labels from the catalogue');
      assert.deepEqual(await untranslated(form), []);
      // Whatever a script translates by itself shows the same way: as type.group.key.
      assert.doesNotMatch(await form.innerText(), new RegExp(`\\b${type}\\.[a-z]+\\.[A-Za-z]+`));
      assert.match((await editor.type(type))?.help ?? '', /<p>/);
    });
  }

  it('has logged no errors in the browser', () => {
    assert.deepEqual(editor.errors, []);
  });
});
