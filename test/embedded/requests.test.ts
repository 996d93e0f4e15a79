import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { S3Server } from '../../embedded/s3-server';
import { until } from '../support/fake-clock';
import { BUCKET, Harness, KEYS } from './harness';
import { exchange, rawRequest, sign } from './raw';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the embedded S3 server, asked by hand', () => {
  const harness = new Harness();
  let server: S3Server;
  let client: S3Client;
  let folder: string;
  before(async () => {
    folder = await harness.folder();
    ({ server, client } = await harness.startWithBucket({ folder }));
  });
  after(() => harness.cleanUp());

  const put = (headers: Record<string, string>, body: string, payload?: string) =>
    rawRequest(server, {
      method: 'PUT',
      path: `/${BUCKET}/o`,
      headers,
      body,
      ...(payload !== undefined && { payload }),
    });

  it('checks Content-MD5', async () => {
    const md5 = createHash('md5').update('body').digest('base64');
    assert.equal((await put({ 'content-md5': md5 }, 'body')).status, 200);
    assert.equal((await put({ 'content-md5': md5 }, 'other')).code, 'BadDigest');
    assert.equal((await put({ 'content-md5': 'x' }, 'body')).code, 'InvalidDigest');
  });

  it('checks the hash of the body that was signed', async () => {
    assert.equal((await put({}, 'body', sha256('other'))).code, 'XAmzContentSHA256Mismatch');
    assert.equal((await put({}, 'body', sha256('body'))).status, 200);
    assert.equal((await put({}, 'body', 'UNSIGNED-PAYLOAD')).status, 200);
  });

  it('leaves no bytes of what it refused, and goes on serving the connection', async () => {
    const data = path.join(folder, BUCKET, 'data');
    const before = await readdir(data);
    for (let i = 0; i < 5; i++) await put({}, 'x'.repeat(200_000), sha256('other'));
    assert.deepEqual(await readdir(data), before);
    assert.equal((await put({ 'if-none-match': '*' }, 'again')).code, 'PreconditionFailed');
    assert.deepEqual(await readdir(data), before);
  });

  it('leaves no bytes of what a client broke off', async () => {
    const data = path.join(folder, BUCKET, 'data');
    const before = await readdir(data);
    const raw = { method: 'PUT', path: `/${BUCKET}/broken`, payload: 'UNSIGNED-PAYLOAD' };
    const { headers } = sign(raw, `127.0.0.1:${server.port}`);
    const { request } = await import('node:http');
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => {
        const outgoing = request({
          port: server.port,
          host: '127.0.0.1',
          method: 'PUT',
          path: raw.path,
          headers: { ...headers, 'content-length': '1000000' },
        });
        outgoing.on('error', () => undefined);
        outgoing.on('close', resolve);
        outgoing.write('x'.repeat(300_000), () => setTimeout(() => outgoing.destroy(), 20));
      });
    }
    await until('its bytes to be gone', async () => (await readdir(data)).length === before.length);
    assert.deepEqual(await readdir(data), before);
    assert.equal((await rawRequest(server, { method: 'GET', path: `/${BUCKET}/broken` })).code, 'NoSuchKey');
  });

  it('wants headers of Amazon signed, a hash of the body and a length', async () => {
    const unsigned = await rawRequest(server, {
      method: 'PUT',
      path: `/${BUCKET}/o`,
      headers: { 'x-amz-meta-a': 'b' },
      unsigned: ['x-amz-meta-a'],
    });
    assert.equal(unsigned.code, 'AccessDenied');
    const { headers } = sign({ method: 'GET', path: `/${BUCKET}/o` }, `127.0.0.1:${server.port}`);
    delete headers['x-amz-content-sha256'];
    assert.equal((await exchange(server, 'GET', `/${BUCKET}/o`, headers)).code, 'InvalidRequest');
    const chunked = await put({ 'transfer-encoding': 'chunked' }, 'body');
    assert.deepEqual([chunked.status, chunked.code], [411, 'MissingContentLength']);
    assert.equal((await exchange(server, 'GET', `/${BUCKET}/o`, {})).code, 'AccessDenied');
  });

  it('decodes chunks that are signed, with a trailer that is', async () => {
    const body = 'x'.repeat(10_000);
    const crc = 'x-amz-checksum-sha256';
    const raw = {
      method: 'PUT',
      path: `/${BUCKET}/chunks`,
      payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      headers: {
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': '10000',
        'x-amz-trailer': crc,
      },
    };
    const send = async (checksum: string, tamper: (text: string) => string = (text) => text) => {
      const { headers, chunk, seed } = sign(raw, `127.0.0.1:${server.port}`);
      const first = chunk('PAYLOAD', seed, [sha256(''), sha256(body)]);
      const last = chunk('PAYLOAD', first, [sha256(''), sha256('')]);
      const trailer = chunk('TRAILER', last, [sha256(`${crc}:${checksum}\n`)]);
      const text =
        `2710;chunk-signature=${first}\r\n${body}\r\n0;chunk-signature=${last}\r\n` +
        `${crc}:${checksum}\r\nx-amz-trailer-signature:${trailer}\r\n\r\n`;
      return exchange(server, 'PUT', raw.path, headers, tamper(text));
    };
    const checksum = createHash('sha256').update(body).digest('base64');
    const other = createHash('sha256').update('other').digest('base64');
    assert.equal((await send(checksum)).status, 200);
    assert.equal((await rawRequest(server, { method: 'GET', path: raw.path })).body.toString(), body);
    assert.equal((await send(other)).code, 'BadDigest');
    assert.equal(
      (await send(checksum, (text) => text.replace('xxxx', 'xxyx'))).code,
      'SignatureDoesNotMatch',
    );
    assert.equal(
      (await send(checksum, (text) => text.replace(checksum, other))).code,
      'SignatureDoesNotMatch',
    );
    assert.equal((await send(checksum, (text) => text.slice(0, 5000))).code, 'IncompleteBody');
  });

  it('lists names with control characters in XML, and URL-encoded', async () => {
    const key = 'control/\u0001 \r\n&ü+%';
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: 'x' }));
    const plain = await rawRequest(server, {
      method: 'GET',
      path: `/${BUCKET}?list-type=2&prefix=control%2F`,
    });
    assert.match(plain.body.toString(), /<Key>control\/&#1; &#13;&#10;&amp;ü\+%<\/Key>/);
    const encoded = await client.send(
      new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'control/', EncodingType: 'url' }),
    );
    assert.equal(encoded.Contents?.[0]?.Key, 'control/%01%20%0D%0A%26%C3%BC%2B%25');
  });

  it('answers what it does not have with 501, and does not do something else', async () => {
    for (const [method, target] of [
      ['GET', `/${BUCKET}?acl`],
      ['PUT', `/${BUCKET}?versioning`],
      ['PUT', `/${BUCKET}/o?tagging`],
      ['DELETE', `/${BUCKET}?policy`],
      ['DELETE', `/${BUCKET}/o?versionId=1`],
      ['POST', `/${BUCKET}/o`],
      ['PATCH', `/${BUCKET}/o`],
    ] as const) {
      const path = target.includes('?') && !target.includes('=') ? `${target}=` : target;
      assert.equal(
        (await rawRequest(server, { method, path })).code,
        'NotImplemented',
        `${method} ${target}`,
      );
    }
    const copy = await put({ 'x-amz-copy-source': `/${BUCKET}/chunks` }, '');
    assert.equal(copy.code, 'NotImplemented');
    assert.equal((await rawRequest(server, { method: 'GET', path: `/${BUCKET}/%zz` })).code, 'InvalidURI');
    assert.equal(
      (await rawRequest(server, { method: 'GET', path: `/${BUCKET}?list-type=2&max-keys=x` })).code,
      'InvalidArgument',
    );
    assert.equal(
      (await rawRequest(server, { method: 'GET', path: `/${BUCKET}?continuation-token=x&list-type=2` })).code,
      'InvalidArgument',
    );
  });

  it('answers HEAD without a body, whatever it has to say', async () => {
    const answer = await rawRequest(server, { method: 'HEAD', path: `/${BUCKET}/none` });
    assert.deepEqual([answer.status, answer.body.length], [404, 0]);
    await assert.rejects(client.send(new HeadObjectCommand({ Bucket: 'no-such-bucket', Key: 'k' })), {
      name: 'NotFound',
    });
  });

  it('tells a client whose clock or region is off', async () => {
    const late = harness.client(server, { systemClockOffset: 20 * 60_000, maxAttempts: 1 });
    await assert.rejects(late.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'o' })), {
      name: 'RequestTimeTooSkewed',
    });
    const elsewhere = harness.client(server, { region: 'eu-west-1' });
    await assert.rejects(elsewhere.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'o' })), {
      name: 'AuthorizationHeaderMalformed',
      Region: KEYS.region,
    } as object);
  });

  it('lets a client that asks for leave know whether to send its body', async () => {
    const answers: string[] = [];
    const { request } = await import('node:http');
    const ask = (path: string): Promise<number> => {
      const body = 'x'.repeat(100_000);
      const { headers } = sign(
        { method: 'PUT', path, headers: { expect: '100-continue' }, body },
        `127.0.0.1:${server.port}`,
      );
      return new Promise((resolve, reject) => {
        const outgoing = request({
          port: server.port,
          host: '127.0.0.1',
          method: 'PUT',
          path,
          headers: { ...headers, 'content-length': '100000' },
        });
        outgoing.on('error', reject);
        outgoing.on('continue', () => {
          answers.push(`${path} continue`);
          outgoing.end(body);
        });
        outgoing.on('response', (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
          outgoing.destroy();
        });
        outgoing.flushHeaders();
      });
    };
    assert.equal(await ask(`/${BUCKET}/expected`), 200);
    assert.equal(await ask('/no-such-bucket/expected'), 404);
    assert.deepEqual(answers, [`/${BUCKET}/expected continue`]);
  });
});
