import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { startTestStore, type TestStore } from '../support/embedded';
import {
  batchFlush,
  batchOut,
  catchAll,
  connection,
  offsetIndex,
  onTab,
  rangeIn,
  sink,
  tab,
  weldingLayout,
} from '../support/flow';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { weld } from './archive';

const SECRET = 'S3cretAccessKeyOfTheTest/abcdefghijklmnop+';
const TOKEN = 'SessionTokenOfTheTest//0123456789abcdefghij==';

describe('the secrets of a connection', () => {
  const runner = useFlows();
  let embedded: TestStore;
  before(async () => {
    embedded = await startTestStore();
    await embedded.createBucket('secrets');
  });
  after(() => embedded.stop());

  async function load(endpoint: string): Promise<FlowRunner> {
    const flow = runner.current;
    const credentials = { accessKeyId: 'test', secretAccessKey: SECRET, sessionToken: TOKEN };
    await flow.load([
      tab(),
      connection(endpoint, { credentials, connectTimeout: '0.3', requestTimeout: '0.5' }),
      weldingLayout(),
      batchOut({ completion: 'stored' }, 'sink'),
      batchFlush({}, 'sink'),
      offsetIndex({}, 'sink'),
      rangeIn({}, 'sink'),
      catchAll('sink'),
      onTab('statuses', 'status', { scope: null }, 'sink'),
      sink(),
    ]);
    return flow;
  }

  /** Everything that a flow, a log or a person can see, in all its depth. */
  function seen(flow: FlowRunner): string {
    const ids = ['out', 'flush', 'index', 'range'];
    const errors = flow.completions.flatMap(({ error }) => (error ? [error] : []));
    assert.ok(errors.length > 0);
    const all = {
      flows: flow.flows,
      logs: flow.logs,
      errors,
      messages: ids.concat('sink').map((id) => flow.received(id)),
      statuses: ids.map((id) => flow.statuses(id)),
      context: flow.shown,
    };
    const deep = {
      depth: 30,
      showHidden: true,
      maxStringLength: null,
      maxArrayLength: null,
      breakLength: Infinity,
    };
    return [
      inspect(all, deep),
      JSON.stringify({ ...all, logs: undefined }),
      ...errors.map(({ stack, message }) => `${message}\n${stack ?? ''}`),
    ].join('\n');
  }

  const faults: [string, (url: string) => string, () => unknown][] = [
    ['refuses the keys', (url) => url, () => undefined],
    ['is not there', () => 'http://127.0.0.1:9', () => undefined],
    ['never answers', (url) => url, () => embedded.server.faults.add({ kind: 'hang' })],
    [
      'repeats what it was sent',
      (url) => url,
      () =>
        embedded.server.faults.add({
          kind: 'status',
          status: 403,
          code: 'SignatureDoesNotMatch',
          message: `You sent x-amz-security-token=${TOKEN} signed with ${SECRET}`,
        }),
    ],
    [
      'answers with something else',
      (url) => url,
      () =>
        embedded.server.faults.add({
          kind: 'body',
          status: 200,
          contentType: 'text/html',
          body: `<html>${TOKEN} ${SECRET}</html>`,
        }),
    ],
  ];
  for (const [what, endpoint, arm] of faults) {
    it(`show nowhere when the store ${what}`, async () => {
      arm();
      const flow = await load(endpoint(embedded.server.url));
      try {
        flow.give('out', weld('secrets', 'D', '20181001 171035'));
        flow.give('out', { topic: 't' });
        const flush = flow.give('flush', {});
        await flow.send('index', { query: { bucket: 'secrets' } });
        await flow.send('index', { bucket: 'secrets', key: 'x' });
        await flow.send('range', { bucket: 'secrets', key: 'x' });
        await flow.send('range', { bucket: 'secrets', key: 'x', offset: 0, length: 10 });
        if (what !== 'answers with something else') {
          await flow.until('the upload to fail', () => flow.status('out').fill === 'red');
          assert.equal(flow.completionsOf(flush).length, 0);
        }
        const text = seen(flow);
        for (const secret of [
          SECRET,
          TOKEN,
          encodeURIComponent(SECRET),
          Buffer.from(SECRET).toString('base64'),
        ])
          assert.equal(text.includes(secret), false, `${secret.slice(0, 5)}…`);
        assert.doesNotMatch(text, /AWS4-HMAC|Signature=/);
      } finally {
        embedded.server.faults.clear();
        // What waits for the store is stored, or it would be tried for ever.
        const right = { accessKeyId: 'test', secretAccessKey: 'test-secret' };
        const nodes = [
          tab(),
          connection(embedded.server.url, { credentials: right }),
          weldingLayout(),
          batchOut(),
        ];
        await flow.deploy(nodes);
        await flow.until(
          'all to be stored',
          () => flow.counts.stored + flow.counts.refused === flow.counts.received,
        );
      }
    });
  }

  it('are no part of the flow that is exported', async () => {
    const flow = await load(embedded.server.url);
    const exported = flow.flows.find(({ id }) => id === 'connection');
    assert.ok(exported);
    assert.equal('credentials' in exported, false);
    assert.doesNotMatch(JSON.stringify(flow.flows), /S3cret|SessionToken/);
  });

  it('show nowhere when they are in a field that is not for them', async () => {
    const flow = await load(`http://user:${encodeURIComponent(SECRET)}@127.0.0.1:9000`);
    await flow.send('out', weld('secrets', 'D', '20181001 171035'));
    const text = [
      flow.status('out').text,
      ...flow.logged('error'),
      inspect(flow.completions, { depth: 10 }),
    ].join();
    assert.match(text, /user name or a password in it/);
    assert.equal(text.includes(encodeURIComponent(SECRET)) || text.includes(SECRET), false);
  });
});
