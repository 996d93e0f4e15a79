import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { type Combination, combinations } from '../matrix/combinations';
import { mainJob } from '../matrix/flow';
import { installed } from '../matrix/install';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { faintTexts, unnamed, unreachable } from './accessibility';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CACHE = path.join(process.env.S3_BATCH_SERVICES_DIR ?? path.join(REPOSITORY, '.services'), 'matrix');

/** Themes for Node-RED 4: this version of them, so that no later one changes what is tested. */
const THEMES = '@node-red-contrib-themes/theme-collection@3.0.6';

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

/** The dark theme that most people add to Node-RED 4, which has none of its own: its style sheets. */
async function darkTheme(): Promise<string[]> {
  const modules = await installed(path.join(CACHE, 'theme'), [THEMES], process.execPath);
  const folder = path.join(modules, '@node-red-contrib-themes', 'theme-collection', 'themes', 'dark');
  return ['dark.min.css', 'dark-custom.min.css'].map((file) => path.join(folder, file));
}

/** An editor with a node of every type, for as long as the tests of a `describe` run. */
function useEditor({ versions }: Combination): { readonly editor: Editor } {
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor;

  before(async () => {
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY, ...(await versions()) });
    await nodeRed.deploy(flow());
    browser = await launchBrowser();
    editor = await Editor.open(browser, nodeRed, 1700);
  });

  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
  });

  afterEach(() => editor.closeDialogs());

  return {
    get editor() {
      return editor;
    },
  };
}

const COMBINATIONS = combinations(CACHE);

for (const combination of COMBINATIONS) {
  const hasDarkTheme = combination.name.includes('Node-RED 5');

  describe(`the dialogues in ${combination.name}`, () => {
    const use = useEditor(combination);
    let styles: string[] = [];

    before(async () => {
      if (!hasDarkTheme) styles = await darkTheme();
    });

    /** The form of a node with everything unfolded. */
    async function unfolded(id: string): Promise<Locator> {
      // Node-RED has fields of its own beside it, which nobody sees.
      const form = (await use.editor.openDialog(id)).locator('.s3-batch-form');
      const summaries = form.locator('details:not([open]) > summary');
      while ((await summaries.count()) > 0) await summaries.first().click();
      return form;
    }

    /** Makes the editor dark. Answers what makes it light again. */
    async function darken(): Promise<() => Promise<void>> {
      if (!hasDarkTheme) return use.editor.style(styles);
      await use.editor.theme('dark');
      return () => use.editor.theme('light');
    }

    for (const [type, id] of Object.entries(TYPES)) {
      it(`of ${type} can be read in light and dark, has a name for each field, and is reached by keyboard`, async () => {
        const form = await unfolded(id);
        const picture = `dialogue-${type}-${hasDarkTheme ? 5 : 4}`;
        await use.editor.screenshot(`${picture}-light`);
        assert.deepEqual(await faintTexts(form), [], 'light');
        const lighten = await darken();
        try {
          await use.editor.screenshot(`${picture}-dark`);
          assert.deepEqual(await faintTexts(form), [], 'dark');
        } finally {
          await lighten();
        }
        assert.deepEqual(await unnamed(form), [], 'without a name');
        assert.deepEqual(await unreachable(form), [], 'not reached by Tab');
      });
    }

    it('have logged no errors in the browser', () => {
      assert.deepEqual(use.editor.errors, []);
    });
  });
}

describe('the dialogues', () => {
  const newest = COMBINATIONS.find(({ name }) => name.includes('Node-RED 5'));
  assert.ok(newest);
  const use = useEditor(newest);

  it('say by the field what is wrong, as it is typed, and unfold it', async () => {
    const form = await use.editor.openDialog('batch-out');
    const count = form.locator('#node-input-count');
    await count.fill('1.5');
    const problem = form.locator(`#${(await count.getAttribute('aria-describedby')) ?? ''}`);
    assert.equal(await problem.innerText(), 'Write a whole number from 0 on');
    assert.equal(await count.getAttribute('aria-invalid'), 'true');
    await use.editor.screenshot('dialogue-problem');
    await count.fill('2');
    await problem.waitFor({ state: 'hidden' });
    assert.equal(await count.getAttribute('aria-invalid'), null);
    assert.equal(await count.getAttribute('aria-describedby'), null);

    const memory = form.locator('#node-input-memory');
    assert.equal(await memory.isVisible(), false);
    await form.locator('summary', { hasText: 'How it is held' }).click();
    await memory.fill('x');
    await use.editor.closeDialog({ keep: true });
    const again = await use.editor.openDialog('batch-out');
    assert.equal(await again.locator('#node-input-memory').isVisible(), true);
    assert.match(await again.innerText(), /Write a number from 1 on/);
    await again.locator('#node-input-memory').fill('256');
    await use.editor.closeDialog({ keep: true });
  });

  it('show where a message goes as the settings are typed, and complete the variables of templates', async () => {
    const form = await use.editor.openDialog('layout');
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
    await use.editor.page.locator('.red-ui-autoComplete-container').getByText('{{payload.line}}').waitFor();
    await use.editor.screenshot('dialogue-completion');
    await bucket.press('Enter');
    assert.equal(await bucket.inputValue(), 'b-{{payload.line}}');
    await result('bucket').getByText('b-l2').waitFor();
    await use.editor.screenshot('dialogue-preview');

    await form.locator('#archive-layout-sample-topic').fill('PLANT-7');
    await form.locator('[data-note="unmatchedTopic"]').waitFor();
    await form.locator('#archive-layout-sample-payload').fill('{}');
    await form.locator('[data-note="arrivalTime"]').waitFor();
    await form.locator('#node-config-input-objectName').fill('x');
    await form.locator('#archive-layout-preview-problem').getByText('lacks {{batch}}').waitFor();
  });

  it('show settings of a time before versions as they run, and warn of those of a time to come', async () => {
    const form = await use.editor.openDialog('backup');
    assert.equal(
      await form.locator('#node-input-journal').isChecked(),
      true,
      'what the runtime takes it for',
    );
    assert.equal(await form.locator('#node-input-version').inputValue(), '1');
    await use.editor.closeDialog();
    const newer = await use.editor.openDialog('newer');
    assert.match(await newer.innerText(), /Version 7 of these settings is newer.*Manage palette/);
  });

  it('have logged no errors in the browser', () => {
    assert.deepEqual(use.editor.errors, []);
  });
});
