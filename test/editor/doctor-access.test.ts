import assert from 'node:assert/strict';
import path from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { combinations } from '../matrix/combinations';
import { adminAuth, tokenOf } from '../support/admin-auth';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { connection, tab } from '../support/flow';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { faintTexts } from './accessibility';
import { Editor, launchBrowser } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CACHE = path.join(process.env.S3_BATCH_SERVICES_DIR ?? path.join(REPOSITORY, '.services'), 'matrix');
const BUCKET = 'plant-1';

describe('the connection doctor where users log in', () => {
  let embedded: TestStore;
  let nodeRed: NodeRedProcess;
  let browser: Browser;
  let editor: Editor | undefined;
  /** All that the doctor has answered. */
  let answers = '';

  before(async () => {
    embedded = await startTestStore();
    await embedded.createBucket(BUCKET);
    const newest = combinations(CACHE).find(({ name }) => name.includes('Node-RED 5'));
    assert.ok(newest);
    nodeRed = await startNodeRed({
      packageFolder: REPOSITORY,
      ...(await newest.versions()),
      settings: {
        adminAuth: adminAuth({
          admin: '*',
          reader: 'read',
          examiner: ['read', 'flows.write', 's3-connection.write'],
        }),
      },
    });
    nodeRed.token = await tokenOf(nodeRed.url, 'admin');
    await nodeRed.deploy([tab(), connection(embedded.server.url)]);
    browser = await launchBrowser();
  });

  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await embedded.stop();
  });

  afterEach(async () => {
    await editor?.close();
    editor = undefined;
  });

  async function dialogueOf(username: string): Promise<{ form: Locator; status: Locator }> {
    editor = await Editor.open(browser, nodeRed, 1700, username);
    editor.page.on('requestfinished', (request) => {
      if (!request.url().includes('/doctor/')) return;
      void request.response().then(async (response) => (answers += (await response?.text()) ?? ''));
    });
    const form = (await editor.openDialog('connection')).locator('.s3-batch-form');
    return { form, status: form.locator('#s3-connection-doctor-status') };
  }
  async function examine(form: Locator): Promise<void> {
    await form.locator('#s3-connection-doctor-bucket').fill(BUCKET);
    await form.locator('#s3-connection-doctor-start').click();
    // Under the pointer a button has Node-RED's own colours.
    await form.page().mouse.move(0, 0);
  }

  it('refuses who may only read, and says so; the button stays', async () => {
    embedded.server.stats.reset();
    const { form, status } = await dialogueOf('reader');
    await examine(form);
    await status
      .getByText('You may not examine connections: that needs the right to deploy.', { exact: true })
      .waitFor();
    await form.locator('#s3-connection-doctor-start').waitFor();
    assert.equal(await form.locator('#s3-connection-doctor-findings li').count(), 0);
    assert.equal(embedded.server.stats.requests, 0);
    await editor?.screenshot('doctor-refused');
  });

  it('examines for who may deploy and write connections, and can be read in the dark', async () => {
    const { form, status } = await dialogueOf('examiner');
    await examine(form);
    await status.getByText(/^0 failed · \d+ to know · 2\d fine · 0 not tried$/).waitFor();
    for (const theme of ['light', 'dark'] as const) {
      await editor?.theme(theme);
      assert.deepEqual(await faintTexts(form), [], theme);
      await editor?.screenshot(`doctor-${theme}`);
    }
    // What is wrong has colours of its own.
    await form.locator('#node-config-input-secretAccessKey').fill('anotherSecretThatIsWrong');
    await examine(form);
    await status.getByText(/^[1-9]\d* failed/).waitFor();
    assert.deepEqual(await faintTexts(form), []);
    await editor?.screenshot('doctor-dark-wrong-secret');
  });

  it('shows no secret in answers or log', () => {
    assert.match(answers, /"event":"ended"/);
    for (const secret of [KEYS.secretKey, 'anotherSecretThatIsWrong']) {
      assert.equal(answers.includes(secret), false, answers);
      assert.equal(nodeRed.log.includes(secret), false);
    }
  });
});
