import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { NodeAPI } from 'node-red';

import { type ErrorCode, S3BatchError } from '../../lib/errors';
import { bytesText } from '../../nodes/common/bytes';
import { errorStatus } from '../../nodes/common/error-status';
import { textsOf } from '../../nodes/common/texts';

const REPOSITORY = path.resolve(__dirname, '../../..');
const LOCALES = path.join(REPOSITORY, 'nodes', 'locales');
const PACKAGE = 'node-red-contrib-s3-batch';
const CODES = [
  ...readFileSync(path.join(REPOSITORY, 'lib', 'errors.ts'), 'utf8').matchAll(/^ {2}\| '([A-Z_]+)'/gm),
].map(([, code]) => code as ErrorCode);

/** What Node-RED has behind `RED._`. */
interface Catalogues {
  init(settings: { lang: string }): Promise<void>;
  registerMessageCatalog(namespace: string, folder: string, file: string): Promise<void>;
  _: NodeAPI['_'];
  i: { language: string; changeLanguage(language: string): Promise<unknown> };
}
const ofNodeRed = createRequire(createRequire(__filename).resolve('node-red'));
const { i18n } = ofNodeRed('@node-red/util') as { i18n: Catalogues };

/** `RED._` for a file of the package. */
function nodeApi(type: string): NodeAPI {
  const translate = (key: string, ...values: never[]): string =>
    i18n._(key.includes(':') ? key : `${PACKAGE}/${type}:${key}`, ...values);
  return { _: translate } as unknown as NodeAPI;
}

describe('The texts of a status, by the catalogues of Node-RED', () => {
  let usual: string;

  before(async () => {
    await i18n.init({ lang: 'en-US' });
    usual = i18n.i.language;
    for (const type of ['s3-connection', 's3-batch-out', 'batch-flush', 'offset-index']) {
      await i18n.registerMessageCatalog(`${PACKAGE}/${type}`, LOCALES, `${type}.json`);
    }
  });
  after(() => i18n.i.changeLanguage(usual));

  for (const [language, texts, one, many] of [
    ['en-US', ['0 records', '1 record', '2 records', '1,250 records'], '1 waiting: x', '2 waiting: x'],
    ['de', ['0 Datensätze', '1 Datensatz', '2 Datensätze', '1.250 Datensätze'], '1 wartet: x', '2 warten: x'],
    ['ja', ['0 レコード', '1 レコード', '2 レコード', '1,250 レコード'], '1 件待ち: x', '2 件待ち: x'],
    ['zh-CN', ['0 条记录', '1 条记录', '2 条记录', '1,250 条记录'], '1 个等待：x', '2 个等待：x'],
  ] as const) {
    it(`count as people do (${language})`, async () => {
      await i18n.i.changeLanguage(language);
      const amount = textsOf(nodeApi('batch-flush'), 'batch-flush.amount');
      assert.deepEqual(
        [0, 1, 2, 1250].map((count) => amount('record', { count })),
        texts,
      );
      const status = textsOf(nodeApi('s3-batch-out'), 's3-batch-out.status');
      assert.equal(status('waiting', { count: 1, error: 'x' }), one);
      assert.equal(status('waiting', { count: 2, error: 'x' }), many);
    });

    it(`have a headline for every error (${language})`, async () => {
      await i18n.i.changeLanguage(language);
      const catalogue = JSON.parse(
        readFileSync(path.join(LOCALES, language, 's3-connection.json'), 'utf8'),
      ) as { 's3-connection': { headline: Record<string, string> } };
      const { headline } = catalogue['s3-connection'];
      assert.deepEqual(Object.keys(headline).sort(), [...CODES].sort());
      for (const code of CODES) {
        const text = errorStatus(nodeApi('offset-index'), new S3BatchError(code, 'in the log')).text ?? '';
        assert.equal(text, headline[code]);
        // What is longer runs into the next nodes.
        assert.ok(text.length <= 50, text);
      }
    });
  }

  for (const [language, decimal] of [
    ['en-US', '.'],
    ['de', ','],
    ['ja', '.'],
    ['zh-CN', '.'],
  ] as const) {
    it(`write bytes as people do (${language})`, async () => {
      await i18n.i.changeLanguage(language);
      const texts = [0, 999, 1000, 1150, 312_400, 1_250_000_000, 4e12, 1.5e15].map((bytes) =>
        bytesText(nodeApi('s3-range-in'), bytes),
      );
      const expected = ['0 B', '999 B', '1.0 kB', '1.1 kB', '312.4 kB', '1.3 GB', '4.0 TB', '1500.0 TB'];
      assert.deepEqual(
        texts,
        expected.map((text) => text.replace('.', decimal)),
      );
    });
  }

  it('of errors that are not of this package are their first words', () => {
    const textOf = (message: string) => errorStatus(nodeApi('offset-index'), new Error(message)).text;
    assert.equal(
      textOf('Unable to cast value to a number: "x". Read on'),
      'Unable to cast value to a number',
    );
    assert.equal(textOf(''), '');
    assert.equal(textOf('x'.repeat(81)), `${'x'.repeat(79)}…`);
  });
});
