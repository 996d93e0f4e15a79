import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Fault, FaultRequest } from '../../../embedded/s3-server';
import type { ErrorCode } from '../../../lib/errors';
import { S3Store, type S3StoreOptions } from '../../../lib/store/s3-store';
import { BUCKET, startEmbedded, type Embedded } from './embedded';
import { assertNoSecrets, collect, PLAIN } from './support';

describe('an S3 store whose service misbehaves', () => {
  let embedded: Embedded;
  let store: S3Store;
  const stores: S3Store[] = [];
  const content = randomBytes(1_000_000);
  let etag: string;

  const connect = (options: Partial<S3StoreOptions> = {}): S3Store => {
    const made = new S3Store({ ...embedded.options, ...options });
    stores.push(made);
    return made;
  };
  before(async () => {
    embedded = await startEmbedded();
    ({ etag } = await connect().put(BUCKET, 'o', content, PLAIN));
  });
  beforeEach(() => {
    // One for each test: the SDK tries less often after many failures.
    store = connect();
    embedded.server.stats.reset();
  });
  afterEach(() => embedded.server.faults.clear());
  after(async () => {
    for (const made of stores) made.destroy();
    await embedded.stop();
  });

  /** The error of a call, which must have this code and show no secret. */
  async function failure(call: Promise<unknown>, code: ErrorCode, message = /./): Promise<void> {
    await assert.rejects(call, (error: { code: string; message: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assertNoSecrets(error);
      return true;
    });
  }
  const fault = (kind: Fault): unknown => embedded.server.faults.add(kind);
  const range = (offset = 0, length = 100_000) => store.getRange(BUCKET, 'o', { offset, length });

  describe('and answers with an error', () => {
    for (const [status, code, expected] of [
      [403, 'AccessDenied', 'ACCESS_DENIED'],
      [400, 'ExpiredToken', 'CREDENTIALS_INVALID'],
      [403, 'RequestTimeTooSkewed', 'CLOCK_SKEWED'],
      [500, 'InternalError', 'STORE_REFUSED'],
      [503, undefined, 'STORE_BUSY'],
      [502, undefined, 'STORE_REFUSED'],
      [400, undefined, 'STORE_REFUSED'],
      [405, 'MethodNotAllowed', 'STORE_REFUSED'],
    ] as const) {
      it(`${status} ${code ?? 'without a body'}, as ${expected}, whatever was asked`, async () => {
        fault({ kind: 'status', status, ...(code !== undefined && { code }) });
        await failure(store.put(BUCKET, 'p', content, PLAIN), expected);
        await failure(store.head(BUCKET, 'o'), expected);
        await failure(range(), expected);
        await failure(collect(store.list(BUCKET)), expected);
        await failure(store.buckets(), expected);
        await failure(store.delete(BUCKET, 'p'), expected);
      });
    }

    // The SDK waits a second or two before it asks a busy store again.
    for (const [status, code] of [
      [503, 'SlowDown'],
      [429, 'TooManyRequests'],
    ] as const) {
      it(`${status} ${code}, as STORE_BUSY`, async () => {
        fault({ kind: 'status', status, code });
        await failure(store.put(BUCKET, 'p', content, PLAIN), 'STORE_BUSY');
        assert.equal(embedded.server.stats.of('PutObject'), 3);
      });
    }

    it('that names another region', async () => {
      const headers = { 'x-amz-bucket-region': 'eu-central-1' };
      fault({ kind: 'status', status: 301, code: 'PermanentRedirect', headers });
      await failure(store.put(BUCKET, 'p', content, PLAIN), 'STORE_REFUSED', /in region eu-central-1/);
      await failure(store.head(BUCKET, 'o'), 'STORE_REFUSED', /in region eu-central-1/);
      embedded.server.faults.clear();
      await failure(
        connect({ region: 'eu-west-1' }).head(BUCKET, 'o'),
        'STORE_REFUSED',
        /in region us-east-1.*\(it is eu-west-1\)/,
      );
    });

    it('about attributes that are too large', async () => {
      const attributes = { first: 'x'.repeat(1500), second: 'y'.repeat(1000) };
      await failure(
        store.put(BUCKET, 'p', content, { ...PLAIN, attributes }),
        'STORE_REFUSED',
        /attributes.*2 KB/,
      );
    });

    it('once, and then does what it was asked', async () => {
      for (const kind of [
        { kind: 'status', status: 500, code: 'InternalError' },
        { kind: 'status', status: 503, code: 'SlowDown' },
        { kind: 'reset' },
        { kind: 'reset', when: 'after' },
      ] as const) {
        fault({ ...kind, times: 1 });
        await store.put(BUCKET, 'once', content, PLAIN);
      }
      assert.equal(embedded.server.stats.of('PutObject'), 8);
    });
  });

  describe('and breaks off', () => {
    it('every attempt', async () => {
      fault({ kind: 'reset' });
      await failure(store.put(BUCKET, 'p', content, PLAIN), 'STORE_UNREACHABLE', /ECONNRESET/);
      assert.equal(embedded.server.stats.of('PutObject'), 3);
      await failure(store.head(BUCKET, 'o'), 'STORE_UNREACHABLE');
      await failure(range(), 'STORE_UNREACHABLE');
      await failure(collect(store.list(BUCKET)), 'STORE_UNREACHABLE');
    });

    it('after it has stored the object: the next attempt finds it there', async () => {
      fault({ kind: 'reset', when: 'after', times: 1 });
      await failure(store.put(BUCKET, 'own', content, { ...PLAIN, ifNoneMatch: true }), 'OBJECT_EXISTS');
      assert.equal((await store.head(BUCKET, 'own')).etag, etag);
    });

    it('in the middle of a range', async () => {
      for (const bytes of [0, 1, 50_000, 99_999]) {
        fault({ kind: 'torn', bytes, times: 1 });
        await failure(range(), 'STORE_UNREACHABLE');
      }
    });

    it('in the middle of a listing', async () => {
      fault({ kind: 'torn', match: ({ operation }) => operation === 'ListObjectsV2' });
      await failure(collect(store.list(BUCKET)), 'STORE_UNREACHABLE');
    });
  });

  describe('and is slow', () => {
    const timed = async (call: Promise<unknown>, code: ErrorCode, atMost: number): Promise<void> => {
      const start = Date.now();
      await failure(call, code);
      assert.ok(Date.now() - start < atMost, `took ${Date.now() - start} ms`);
    };

    it('so that it never answers', async () => {
      const impatient = connect({ requestTimeoutMs: 200 });
      await impatient.head(BUCKET, 'o');
      fault({ kind: 'hang' });
      await timed(impatient.put(BUCKET, 'p', Buffer.from('x'), PLAIN), 'STORE_TIMEOUT', 4000);
      await timed(impatient.head(BUCKET, 'o'), 'STORE_TIMEOUT', 4000);
      await timed(impatient.getRange(BUCKET, 'o', { suffix: 10 }), 'STORE_TIMEOUT', 4000);
      await timed(collect(impatient.list(BUCKET)), 'STORE_TIMEOUT', 4000);
      await timed(impatient.buckets(), 'STORE_TIMEOUT', 4000);
      await timed(impatient.delete(BUCKET, 'o'), 'STORE_TIMEOUT', 4000);
    });

    it('with a body that never comes to its end', async () => {
      const impatient = connect({ requestTimeoutMs: 300 });
      await impatient.head(BUCKET, 'o');
      fault({ kind: 'slow', bytesPerSecond: 200 });
      await timed(impatient.getRange(BUCKET, 'o', { offset: 0, length: 1000 }), 'STORE_TIMEOUT', 4000);
      await timed(collect(impatient.list(BUCKET)), 'STORE_TIMEOUT', 4000);
    });

    it('and gets the more time, the more bytes there are', async () => {
      const impatient = connect({ requestTimeoutMs: 300 });
      fault({ kind: 'slow', bytesPerSecond: 300_000, times: 1 });
      const { bytes } = await impatient.getRange(BUCKET, 'o', { offset: 0, length: 200_000 });
      assert.ok(bytes.equals(content.subarray(0, 200_000)));
    });

    it('so that it takes no connection', async () => {
      // An address for documentation (RFC 5737): packets to it are lost or refused on the way.
      const nowhere = connect({
        endpoint: 'http://192.0.2.1:9',
        connectTimeoutMs: 100,
        requestTimeoutMs: 1000,
      });
      const start = Date.now();
      await assert.rejects(nowhere.head(BUCKET, 'o'), (error: { code: string }) =>
        ['STORE_TIMEOUT', 'STORE_UNREACHABLE'].includes(error.code),
      );
      assert.ok(Date.now() - start < 5000);
    });

    it('until its caller gives up', async () => {
      fault({ kind: 'hang' });
      for (const call of [
        (signal: AbortSignal) => store.put(BUCKET, 'p', content, { ...PLAIN, signal }),
        (signal: AbortSignal) => store.head(BUCKET, 'o', { signal }),
        (signal: AbortSignal) => store.getRange(BUCKET, 'o', { suffix: 10 }, { signal }),
        (signal: AbortSignal) => collect(store.list(BUCKET, { signal })),
        (signal: AbortSignal) => store.buckets({ signal }),
        (signal: AbortSignal) => store.delete(BUCKET, 'o', { signal }),
      ]) {
        await timed(call(AbortSignal.timeout(50)), 'ABORTED', 4000);
      }
    });

    it('until its caller gives up in the middle of a body', async () => {
      fault({ kind: 'slow', bytesPerSecond: 1000 });
      const signal = AbortSignal.timeout(100);
      await timed(store.getRange(BUCKET, 'o', { offset: 0, length: 100_000 }, { signal }), 'ABORTED', 4000);
    });
  });

  describe('and sends what was not asked for', () => {
    it('the whole object instead of a range, of which next to nothing is read', async () => {
      await store.put(BUCKET, 'large', randomBytes(30_000_000), PLAIN);
      fault({ kind: 'ignore-range' });
      embedded.server.stats.reset();
      await failure(
        store.getRange(BUCKET, 'large', { offset: 0, length: 1000 }),
        'STORE_PROTOCOL',
        /whole object \(200\)/,
      );
      await failure(
        store.getRange(BUCKET, 'large', { suffix: 1000 }),
        'STORE_PROTOCOL',
        /whole object \(200\)/,
      );
      assert.ok(
        embedded.server.stats.bytesSent < 20_000_000,
        `${embedded.server.stats.bytesSent} bytes were sent`,
      );
    });

    it('the whole object where the range covers it', async () => {
      fault({ kind: 'ignore-range' });
      const part = await store.getRange(BUCKET, 'o', { offset: 0, length: 2_000_000 });
      assert.ok(part.bytes.equals(content));
      assert.deepEqual([part.offset, part.size], [0, content.length]);
      assert.ok((await store.getRange(BUCKET, 'o', { suffix: 1_000_000 })).bytes.equals(content));
    });

    it('another range, or one that it does not name', async () => {
      for (const contentRange of [
        'bytes 1-100000/1000000',
        'bytes 0-99999/*',
        'bytes 0-99998/1000000',
        'nonsense',
        undefined,
      ]) {
        fault({ kind: 'headers', headers: { 'content-range': contentRange }, times: 1 });
        await failure(range(), 'STORE_PROTOCOL', /asked for|range/);
      }
    });

    it('another object than the one that was begun', async () => {
      fault({ kind: 'headers', headers: { etag: '"another"' }, times: 1 });
      await failure(store.getRange(BUCKET, 'o', { suffix: 10 }, { etag }), 'OBJECT_CHANGED');
      assert.equal((await store.getRange(BUCKET, 'o', { suffix: 10 }, { etag })).etag, etag);
      assert.equal(
        (await store.getRange(BUCKET, 'o', { suffix: 10 }, { etag: etag.replaceAll('"', '') })).etag,
        etag,
      );
    });

    it('no entity tag', async () => {
      fault({ kind: 'headers', headers: { etag: undefined } });
      await failure(store.put(BUCKET, 'p', content, PLAIN), 'STORE_PROTOCOL');
      await failure(store.head(BUCKET, 'o'), 'STORE_PROTOCOL');
      await failure(range(), 'STORE_PROTOCOL');
    });

    it('a web page, or nothing', async () => {
      for (const body of [
        '<!doctype html><title>Welcome</title><p>hello',
        '<html><body>hello</body></html>',
        'hello',
        '',
      ]) {
        for (const status of [200, 404, 500]) {
          fault({ kind: 'body', status, contentType: 'text/html', body });
          const codes =
            status === 200
              ? ['STORE_PROTOCOL']
              : ['STORE_REFUSED', 'OBJECT_MISSING', 'BUCKET_MISSING', 'STORE_PROTOCOL'];
          for (const call of [
            () => store.put(BUCKET, 'p', content, PLAIN),
            () => store.head(BUCKET, 'o'),
            () => range(),
            () => collect(store.list(BUCKET)),
            () => store.buckets(),
          ]) {
            await assert.rejects(call(), ({ code, message }: { code: string; message: string }) => {
              assert.ok(codes.includes(code), `${status} ${body}: ${message}`);
              return true;
            });
          }
          embedded.server.faults.clear();
        }
      }
    }).timeout(60_000);

    it('a listing that goes round in circles', async () => {
      await store.put(BUCKET, 'p2', content, PLAIN);
      const page = (token: string): string =>
        `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>${token}</ListBucketResult>`;
      for (const token of ['', '<NextContinuationToken>same</NextContinuationToken>']) {
        fault({ kind: 'body', status: 200, contentType: 'application/xml', body: page(token) });
        await failure(collect(store.list(BUCKET)), 'STORE_PROTOCOL', /how to go on/);
        embedded.server.faults.clear();
      }
    });

    it('a listing with names that are not URL-encoded, though it says so', async () => {
      const entry = '<Contents><Key>%zz</Key><Size>1</Size><ETag>"x"</ETag></Contents>';
      const body = (encoding: string): string =>
        `<ListBucketResult><Name>b</Name>${encoding}${entry}</ListBucketResult>`;
      const list = { kind: 'body', status: 200, contentType: 'application/xml', times: 1 } as const;
      fault({ ...list, body: body('<EncodingType>url</EncodingType>') });
      await failure(collect(store.list(BUCKET)), 'STORE_PROTOCOL', /URL-encoded/);
      fault({ ...list, body: body('') });
      assert.deepEqual(
        (await collect(store.list(BUCKET))).map(({ key }) => key),
        ['%zz'],
      );
    });
  });

  describe('and answers HEAD without saying why', () => {
    const on = (operation: FaultRequest['operation']) => (request: FaultRequest) =>
      request.operation === operation;

    it('so that a GET of one byte has to', async () => {
      fault({ kind: 'status', status: 403, match: on('HeadObject') });
      fault({ kind: 'status', status: 403, code: 'RequestTimeTooSkewed', match: on('GetObject') });
      await failure(store.head(BUCKET, 'o'), 'CLOCK_SKEWED');
      embedded.server.faults.clear();
      embedded.server.stats.reset();
      await failure(store.head('no-such-bucket', 'o'), 'BUCKET_MISSING');
      await failure(store.head(BUCKET, 'none'), 'OBJECT_MISSING');
      assert.deepEqual(
        [embedded.server.stats.of('HeadObject'), embedded.server.stats.of('GetObject')],
        [2, 2],
      );
      assert.equal(embedded.server.stats.bytesSent < 2000, true);
    });

    it('and the object has come into being in between', async () => {
      for (const [status, key] of [
        [404, 'o'],
        [403, 'o'],
        [404, 'empty'],
      ] as const) {
        await store.put(BUCKET, 'empty', Buffer.alloc(0), PLAIN);
        fault({ kind: 'status', status, match: on('HeadObject'), times: 1 });
        await failure(store.head(BUCKET, key), status === 404 ? 'OBJECT_MISSING' : 'ACCESS_DENIED');
      }
    });
  });

  describe('and is not there', () => {
    it('at this port', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise((resolve) => server.close(resolve));
      const refused = connect({ endpoint: `http://127.0.0.1:${port}` });
      await failure(
        refused.put(BUCKET, 'o', content, PLAIN),
        'STORE_UNREACHABLE',
        new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`),
      );
    });

    it('at this host', async () => {
      await failure(
        connect({ endpoint: 'http://no-such-host.invalid' }).head(BUCKET, 'o'),
        'STORE_UNREACHABLE',
      );
    });

    it('for S3, but speaks another protocol', async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined).resume();
        socket.end('220 mail.example.org ESMTP\r\n');
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      await failure(connect({ endpoint: `http://127.0.0.1:${port}` }).head(BUCKET, 'o'), 'STORE_PROTOCOL');
      await new Promise((resolve) => server.close(resolve));
    });
  });

  it('ends with it what is under way, and whatever comes later', async () => {
    fault({ kind: 'hang' });
    const closing = connect();
    const call = failure(closing.head(BUCKET, 'o'), 'ABORTED', /connection was closed/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    closing.destroy();
    await call;
    embedded.server.faults.clear();
    await failure(closing.head(BUCKET, 'o'), 'ABORTED');
    closing.destroy();
    const unused = connect();
    unused.destroy();
    await failure(unused.head(BUCKET, 'o'), 'ABORTED');
  });

  it('serves many calls at once without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const { signal } = new AbortController();
    await Promise.all(
      Array.from({ length: 100 }, () => store.getRange(BUCKET, 'o', { suffix: 100 }, { signal })),
    );
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  it('loads the SDK on its first use, and not before', async () => {
    const script = `
      const { S3Store } = require(${JSON.stringify(path.resolve(__dirname, '../../../lib/store/s3-store.js'))});
      const loaded = () => Object.keys(require.cache).filter((file) => /@aws-sdk.client-s3.dist-cjs.index/.test(file)).length;
      const store = new S3Store(JSON.parse(process.argv[1]));
      const before = loaded();
      Promise.all([1, 2, 3].map(() => store.head('${BUCKET}', 'o'))).then(
        (heads) => { console.log(JSON.stringify([before, loaded(), heads.map(({ size }) => size)])); store.destroy(); },
      );`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '-e',
      script,
      JSON.stringify(embedded.options),
    ]);
    const [before, after, sizes] = JSON.parse(stdout) as [number, number, number[]];
    assert.deepEqual([before, after, sizes], [0, 1, [1_000_000, 1_000_000, 1_000_000]]);
  });
});
