import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { shapeOf, textsToExplain } from '../support/catalogue';
import { readHelp } from '../support/help';

const REPOSITORY = path.resolve(__dirname, '../../..');
const read = (...names: string[]): string => readFileSync(path.join(REPOSITORY, ...names), 'utf8');

const { 'node-red': registered } = JSON.parse(read('package.json')) as {
  'node-red': { nodes: Record<string, string> };
};
const SETTINGS = ['s3-connection', 'archive-layout'];
const NODES = Object.keys(registered.nodes).filter((type) => !SETTINGS.includes(type));
const CODES = new Set(
  [...read('lib', 'errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code),
);

/** The members of messages that each node reads, and those that it sets. */
const MEMBERS: Record<string, { inputs: string[]; outputs: string[] }> = {
  's3-batch-out': {
    inputs: ['topic', 'payload', 'flush'],
    outputs: ['bucket', 'key', 'etag', 'topic', 'payload', 'topic', 'payload', 'topic', 'payload'],
  },
  'batch-flush': { inputs: ['destination'], outputs: ['payload'] },
  'batch-backup': { inputs: ['topic', 'payload'], outputs: ['payload', 'topic', 'payload'] },
  'mqtt-ack-in': {
    inputs: ['_msgid'],
    outputs: [
      'topic',
      'payload',
      'qos',
      'retain',
      'dup',
      'responseTopic',
      'correlationData',
      'contentType',
      'userProperties',
      'messageExpiryInterval',
      'payloadFormatIndicator',
    ],
  },
  'offset-index': {
    inputs: ['bucket', 'key', 'from', 'to', 'query'],
    outputs: ['payload.plan', 'payload.objects', 'parts'],
  },
  's3-range-in': {
    inputs: ['payload.objects', 'bucket', 'key', 'offset', 'length', 'etag'],
    outputs: ['payload', 'topic', 'time', 'key', 'series', 'bucket', 'object', 'parts', 'duplicates'],
  },
};

/** The terms under a heading, up to the next of its level. */
function termsUnder(html: string, heading: string): string[] {
  const [, rest = ''] = html.split(`<h3>${heading}</h3>`);
  const { terms } = readHelp(rest.split('<h3>')[0] ?? '');
  return terms.flatMap((term) => term.split(', '));
}

describe('The help in the sidebar', () => {
  for (const type of [...NODES, ...SETTINGS]) {
    describe(type, () => {
      const html = read('nodes', 'locales', 'en-US', `${type}.html`);
      const help = readHelp(html);

      it('is valid HTML, for this node, and says first what the node is for', () => {
        assert.deepEqual(help.faults, []);
        assert.equal(help.type, type);
        assert.deepEqual(help.tags.slice(0, 2), ['script', 'p']);
      });

      it('names error codes that there are, and links over TLS', () => {
        const named = help.text.match(/\b[A-Z]{3,}_[A-Z_]{3,}\b/g) ?? [];
        assert.deepEqual(
          named.filter((code) => !CODES.has(code)),
          [],
        );
        assert.ok(help.links.length > 0);
        for (const link of help.links) assert.match(link, /^https:\/\//);
      });
    });
  }

  for (const type of NODES) {
    describe(type, () => {
      const html = read('nodes', 'locales', 'en-US', `${type}.html`);
      const { headings, terms } = readHelp(html);

      it("has the sections of Node-RED's style guide, in their order", () => {
        assert.deepEqual(
          headings.filter((heading) => heading.startsWith('h3')),
          ['h3 Inputs', 'h3 Outputs', 'h3 Details', 'h3 References'],
        );
        assert.ok(headings.includes('h4 Status'));
        assert.ok(headings.includes('h4 Errors'));
      });

      it('has each output of a node with several', () => {
        const catalog = JSON.parse(read('nodes', 'locales', 'en-US', `${type}.json`)) as Record<
          string,
          { output: unknown }
        >;
        const output = catalog[type]?.output;
        const isOne = typeof output === 'string' || type === 's3-range-in';
        const [, ports = ''] = /<ol class="node-ports">(.*)<\/ol>/s.exec(html) ?? [];
        const items = [...ports.matchAll(/^ {8}<li>(.+)$/gm)].length;
        assert.equal(items, isOne ? 0 : Object.keys(output as object).length);
      });

      it('has every member of messages that the node reads or sets', () => {
        assert.deepEqual(
          { inputs: termsUnder(html, 'Inputs'), outputs: termsUnder(html, 'Outputs') },
          MEMBERS[type],
        );
      });

      it('explains every status', () => {
        const catalog = JSON.parse(read('nodes', 'locales', 'en-US', `${type}.json`)) as Record<
          string,
          { status: Record<string, string> }
        >;
        const texts = textsToExplain(catalog[type]?.status ?? {});
        assert.ok(texts.length > 0);
        const explained = terms.flatMap((term) => [term, ...term.split(' · ')]);
        for (const text of texts) {
          assert.ok(
            explained.some((term) => shapeOf(text).test(term)),
            `nothing explains "${text}"`,
          );
        }
      });
    });
  }
});
