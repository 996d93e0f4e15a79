import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { connection } from '../support/flow';
import { until } from '../support/fake-clock';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { Editor, launchBrowser, untranslated } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const BUCKET = 'plant-1';

describe('the connection doctor in the editor', () => {
  let embedded: TestStore;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;

  before(async () => {
    embedded = await startTestStore();
    await embedded.createBucket(BUCKET);
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    // By its name, which virtual-host style puts the bucket before; nobody knows that name.
    const endpoint = `http://localhost:${embedded.server.port}`;
    await nodeRed.deploy([connection(endpoint, { pathStyle: false })]);
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed);
  });

  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await embedded.stop();
  });

  afterEach(async () => {
    embedded.server.faults.clear();
    await editor.closeDialogs();
  });

  const part = (name: string): Locator => editor.page.locator(`#s3-connection-doctor-${name}`);
  const found = (finding: string): Locator => part('findings').locator(`[data-finding="${finding}"]`);
  async function examine(bucket: string): Promise<void> {
    await part('bucket').fill(bucket);
    // By the keyboard alone.
    await part('start').focus();
    await part('status').evaluate(
      (status) => ((status as unknown as { textContent: string }).textContent = ''),
    );
    await editor.page.keyboard.press('Enter');
    await part('status').filter({ hasText: / · / }).waitFor();
    await part('start').waitFor({ state: 'visible' });
  }
  async function objectsLeft(): Promise<string[]> {
    const names: string[] = [];
    for await (const { objects } of embedded.store.list(BUCKET)) names.push(...objects.map(({ key }) => key));
    return names;
  }

  it('finds what is wrong, offers what works, and fills it in', async () => {
    const form = await editor.openDialog('connection');
    assert.deepEqual(await untranslated(form), []);
    await examine(BUCKET);
    assert.match(await part('status').innerText(), /^1 failed · 0 to know · 2\d fine · 0 not tried$/);
    assert.equal(await found('pathNeeded').count(), 1);
    assert.match(await found('attributesFine').innerText(), /2048 bytes/);
    assert.match(await found('rangeFine').innerText(), /fine · [\d.]+ ms/);
    assert.doesNotMatch(await part('findings').innerText(), /s3-connection\.|__/);
    await part('offer').scrollIntoViewIfNeeded();
    await editor.screenshot('doctor-offer');
    await found('cleanedUp').scrollIntoViewIfNeeded();
    await editor.screenshot('doctor-findings');

    assert.equal(await part('settings').innerText(), 'Bucket in the path of the address (path style): yes');
    await part('use').focus();
    await editor.page.keyboard.press('Enter');
    assert.equal(await form.locator('#node-config-input-pathStyle').isChecked(), true);
    assert.equal(await part('offer').isVisible(), false);
    await examine(BUCKET);
    assert.match(await part('status').innerText(), /^0 failed/);
    assert.equal(await found('pathOnly').count(), 1);
    assert.deepEqual(await objectsLeft(), []);
    await editor.closeDialog({ keep: true });
  });

  it('offers the buckets that there are', async () => {
    await editor.openDialog('connection');
    await examine('');
    assert.equal(await found('bucketUnnamed').count(), 1);
    const offered = await part('buckets')
      .locator('option')
      .evaluateAll((all) => all.map((one) => (one as unknown as { value: string }).value));
    assert.deepEqual(offered, [BUCKET]);
    await editor.screenshot('doctor-no-bucket');
  });

  it('tells of wrong keys what is wrong, and never shows them', async () => {
    const form = await editor.openDialog('connection');
    await form.locator('#node-config-input-secretAccessKey').fill('anotherSecretThatIsWrong');
    await examine(BUCKET);
    assert.match(await found('secretWrong').innerText(), /does not belong to it/);
    assert.equal((await found('because').count()) > 5, true);
    assert.doesNotMatch(await form.innerText(), /anotherSecret/);
    await found('secretWrong').scrollIntoViewIfNeeded();
    await editor.screenshot('doctor-wrong-secret');
  });

  it('does not send stored keys to another host', async () => {
    const form = await editor.openDialog('connection');
    await form.locator('#node-config-input-endpoint').fill(embedded.server.url);
    embedded.server.stats.reset();
    await examine(BUCKET);
    assert.equal(await found('keysElsewhere').count(), 1);
    assert.equal(await found('clockFine').count(), 1);
    assert.equal(await found('keysAccepted').count(), 0);
  });

  it('stops, and tidies up, when the dialogue is closed', async () => {
    await editor.openDialog('connection');
    embedded.server.faults.add({
      kind: 'hang',
      match: ({ method, key }) => method === 'HEAD' && key.endsWith('/a'),
    });
    await part('bucket').fill(BUCKET);
    await part('start').click();
    await found('attributesFine').waitFor();
    assert.notDeepEqual(await objectsLeft(), []);
    await editor.screenshot('doctor-running');
    await editor.closeDialog();
    await until('the objects to be deleted', async () => (await objectsLeft()).length === 0);
  });

  it('has logged no errors in the browser, nor a secret in the log', () => {
    assert.deepEqual(editor.errors, []);
    assert.equal(nodeRed.log.includes(KEYS.secretKey) || nodeRed.log.includes('anotherSecret'), false);
  });
});
