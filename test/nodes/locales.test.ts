import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { shapeOf, textsToExplain, valuesIn } from '../support/catalogue';
import { type Help, readHelp } from '../support/help';

const REPOSITORY = path.resolve(__dirname, '../../..');
/** Folders that Node-RED reads catalogues and help from. */
const FOLDERS = ['nodes', 'plugins'].filter((folder) => existsSync(path.join(REPOSITORY, folder, 'locales')));
const LANGUAGES = ['de', 'ja', 'zh-CN'];

/** Texts that are the same in another language: terms, units, and texts of nothing but values. */
const TERMS = new Set([
  ...[
    'AWS S3 (__region__)',
    'Block',
    'Broker',
    'Bucket',
    'Buckets',
    'Commit',
    'Hex',
    'JSON',
    'Journal',
    'KiB',
  ],
  ...[
    'Layout',
    'MiB',
    'Offset',
    'Parallel',
    'Payload',
    'QoS',
    'Region',
    'Session',
    'Status',
    'TLS',
    'Text',
    'Topic',
  ],
  ...[
    'Format',
    'HEAD',
    'If-Match',
    'Index',
    'Name',
    'Uploads',
    'default',
    'gzip',
    'offset-index',
    '__ms__ ms',
  ],
  ...[
    '__objects__ · __requests__',
    '__objects__ · __records__',
    '__records__ · __bytes__ in __requests__',
    '↑ __active, number__',
    '↑ __uploading, number__',
  ],
]);

interface Texts {
  [key: string]: Texts | string;
}

function read(...names: string[]): string {
  return readFileSync(path.join(REPOSITORY, ...names), 'utf8');
}

function entriesOf(texts: Texts, prefix = ''): [key: string, text: string][] {
  return Object.entries(texts).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[prefix + key, value]] : entriesOf(value, `${prefix}${key}.`),
  );
}

function catalogue(folder: string, language: string, file: string): Map<string, string> {
  return new Map(entriesOf(JSON.parse(read(folder, 'locales', language, file)) as Texts));
}

/** What is put in when the text is shown: `__count__`, and what stands for itself: `{{batch}}`. */
function placeholders(text: string): string[] {
  return [...valuesIn(text), ...(text.match(/\{\{[^}]*\}\}/g) ?? []).sort()];
}

const BLOCKS = /^\/?(?:p|h3|h4|dl|dt|dd|ul|ol|li)$/;

/** What the help in every language has alike. */
function outline(help: Help) {
  return {
    type: help.type,
    blocks: help.tags.filter((tag) => BLOCKS.test(tag)),
    // Words come in another order, and with them what is quoted.
    inline: help.tags.filter((tag) => !BLOCKS.test(tag)).sort(),
    codes: [...help.codes].sort(),
    links: help.links,
    errors: help.terms.filter((term) => /^[A-Z]+_[A-Z_]+/.test(term)),
  };
}

for (const folder of FOLDERS) {
  const files = readdirSync(path.join(REPOSITORY, folder, 'locales', 'en-US'));

  describe(`The languages of ${folder}/`, () => {
    for (const language of LANGUAGES) {
      describe(language, () => {
        it('has a file for each of English, and no other', () => {
          assert.deepEqual(
            readdirSync(path.join(REPOSITORY, folder, 'locales', language)).sort(),
            files.sort(),
          );
        });

        for (const file of files.filter((name) => name.endsWith('.json'))) {
          it(`${file} has the same keys and placeholders, and no English`, () => {
            const english = catalogue(folder, 'en-US', file);
            const translated = catalogue(folder, language, file);
            assert.deepEqual([...translated.keys()], [...english.keys()]);
            for (const [key, text] of translated) {
              const original = english.get(key) ?? '';
              // Of one thing a language may speak without the number.
              const isOne = english.has(`${key}_plural`);
              const values = (of: string): string[] =>
                placeholders(of).filter((value) => !isOne || value !== '__count, number__');
              assert.deepEqual(values(text), values(original), key);
              assert.notEqual(text.trim(), '', key);
              assert.ok(text !== original || TERMS.has(text), `${key} is translated: ${text}`);
            }
          });
        }

        for (const file of files.filter((name) => name.endsWith('.html'))) {
          it(`${file} is valid, and built like the English one`, () => {
            const original = readHelp(read(folder, 'locales', 'en-US', file));
            const help = readHelp(read(folder, 'locales', language, file));
            assert.deepEqual(help.faults, []);
            assert.deepEqual(outline(help), outline(original));
            for (const [at, heading] of help.headings.entries()) {
              assert.ok(
                heading !== original.headings[at] || /^h\d (?:Details|Status)$/.test(heading),
                `"${heading}" is translated`,
              );
            }
          });

          it(`${file} explains the status texts of this language`, () => {
            const { terms } = readHelp(read(folder, 'locales', language, file));
            const explained = terms.flatMap((term) => [term, ...term.split(' · ')]);
            const texts = catalogue(folder, language, file.replace(/html$/, 'json'));
            const ofStatus = [...texts].filter(([key]) => /^[^.]+\.status\./.test(key));
            for (const text of textsToExplain(Object.fromEntries(ofStatus))) {
              assert.ok(
                explained.some((term) => shapeOf(text).test(term)),
                `nothing explains "${text}"`,
              );
            }
          });
        }
      });
    }
  });
}
