import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { combinations } from '../matrix/combinations';
import { mainJob } from '../matrix/flow';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { faintTexts, unnamed, unreachable } from './accessibility';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CACHE = path.join(process.env.S3_BATCH_SERVICES_DIR ?? path.join(REPOSITORY, '.services'), 'matrix');

/** A node of every type, by type; its id is the type. Nobody listens where they point to. */
function flow(): FlowNode[] {
  const nodes = mainJob({
    endpoint: 'http://127.0.0.1:9',
    region: 'us-east-1',
    accessKey: 'a',
    secretKey: 's',
  });
  const more = [
    { id: 'broker', type: 'mqtt-broker', name: 'broker', broker: '127.0.0.1', port: '9', autoConnect: false },
    {
      id: 'ack',
      type: 'mqtt-ack-in',
      z: 'flow-tab',
      x: 500,
      y: 40,
      broker: 'broker',
      topic: 'plants/#',
      wires: [],
    },
    {
      id: 'backup',
      type: 'batch-backup',
      ...{ z: 'flow-tab', x: 500, y: 80, connection: 'connection', layout: 'layout', wires: [] },
    },
    {
      id: 'newer',
      type: 'batch-flush',
      z: 'flow-tab',
      x: 500,
      y: 120,
      target: 'batch-out',
      version: 7,
      wires: [],
    },
  ];
  return [...nodes, ...more];
}

const TYPES = {
  's3-connection': 'connection',
  'archive-layout': 'layout',
  's3-batch-out': 'batch-out',
  'batch-flush': 'flush',
  'batch-backup': 'backup',
  'mqtt-ack-in': 'ack',
  'offset-index': 'find',
  's3-range-in': 'fetch',
};

/** Node-RED 5 has a dark theme; smoke.test.ts opens all dialogues in Node-RED 4. */
describe('the dialogues', () => {
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;

  before(async () => {
    const newest = combinations(CACHE).find(({ name }) => name.includes('Node-RED 5'));
    assert.ok(newest);
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY, ...(await newest.versions()) });
    await nodeRed.deploy(flow());
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed, 1700);
  });

  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
  });

  afterEach(async () => {
    await editor.closeDialogs();
    await editor.theme('light');
  });

  /** The form of a node with everything unfolded. */
  async function unfolded(id: string): Promise<Locator> {
    // Node-RED has fields of its own beside it, which nobody sees.
    const form = (await editor.openDialog(id)).locator('.s3-batch-form');
    const summaries = form.locator('details:not([open]) > summary');
    while ((await summaries.count()) > 0) await summaries.first().click();
    return form;
  }

  for (const [type, id] of Object.entries(TYPES)) {
    it(`of ${type} can be read in both themes, has a name for each field, and is reached by keyboard`, async () => {
      const form = await unfolded(id);
      for (const theme of ['light', 'dark'] as const) {
        await editor.theme(theme);
        await editor.screenshot(`dialogue-${type}-${theme}`);
        assert.deepEqual(await faintTexts(form), [], theme);
      }
      assert.deepEqual(await unnamed(form), [], 'without a name');
      assert.deepEqual(await unreachable(form), [], 'not reached by Tab');
    });
  }

  it('say by the field what is wrong, as it is typed, and unfold it', async () => {
    const form = await editor.openDialog('batch-out');
    const count = form.locator('#node-input-count');
    await count.fill('1.5');
    const problem = form.locator(`#${(await count.getAttribute('aria-describedby')) ?? ''}`);
    assert.equal(await problem.innerText(), 'Write a whole number from 0 on');
    assert.equal(await count.getAttribute('aria-invalid'), 'true');
    await editor.screenshot('dialogue-problem');
    await count.fill('2');
    await problem.waitFor({ state: 'hidden' });
    assert.equal(await count.getAttribute('aria-invalid'), null);
    assert.equal(await count.getAttribute('aria-describedby'), null);

    const memory = form.locator('#node-input-memory');
    assert.equal(await memory.isVisible(), false);
    await form.locator('summary', { hasText: 'How it is held' }).click();
    await memory.fill('x');
    await editor.closeDialog({ keep: true });
    const again = await editor.openDialog('batch-out');
    assert.equal(await again.locator('#node-input-memory').isVisible(), true);
    assert.match(await again.innerText(), /Write a number from 1 on/);
    await again.locator('#node-input-memory').fill('256');
    await editor.closeDialog({ keep: true });
  });

  it('show where a message goes as the settings are typed, and complete the variables of templates', async () => {
    const form = await editor.openDialog('layout');
    const result = (name: string): Locator => form.locator(`[data-result="${name}"]`);
    await form.locator('#archive-layout-sample-topic').fill('PLANT-7/WELDER-1/WELD');
    await form
      .locator('#archive-layout-sample-payload')
      .fill('{"line":"L2","weldspot":{"Timestamp":"2018-10-01T17:10:35Z"}}');
    await result('time').getByText('2018-10-01T17:10:35.000Z').waitFor();
    assert.match(await result('bucket').innerText(), /^matrix by row 1/);
    assert.match(await result('objectName').innerText(), /^dt=2018-10-01\/20181001T171035Z-.*\.ndjson\.gz$/);
    assert.equal(await result('series').innerText(), 'PLANT-7/WELDER-1/WELD');
    assert.equal(await result('key').innerText(), 'PLANT-7/WELDER-1/WELD/2018-10-01T17:10:35.000Z');

    // By keyboard alone: the list takes Enter.
    const bucket = form.locator('.archive-layout-row-bucket');
    await bucket.fill('');
    await bucket.pressSequentially('b-{{pay');
    await editor.page.locator('.red-ui-autoComplete-container').getByText('{{payload.line}}').waitFor();
    await editor.screenshot('dialogue-completion');
    await bucket.press('Enter');
    assert.equal(await bucket.inputValue(), 'b-{{payload.line}}');
    await result('bucket').getByText('b-l2').waitFor();
    await editor.screenshot('dialogue-preview');

    await form.locator('#archive-layout-sample-topic').fill('PLANT-7');
    await form.locator('[data-note="unmatchedTopic"]').waitFor();
    await form.locator('#archive-layout-sample-payload').fill('{}');
    await form.locator('[data-note="arrivalTime"]').waitFor();
    await form.locator('#node-config-input-objectName').fill('x');
    await form.locator('#archive-layout-preview-problem').getByText('lacks {{batch}}').waitFor();
  });

  it('show settings of a time before versions as they run, and warn of those of a time to come', async () => {
    const form = await editor.openDialog('backup');
    assert.equal(
      await form.locator('#node-input-journal').isChecked(),
      true,
      'what the runtime takes it for',
    );
    assert.equal(await form.locator('#node-input-version').inputValue(), '1');
    await editor.closeDialog();
    const newer = await editor.openDialog('newer');
    assert.match(await newer.innerText(), /Version 7 of these settings is newer.*Manage palette/);
  });

  it('have logged no errors in the browser', () => {
    assert.deepEqual(editor.errors, []);
  });
});
