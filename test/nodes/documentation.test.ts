import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compileFunction } from 'node:vm';

import { noCounts } from '../../lib/batch/state';
import { textsToExplain, withValues } from '../support/catalogue';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CATALOGS = path.join(REPOSITORY, 'nodes', 'locales', 'en-US');

const read = (...name: string[]): string => readFileSync(path.join(REPOSITORY, ...name), 'utf8');
const troubleshooting = read('docs', 'troubleshooting.md');
const operations = read('docs', 'operations.md');

/** What stands in a page between a heading and the next one of its level or above. */
function section(page: string, heading: string): string {
  const [, level = ''] =
    new RegExp(`^(#+) ${heading}$`, 'm').exec(page) ?? assert.fail(`no heading "${heading}"`);
  const [, rest = ''] = page.split(new RegExp(`^${level} ${heading}$`, 'm'));
  return rest.split(new RegExp(`^#{1,${level.length}} `, 'm'))[0] ?? '';
}

/** The first cell of each row of a section's tables, in code quotes. */
const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = '']) => cell);

describe('docs/troubleshooting.md', () => {
  it('has every error code of the package once, and no other', () => {
    const codes = [...read('lib', 'errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(
      ([, code = '']) => code,
    );
    assert.ok(codes.length > 30);
    assert.deepEqual(firstCells(section(troubleshooting, 'Error codes')).sort(), codes.sort());
  });

  it('has of every error code what a status says of it', () => {
    const catalog = JSON.parse(readFileSync(path.join(CATALOGS, 's3-connection.json'), 'utf8')) as {
      's3-connection': { headline: Record<string, string> };
    };
    const rows = section(troubleshooting, 'Error codes').matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \|/gm);
    const told = Object.fromEntries([...rows].map(([, code = '', text = '']) => [code, text]));
    assert.deepEqual(told, catalog['s3-connection'].headline);
  });

  it('has every status text of every node, and no other', () => {
    for (const file of readdirSync(CATALOGS).filter((name) => name.endsWith('.json'))) {
      const type = path.basename(file, '.json');
      const catalog = JSON.parse(readFileSync(path.join(CATALOGS, file), 'utf8')) as Record<
        string,
        { status?: Record<string, string> }
      >;
      const texts = textsToExplain(catalog[type]?.status ?? {}).map((text) => withValues(text, '…'));
      if (texts.length === 0) continue;
      assert.deepEqual(firstCells(section(troubleshooting, type)).sort(), texts.sort(), type);
    }
  });
});

describe('docs/operations.md', () => {
  const LEDGER = { ...noCounts(), open: 0, waitingObjects: 0, heldBytes: 0, journalBytes: 0 };
  const snippets = [...operations.matchAll(/```js\n(.+?)```/gs)].map(([, code = '']) => code);

  /** The snippet as a function node runs it. */
  function functionNode(
    code: string | undefined,
  ): (msg: Record<string, unknown>) => Record<string, unknown> | null {
    assert.ok(code);
    const kept = new Map<string, unknown>();
    const context = {
      get: (name: string) => kept.get(name),
      set: (name: string, value: unknown) => kept.set(name, value),
    };
    const run = compileFunction(code, ['msg', 'context']) as (
      msg: Record<string, unknown>,
      context: unknown,
    ) => Record<string, unknown> | null;
    return (msg) => run(msg, context);
  }

  it('names fields of the ledger that there are', () => {
    const [table = ''] = section(operations, 'What to watch').split('### An alert');
    const named = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, field = '']) => field),
    );
    const unknown = named.filter((field) => !(field in LEDGER) && field !== 's3');
    assert.deepEqual(unknown, []);
    assert.ok(named.length > 10);
  });

  it('has an alert that says when objects wait, records are refused, and nothing comes', () => {
    const [alert] = snippets;
    const node = functionNode(alert);
    const tell = (changes: Partial<typeof LEDGER>): void => {
      assert.equal(node({ topic: 'stats', payload: { ...LEDGER, ...changes } }), null);
    };
    assert.equal(node({}), null);
    tell({ received: 1 });
    assert.deepEqual(node({})?.payload, ['no record came for a minute']);
    tell({ received: 2, refused: 3 });
    assert.deepEqual(node({})?.payload, ['3 records were refused']);
    for (let minute = 1; minute < 10; minute++) {
      tell({ received: 2 + minute, refused: 3, waitingObjects: 4 });
      assert.equal(node({}), null);
    }
    tell({ received: 20, refused: 3, waitingObjects: 5, journalBytes: 11e9 });
    assert.deepEqual(node({})?.payload, [
      '5 objects wait for the store since 10 minutes',
      'the journal takes 11.0 GB',
    ]);
  });

  it('has metrics in the form that Prometheus reads', () => {
    const node = functionNode(snippets[1]);
    assert.equal(node({ topic: 'stats', payload: { ...LEDGER, received: 7, waitingObjects: 2 } }), null);
    const text = String(node({})?.payload);
    assert.match(text, /^# TYPE s3_batch_received_total counter\ns3_batch_received_total 7$/m);
    assert.match(text, /^# TYPE s3_batch_waiting_objects gauge\ns3_batch_waiting_objects 2$/m);
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# TYPE [a-z0-9_]+ (counter|gauge)|[a-z0-9_]+ \d+)$/);
    }
  });
});

describe('The pages', () => {
  const pages = [
    'README.md',
    ...readdirSync(path.join(REPOSITORY, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];

  /** As GitHub makes them of headings. */
  const anchors = (page: string): string[] => [
    ...[...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
    ...[...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id),
  ];

  for (const name of pages) {
    it(`${name} has links only to what there is`, () => {
      const text = read(name).replace(/```.+?```/gs, '');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [file = '', anchor] = target.split('#');
        const linked = file === '' ? name : path.posix.join(path.posix.dirname(name), file);
        if (anchor === undefined) {
          assert.ok(
            readdirSync(path.join(REPOSITORY, path.dirname(linked))).includes(path.basename(linked)),
            target,
          );
        } else assert.ok(anchors(read(linked)).includes(anchor), `${target} has no such heading`);
      }
    });
  }
});
