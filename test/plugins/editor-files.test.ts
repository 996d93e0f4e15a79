import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { messageOf } from '../../lib/errors';

const REPOSITORY = path.resolve(__dirname, '../../..');
const read = (...names: string[]): string => readFileSync(path.join(REPOSITORY, ...names), 'utf8');

const { 'node-red': registered, files } = JSON.parse(read('package.json')) as {
  'node-red': { plugins: Record<string, string> };
  files: string[];
};

interface Texts {
  [key: string]: Texts | string;
}

function keysOf(texts: Texts, prefix = ''): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'string' ? [prefix + key] : keysOf(value, `${prefix}${key}.`),
  );
}

for (const [name, file] of Object.entries(registered.plugins)) {
  describe(`the files of the plugin ${name}`, () => {
    const html = read('plugins', `${name}.html`);
    const built = read('dist', 'plugins', `${name}.html`);
    const scripts = [
      read('plugins', `${name}.editor.ts`),
      ...readdirSync(path.join(REPOSITORY, 'plugins', name))
        .filter((part) => part.endsWith('.editor.ts'))
        .map((part) => read('plugins', name, part)),
    ].join('\n');
    const catalogue = keysOf(
      (JSON.parse(read('plugins', 'locales', 'en-US', `${name}.json`)) as Record<string, Texts>)[name] ?? {},
    );

    it('are in the package, where Node-RED looks for them', () => {
      assert.equal(file, `dist/plugins/${name}.js`);
      assert.ok(files.includes('dist/plugins'));
      for (const there of [file, `dist/plugins/locales/en-US/${name}.json`]) {
        assert.ok(existsSync(path.join(REPOSITORY, there)), there);
      }
    });

    it('have one script that browsers can read, and no import left in it', () => {
      const script = /^<script type="text\/javascript">(.*?)<\/script>/s.exec(built)?.[1] ?? '';
      try {
        // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is only read, never run
        new Function(script);
      } catch (error) {
        assert.fail(messageOf(error));
      }
      assert.doesNotMatch(script, /\brequire\(/);
    });

    it('have a text for every key that is used, and use every text', () => {
      const used = [...scripts.matchAll(/\btext\(\s*['"]([\w.]+)['"]/g)].map((match) => match[1] ?? '');
      assert.ok(used.length > 10);
      for (const key of used) assert.ok(catalogue.includes(key), key);
      // Keys are put together: of a group, and of a name that stands elsewhere, or that is the code of an error.
      const groups = [...scripts.matchAll(/`(\w+\.)\$\{/g)].flatMap((match) => match[1] ?? []);
      for (const entry of catalogue) {
        const key = entry.replace(/_plural$/, '');
        const [group = '', last = ''] = key.split('.');
        const isNamed =
          /^[A-Z_]+$/.test(last) ||
          new RegExp(`['"]${last}['"]|\\b${last}:|\\.${last}\\b|\\b${last},`).test(scripts);
        assert.ok(
          scripts.includes(`'${key}'`) || (groups.includes(`${group}.`) && isNamed),
          `${key} is used`,
        );
      }
    });

    it('have no colour that a theme cannot change, and only classes of their own', () => {
      assert.doesNotMatch(html, /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|:\s*(?:white|black|gr[ae]y)\b/i);
      for (const line of html.split('\n').filter((one) => one.includes('{'))) {
        assert.match(line, /^ {4}\.s3-browser/);
      }
    });
  });
}
