import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import type { Fault, S3Server } from '../../embedded/s3-server';
import { until } from '../support/fake-clock';
import { BUCKET, Harness } from './harness';
import { rawRequest, type RawAnswer } from './raw';

describe('faults of the embedded S3 server', () => {
  const harness = new Harness();
  let server: S3Server;
  let client: S3Client;
  before(async () => {
    ({ server, client } = await harness.startWithBucket());
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'o', Body: '0123456789' }));
  });
  afterEach(() => server.faults.clear());
  after(() => harness.cleanUp());

  const get = (headers: Record<string, string> = {}): Promise<RawAnswer> =>
    rawRequest(server, { method: 'GET', path: `/${BUCKET}/o`, headers });
  const put = (key: string): Promise<RawAnswer> =>
    rawRequest(server, { method: 'PUT', path: `/${BUCKET}/${key}`, body: 'x' });
  const isThere = (key: string): Promise<boolean> =>
    client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key })).then(
      () => true,
      () => false,
    );
  const without = (fault: Fault): Fault => ({ ...fault, times: 1 });

  it('meet the requests that they are for, as often as they are to', async () => {
    server.faults.add({
      kind: 'status',
      status: 503,
      code: 'SlowDown',
      times: 2,
      match: ({ operation }) => operation === 'GetObject',
    });
    const off = server.faults.add({
      kind: 'status',
      status: 500,
      match: ({ key, method }) => key === 'p' && method === 'PUT',
    });
    assert.deepEqual(
      [(await get()).code, (await put('other')).status, (await get()).code],
      ['SlowDown', 200, 'SlowDown'],
    );
    assert.equal((await get()).status, 200);
    for (let i = 0; i < 3; i++) assert.equal((await put('p')).status, 500);
    off();
    assert.equal((await put('p')).status, 200);
  });

  it('answer a status, with and without a body', async () => {
    server.faults.add(
      without({
        kind: 'status',
        status: 301,
        code: 'PermanentRedirect',
        headers: { 'x-amz-bucket-region': 'eu-west-1' },
      }),
    );
    const redirect = await get();
    assert.deepEqual(
      [redirect.status, redirect.code, redirect.headers['x-amz-bucket-region']],
      [301, 'PermanentRedirect', 'eu-west-1'],
    );
    server.faults.add(without({ kind: 'status', status: 400 }));
    const bare = await get();
    assert.deepEqual([bare.status, bare.body.length], [400, 0]);
    server.faults.add(without({ kind: 'body', status: 200, contentType: 'text/html', body: '<html>' }));
    assert.equal((await get()).body.toString(), '<html>');
  });

  it('come before or after an object is stored', async () => {
    for (const [when, stored] of [
      ['before', false],
      ['after', true],
    ] as const) {
      server.faults.add({ kind: 'reset', when, times: 1 });
      await assert.rejects(put(`reset-${when}`), { code: 'ECONNRESET' });
      assert.equal(await isThere(`reset-${when}`), stored);
      server.faults.add({ kind: 'status', status: 500, when, times: 1 });
      assert.equal((await put(`status-${when}`)).status, 500);
      assert.equal(await isThere(`status-${when}`), stored);
      server.faults.add({ kind: 'hang', when, times: 1 });
      const hanging = put(`hang-${when}`).then(
        () => 'answered',
        () => 'broken off',
      );
      const waited = new Promise((resolve) => setTimeout(() => resolve('waited'), 150));
      assert.equal(await Promise.race([hanging, waited]), 'waited');
      await until('it to be stored', async () => (await isThere(`hang-${when}`)) === stored);
    }
  });

  it('delay, slow down and tear answers', async () => {
    server.faults.add(without({ kind: 'delay', ms: 120 }));
    let start = Date.now();
    assert.equal((await get()).body.toString(), '0123456789');
    assert.ok(Date.now() - start >= 115);
    server.faults.add(without({ kind: 'slow', bytesPerSecond: 100 }));
    start = Date.now();
    assert.equal((await get()).body.toString(), '0123456789');
    assert.ok(Date.now() - start >= 95);
    server.faults.add(without({ kind: 'torn', bytes: 3 }));
    await assert.rejects(get(), { code: 'ECONNRESET' });
    server.faults.add(without({ kind: 'torn' }));
    server.stats.reset();
    await assert.rejects(get(), { code: 'ECONNRESET' });
    assert.equal(server.stats.bytesSent, 5);
  });

  it('change what an answer says of itself', async () => {
    const range = { range: 'bytes=2-4' };
    server.faults.add(without({ kind: 'ignore-range' }));
    const whole = await get(range);
    assert.deepEqual([whole.status, whole.body.toString()], [200, '0123456789']);
    server.faults.add(
      without({ kind: 'headers', headers: { 'content-range': 'bytes 3-5/10', etag: undefined } }),
    );
    const shifted = await get(range);
    assert.deepEqual([shifted.headers['content-range'], shifted.headers.etag], ['bytes 3-5/10', undefined]);
    assert.equal(shifted.body.toString(), '234');
    await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'o' }));
  });
});
