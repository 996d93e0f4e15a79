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
  's3-batch-out': { section: { when: string }; status: { waiting: string } };
  's3-connection': { headline: { STORE_UNREACHABLE: string } };
}

const catalogue = <Type extends keyof Catalogue>(language: string, type: Type): Catalogue[Type] => {
  const file = path.join(REPOSITORY, 'nodes', 'locales', language, `${type}.json`);
  return (JSON.parse(readFileSync(file, 'utf8')) as Catalogue)[type];
};

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
      const texts = catalogue(language, 's3-batch-out');
      // One will do: test/nodes/status-texts.test.ts has them all.
      const isRuntime = language === 'de';
      let nodeRed: NodeRedProcess;
      let editor: Editor;

      before(async () => {
        nodeRed = await startNodeRed({
          packageFolder: REPOSITORY,
          settings: { lang: isRuntime ? language : 'en-US' },
        });
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
        assert.equal(await form.locator('.s3-batch-form').getAttribute('lang'), language);
        assert.ok((await form.innerText()).includes(texts.section.when), 'a heading in this language');
        await editor.screenshot(`s3-batch-out-${language}`);
        await editor.closeDialogs();
        assert.deepEqual(editor.errors, []);
      });

      if (isRuntime)
        it('says under the node how many objects wait, and why', async () => {
          const records = [{ topic: 'PLANT-1/WELDER-1/WELD', payload: 'e30=' }];
          const post = (where: string, body: unknown): Promise<Response> =>
            fetch(nodeRed.url + where, {
              method: 'POST',
              headers: { 'Content-Type': 'application/json' },
              body: JSON.stringify(body),
            });
          await post('/records', records);
          // Answered when everything is stored, which is never.
          post('/flush', {}).catch(() => undefined);
          const { STORE_UNREACHABLE: error } = catalogue(language, 's3-connection').headline;
          const expected = texts.status.waiting.replace('__count, number__', '1').replace('__error__', error);
          await editor.page.locator('#batch-out').getByText(expected).waitFor();
          await editor.screenshot(`status-${language}`);
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
