import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';

import { mainJob } from '../matrix/flow';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { Editor, launchBrowser, untranslated } from './harness';

const REPOSITORY = path.resolve(__dirname, '../../..');
const FLOW = mainJob({
  endpoint: 'http://127.0.0.1:1',
  region: 'us-east-1',
  accessKey: 'AKIATEST',
  secretKey: 'SECRETTEST',
});

interface Catalogue {
  's3-batch-out': { section: { when: string } };
}

const catalogue = (language: string): Catalogue =>
  JSON.parse(
    readFileSync(path.join(REPOSITORY, 'nodes', 'locales', language, 's3-batch-out.json'), 'utf8'),
  ) as Catalogue;

/** The same browser for a person who has set it to this language. */
function inLanguage(browser: Browser, locale: string): Browser {
  const newContext = (options?: BrowserContextOptions) => browser.newContext({ ...options, locale });
  return { newContext } as Browser;
}

describe('The editor in other languages', () => {
  let browser: Browser;

  before(async () => {
    browser = await launchBrowser();
  });

  after(async () => {
    await browser.close();
  });

  for (const language of ['de', 'ja', 'zh-CN']) {
    describe(language, () => {
      const texts = catalogue(language)['s3-batch-out'];
      let nodeRed: NodeRedProcess;
      let editor: Editor;

      before(async () => {
        nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
        await nodeRed.deploy(FLOW);
        editor = await Editor.open(inLanguage(browser, language), nodeRed);
      });

      after(async () => {
        await editor.close();
        await nodeRed.remove();
      });

      it('shows the dialogue of s3-batch-out without a text that is left in English', async () => {
        const form = await editor.openDialog('batch-out');
        assert.deepEqual(await untranslated(form), []);
        assert.ok((await form.innerText()).includes(texts.section.when), 'a heading in this language');
        await editor.screenshot(`s3-batch-out-${language}`);
        await editor.closeDialogs();
        assert.deepEqual(editor.errors, []);
      });

      it('shows its help', async () => {
        const help = (await editor.type('s3-batch-out'))?.help ?? '';
        const file = readFileSync(
          path.join(REPOSITORY, 'nodes', 'locales', language, 's3-batch-out.html'),
          'utf8',
        );
        const [, first = ''] = /<p>(.+?)<\/p>/.exec(file) ?? [];
        assert.ok(first !== '' && help.includes(first), help.slice(0, 200));
      });
    });
  }
});
