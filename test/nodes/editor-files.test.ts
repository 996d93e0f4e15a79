import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { currentVersion, type NodeType } from '../../nodes/common/settings-version';

const REPOSITORY = path.resolve(__dirname, '../../..');
const read = (...names: string[]): string => readFileSync(path.join(REPOSITORY, ...names), 'utf8');

const { 'node-red': registered } = JSON.parse(read('package.json')) as {
  'node-red': { nodes: Record<string, string> };
};
const TYPES = Object.keys(registered.nodes);

interface Definition {
  category: string;
  icon?: string;
  defaults: Record<string, Property>;
  credentials?: Record<string, Property>;
}

interface Property {
  value: unknown;
  validate?(this: object, value: unknown, options: object): unknown;
}

/** The script of a node as the editor gets it: in one piece with what it imports. */
function scriptOf(type: string): string {
  return (
    /^<script type="text\/javascript">(.*?)<\/script>/s.exec(read('dist', 'nodes', `${type}.html`))?.[1] ?? ''
  );
}

/** The definitions as the editor scripts register them, in a scope that they all share as in the editor. */
function definitions(): Map<string, Definition> {
  const found = new Map<string, Definition>();
  const registerType = (type: string, definition: Definition): void => void found.set(type, definition);
  const scope = createContext({
    RED: {
      nodes: { registerType, node: () => null, getType: (type: string) => found.get(type) },
      utils: { validateTypedProperty: () => true },
    },
    // No dialogue is open.
    $: () => ({ val: () => undefined, toArray: () => [] }),
    URL,
  });
  for (const type of TYPES) runInContext(scriptOf(type), scope);
  return found;
}

/** The dialogue of a node as the editor gets it, with the rows that it shares with others. */
function dialogueOf(type: string): string {
  const html = read('dist', 'nodes', `${type}.html`);
  return /<script type="text\/html".*?<\/script>/s.exec(html)?.[0] ?? '';
}

interface Texts {
  [key: string]: Texts | string;
}

/** What may use a text: findings of the connection doctor and notes of the preview have theirs by name. */
const SOURCES = [
  ...readdirSync(path.join(REPOSITORY, 'nodes', 'common')).map((name) => read('nodes', 'common', name)),
  read('lib', 'store', 'doctor', 'finding.ts'),
  read('lib', 'layout', 'layout-preview.ts'),
  read('lib', 'errors.ts'),
].map(withWholeKeys);

