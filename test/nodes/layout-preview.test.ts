import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, connection, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import { RecentMessages, recentMessagesOf, shareRecentMessages } from '../../nodes/common/recent-messages';
import type { BatchOutNode } from '../../nodes/common/types';
import type { PreviewAnswer, Sample } from '../../nodes/common/preview-messages';
import { weld } from './archive';

describe('recent messages', () => {
  const bytes = (text: string): Buffer => Buffer.from(text);

  it('are one of each topic, the latest first', () => {
    const recent = new RecentMessages();
    recent.add('a', bytes('1'), 0);
    recent.add('b', bytes('2'), 1);
    recent.add('a', bytes('3'), 2);
    assert.deepEqual(
      recent.list().map(({ topic, payload }) => [topic, payload?.toString()]),
      [
        ['a', '3'],
        ['b', '2'],
      ],
    );
  });

  it('are bounded: in topics, in bytes, and in how many are looked at', () => {
    const recent = new RecentMessages();
    for (let topic = 0; topic < 1000; topic++) recent.add(`t${topic}`, bytes('x'), 5);
    assert.equal(recent.list().length, 20);
    assert.equal(recent.list()[0]?.topic, 't19', 'the others came too soon');
    recent.add('later', bytes('x'), 2005);
    assert.deepEqual([recent.list().length, recent.list()[0]?.topic], [20, 'later']);
    recent.add('long', Buffer.alloc(16 * 1024 + 1), 2006);
    assert.deepEqual(recent.list()[0], { topic: 'long', payload: undefined });
    recent.add('t'.repeat(1025), bytes('x'), 2007);
    assert.equal(recent.list()[0]?.topic, 'long');
  });

  it('are taken again when the clock was set back', () => {
    const recent = new RecentMessages();
    for (let count = 0; count < 20; count++) recent.add('then', bytes('x'), 1e12);
    recent.add('now', bytes('x'), 1e11);
    assert.equal(recent.list()[0]?.topic, 'now');
  });

  it('are copies', () => {
    const recent = new RecentMessages();
    const payload = bytes('before');
    recent.add('t', payload, 0);
    payload.write('after!');
    assert.equal(recent.list()[0]?.payload?.toString(), 'before');
  });

  it('are found by the layout as long as they are shared', () => {
    const [one, other] = [new RecentMessages(), new RecentMessages()];
    const stop = [shareRecentMessages('shared', one), shareRecentMessages('shared', other)];
    one.add('a', bytes('1'), 0);
    other.add('b', bytes('2'), 0);
    assert.deepEqual(
      recentMessagesOf('shared').map(({ topic }) => topic),
      ['a', 'b'],
    );
    for (const end of stop) end();
    assert.deepEqual(recentMessagesOf('shared'), []);
  });
});

describe('the preview that dialogues ask for', () => {
  const runner = useFlows();
  let embedded: TestStore;
  before(async () => {
    embedded = await startTestStore();
    await embedded.createBucket('plant-7');
    await embedded.createBucket('unmatched');
  });
  after(() => embedded.stop());

  async function ask(body: object): Promise<PreviewAnswer> {
    const { status, body: answer } = await runner.current.request('post', '/s3-batch/preview', body);
    assert.equal(status, 200);
    return answer as PreviewAnswer;
  }

  it('names the very object, series and time that the node then has', async () => {
    const flow = runner.current;
    const layout = weldingLayout();
    await flow.load([tab(), connection(embedded.server.url), layout, batchOut()]);
    const message = weld('PLANT-7', 'WELDER-1', '20181001 171035');
    const { topic } = message;
    const answer = await ask({
      settings: layout,
      topic,
      payload: message.payload.toString(),
      isBase64: false,
    });
    assert.ok('preview' in answer, JSON.stringify(answer));

    await flow.send('out', message);
    const objects = (await (flow.node('out') as BatchOutNode).flush?.()) ?? [];
    assert.equal(objects.length, 1);
    const { bucket, key, batch: id } = objects[0]!;
    assert.equal(answer.preview.bucket, bucket);
    assert.equal(answer.preview.objectName.replace('01k9x2m7q0c4v8t6s1r3', id), key);
    assert.equal(answer.preview.time, '2018-10-01T17:10:35.000Z');
    assert.deepEqual(answer.preview.notes, []);
  });

  it('follows settings that are not saved, and says what is wrong with them', async () => {
    await runner.current.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut()]);
    const sample = { topic: 'a/b', payload: '{}', isBase64: false };
    const changed = await ask({
      settings: { topic: 'X/Y', buckets: [{ topic: '#', bucket: 'b-{{Y}}' }] },
      ...sample,
    });
    assert.ok('preview' in changed);
    assert.equal(changed.preview.bucket, 'b-b');
    assert.equal(changed.preview.bucketRow, 1);
    const wrong = await ask({ settings: { objectName: 'x' }, ...sample });
    assert.ok('problem' in wrong);
    assert.match(wrong.problem, /lacks \{\{batch\}\}/);
    const newer = await ask({ settings: { version: 99 }, ...sample });
    assert.ok('problem' in newer);
    assert.match(newer.problem, /have version 99/);
  });

  it('takes what is no request, or too long, for no request', async () => {
    await runner.current.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut()]);
    const right = { settings: {}, topic: 't', payload: 'p', isBase64: false };
    for (const body of [
      {},
      { ...right, settings: null },
      { ...right, topic: 1 },
      { ...right, payload: {} },
      { ...right, instance: {} },
      { ...right, settings: { buckets: 'x' } },
      { ...right, settings: { topic: { a: 1 } } },
      { ...right, payload: 'x'.repeat(1024 * 1024) },
      { ...right, settings: { comment: 'x'.repeat(32 * 1024) } },
    ]) {
      assert.ok('problem' in (await ask(body)), JSON.stringify(body).slice(0, 100));
    }
  });

  it('does not blow up what is compressed', async () => {
    await runner.current.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut()]);
    const payload = gzipSync(Buffer.alloc(20 * 1024 * 1024)).toString('base64');
    const settings = { topic: 'COMPRESSED/X', compressedLevel: 'COMPRESSED', decompressLimit: 1000 };
    const answer = await ask({ settings, topic: 'GZIP/x', payload, isBase64: true });
    assert.ok('preview' in answer);
    assert.ok(answer.preview.notes.includes('notDecompressed'));
  });

  it('offers what nodes with the layout took lately, and nothing of others', async () => {
    const flow = runner.current;
    await flow.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut()]);
    await flow.send('out', weld('PLANT-7', 'WELDER-1', '20181001 171035'));
    await flow.send('out', { topic: 'binary', payload: Buffer.from([0xff, 0]) });
    const samples = async (path: string): Promise<Sample[]> =>
      (await flow.request('get', `/s3-batch/samples${path}`)).body as Sample[];
    const found = await samples('/layout');
    assert.deepEqual(found[0], { topic: 'binary', payload: '/wA=', isBase64: true });
    assert.equal(found[1]?.isBase64, false);
    assert.match(found[1].payload ?? '', /weldspot/);
    assert.deepEqual(await samples('/other'), []);
    assert.deepEqual(await samples('/'), []);
    // What a deleted node still had would be told in the logs of the tests after this one.
    await (flow.node('out') as BatchOutNode).flush?.();
    await flow.deploy([tab(), connection(embedded.server.url), weldingLayout()]);
    assert.deepEqual(await samples('/layout'), []);
  });
});