/** A source of the runtime with its keys as the catalogue has them: those of `textsOf` lack what they all begin with. */
function withWholeKeys(source: string): string {
  const [, prefix] = /textsOf\(RED, '(?:[\w/-]+:)?([\w.-]+)'\)/.exec(source) ?? [];
  if (prefix === undefined) return source;
  const group = `\`${prefix}.\${code}\``;
  return `${source.replace(/\btext\(\s*(['"`])/g, (_call, quote: string) => `_(${quote}${prefix}.`)}\n${group}`;
}

/** A node's texts by their keys, such as `s3-batch-out.label.count`. */
function catalogueOf(type: string): Map<string, string> {
  return new Map(entriesOf(JSON.parse(read('nodes', 'locales', 'en-US', `${type}.json`)) as Texts));
}

function entriesOf(texts: Texts, prefix = ''): [key: string, text: string][] {
  return Object.entries(texts).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[prefix + key, value]] : entriesOf(value, `${prefix}${key}.`),
  );
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Whose texts the preview has, in whichever dialogue. */
const CATALOGUE = 'node-red-contrib-s3-batch/archive-layout:';
const PREVIEW = 'archive-layout.preview';

describe('the editor side of the nodes', () => {
  const all = definitions();

  /** What a new node of this type has; it knows the texts of its catalogue. */
  function newNode(type: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
    const catalogue = catalogueOf(type);
    const translate = (key: string): string => {
      assert.ok(catalogue.has(key), `${key} is in the catalogue`);
      return key;
    };
    const node: Record<string, unknown> = { id: type, type, _: translate };
    for (const [name, { value }] of Object.entries(all.get(type)!.defaults)) node[name] = value;
    return { ...node, ...changes };
  }

  /** What the validators say of a node: properties with something wrong. */
  function wrongIn(type: string, changes: Record<string, unknown>): string[] {
    const node = newNode(type, changes);
    const wrong: string[] = [];
    for (const [name, property] of Object.entries(all.get(type)!.defaults)) {
      if (!property.validate) continue;
      assert.equal(property.validate.length, 2, `${name}: Node-RED takes sentences only from two parameters`);
      const answer = property.validate.call(node, node[name], {});
      if (answer === true) continue;
      assert.equal(typeof answer, 'string');
      wrong.push(name);
    }
    return wrong;
  }

  for (const type of TYPES) {
    describe(type, () => {
      const template = dialogueOf(type);
      const script = read('nodes', `${type}.editor.ts`);
      const catalogue = catalogueOf(type);
      const help = read('nodes', 'locales', 'en-US', `${type}.html`);
      const definition = all.get(type)!;
      const prefix = definition.category === 'config' ? 'node-config-input-' : 'node-input-';

      it('is registered, with a template and help', () => {
        assert.ok(template.includes(`data-template-name="${type}"`));
        assert.ok(help.includes(`data-help-name="${type}"`));
      });

      it('has a text for every key that is used, and uses every text', () => {
        const sources = [template, script, withWholeKeys(read('nodes', `${type}.ts`)), ...SOURCES].join('\n');
        const used = [
          ...matches(sources, /data-i18n="(?:\[\w+\])?([^";]+)"/g),
          ...matches(sources, /_\(\s*['"`]([\w-]+(?:\.[\w-]+)+)['"`]/g),
        ]
          .map((key) => key.replace(CATALOGUE, ''))
          .filter((key) => key.startsWith(`${type}.`));
        assert.ok(used.length > 0);
        for (const key of used) assert.ok(catalogue.has(key), key);
        // A key may be put together: of a group, and of a name that stands elsewhere.
        const groups = matches(sources, /`([^`]+\.)\$\{\w[^`]*`/g)
          .map((group) =>
            group.replace(/^\$\{(?:\w+\.type|TEXTS)\}/, (start) => (start === '${TEXTS}' ? PREVIEW : type)),
          )
          .flatMap((group) => [group, `${PREVIEW}.${group}`]);
        for (const entry of catalogue.keys()) {
          const key = entry.replace(/_plural$/, '');
          const name = key.slice(key.lastIndexOf('.') + 1);
          const isNamed = new RegExp(`['"]${name}['"]|\\b${name}:`).test(sources);
          const isPutTogether = groups.includes(key.slice(0, -name.length)) && isNamed;
          assert.ok(used.includes(key) || isPutTogether, `${key} is used`);
        }
      });

      it('has a field for every property, and a property for every field', () => {
        const properties = [
          ...Object.keys(definition.defaults),
          ...Object.keys(definition.credentials ?? {}),
        ];
        const fields = matches(template, new RegExp(`id="${prefix}([\\w-]+)"`, 'g'));
        for (const property of properties) {
          const keptByScript = new RegExp(`this\\.${property} =[^=]`).test(script);
          assert.ok(fields.includes(property) || keptByScript, property);
        }
        for (const field of fields) assert.ok(properties.includes(field), field);
      });

      it('has a definition that tools can read without running it', () => {
        const definition =
          /RED\.nodes\.registerType\('[\w-]+', \{(.*?)\n {2,4}label/s.exec(scriptOf(type))?.[1] ?? '';
        assert.match(definition, /defaults: \{/);
        // The validator of Node-RED's catalogue stops at a property without a name.
        assert.doesNotMatch(definition, /^\s*\.\.\./m);
      });

      it('binds every label to a field', () => {
        const ids = matches(template, / id="([\w-]+)"/g);
        const labels = matches(template, /<label([^>]*)>/g);
        assert.ok(labels.length > 0);
        for (const label of labels) assert.ok(ids.includes(/ for="([\w-]+)"/.exec(label)?.[1] ?? ''), label);
        for (const described of matches(template, /aria-describedby="([^"]+)"/g)) {
          for (const id of described.split(' ')) assert.ok(ids.includes(id), id);
        }
      });

      it('has no colour that a theme cannot change', () => {
        assert.doesNotMatch(template, /:\s*#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|\b(?:white|black|gr[ae]y)\b/i);
      });

      it('is valid as it comes from the palette, but for what must be chosen', () => {
        const choose = ['connection', 'target', 'broker', 'topic'];
        assert.deepEqual(
          wrongIn(type, {}).filter((name) => !choose.includes(name)),
          [],
        );
      });
    });
  }

  it('has styles that leave the colours to the theme', () => {
    const colours = matches(
      read('nodes', 'common', 'dialogue.css'),
      /(?<![\w-])(?:color|background|border(?:-\w+)?): ([^;]+);/g,
    );
    assert.ok(colours.length > 5);
    for (const colour of colours)
      assert.match(colour, /^(?:0|(?:1px solid )?var\(--(?:red-ui|s3-batch)-[\w-]+\)(?: !important)?)$/);
  });

  it('knows settings of its own version and of earlier ones', () => {
    for (const type of TYPES) {
      const { version } = all.get(type)!.defaults;
      assert.equal(version?.value, currentVersion(type as NodeType), type);
      assert.deepEqual(wrongIn(type, { version: undefined }), wrongIn(type, {}), type);
      assert.ok(wrongIn(type, { version: 99 }).includes('version'), type);
    }
  });

  it('has an icon for every node of the palette, and no other', () => {
    const used = [...all.values()].flatMap(({ icon }) => icon ?? []).sort();
    assert.equal(used.length, TYPES.length - 2);
    assert.deepEqual(readdirSync(path.join(REPOSITORY, 'icons')).sort(), used);
  });

  it('tells wrong settings of a connection', () => {
    const wrong = {
      endpoint: 'ceph',
      region: 'a b',
      roleArn: 'me',
      connectTimeout: '0',
      requestTimeout: 'x',
    };
    assert.deepEqual(wrongIn('s3-connection', wrong), Object.keys(wrong));
    assert.deepEqual(
      wrongIn('s3-connection', { endpoint: 'http://127.0.0.1:9000', connectTimeout: '0.5' }),
      [],
    );
  });

  it('tells wrong settings of a layout', () => {
    for (const topic of ['PLANT/DEVICE', 'plants/+PLANT/#REST', '"weld"/PLANT', '#']) {
      assert.deepEqual(wrongIn('archive-layout', { topic }), [], topic);
    }
    for (const topic of ['A/#/B', 'a b', 'A/A', 'time/A', 'a/b+/+C', '{A}']) {
      assert.deepEqual(wrongIn('archive-layout', { topic }), ['topic'], topic);
    }
    const wrong = {
      timeSource: 'field',
      timeField: '',
      timeFormat: 'HHmm',
      timeZone: 'Mars/Base',
      key: 'PLANT',
      buckets: [{ topic: '#', bucket: '{{PLANT}}' }],
      unmatchedBucket: 'U',
      objectName: '{{first}}',
    };
    assert.deepEqual(wrongIn('archive-layout', wrong), Object.keys(wrong).slice(1));
    const right = {
      ...wrong,
      topic: 'PLANT/DEVICE',
      timeField: 'weldspot.Timestamp',
      timeFormat: 'yyyyMMdd HHmmss',
      timeZone: 'Europe/Berlin',
      key: 'PLANT/Timestamp',
      unmatchedBucket: 'unmatched',
      objectName: '{{DEVICE}}/{{first yyyyMMdd}}-{{batch}}',
    };
    assert.deepEqual(wrongIn('archive-layout', right), []);
    // What does not apply is not looked at.
    assert.deepEqual(wrongIn('archive-layout', { timeZone: 'Mars/Base', timeField: '' }), []);
  });

  it('tells wrong limits of a batch', () => {
    const wrong = { count: '1.5', bytes: '-1', age: 'x', flushTopic: 'a+b', uploads: '0', blockSize: '0' };
    const names = ['connection', ...Object.keys(wrong)];
    assert.deepEqual(wrongIn('s3-batch-out', wrong), names);
    assert.deepEqual(wrongIn('s3-batch-out', { count: '', bytes: '0', flushTopic: 'flush/#' }), [
      'connection',
    ]);
  });
});
