import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ErrorCode } from '../../../lib/errors';
import { BUCKET } from './embedded';
import { collect, PLAIN, useEmbedded } from './support';

describe('an S3 store whose service misbehaves', () => {
  const fixture = useEmbedded();
  const { content, connect, failure, fault, range } = fixture;

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
        await failure(fixture.store.put(BUCKET, 'p', content, PLAIN), expected);
        await failure(fixture.store.head(BUCKET, 'o'), expected);
        await failure(range(), expected);
        await failure(collect(fixture.store.list(BUCKET)), expected);
        await failure(fixture.store.buckets(), expected);
        await failure(fixture.store.delete(BUCKET, 'p'), expected);
      });
    }

    // The SDK waits a second or two before it asks a busy store again.
    for (const [status, code] of [
      [503, 'SlowDown'],
      [429, 'TooManyRequests'],
    ] as const) {
      it(`${status} ${code}, as STORE_BUSY`, async () => {
        fault({ kind: 'status', status, code });
        await failure(fixture.store.put(BUCKET, 'p', content, PLAIN), 'STORE_BUSY');
        assert.equal(fixture.embedded.server.stats.of('PutObject'), 3);
      });
    }

    it('that names another region', async () => {
      const headers = { 'x-amz-bucket-region': 'eu-central-1' };
      fault({ kind: 'status', status: 301, code: 'PermanentRedirect', headers });
      await failure(
        fixture.store.put(BUCKET, 'p', content, PLAIN),
        'STORE_REFUSED',
        /in region eu-central-1/,
      );
      await failure(fixture.store.head(BUCKET, 'o'), 'STORE_REFUSED', /in region eu-central-1/);
      fixture.embedded.server.faults.clear();
      await failure(
        connect({ region: 'eu-west-1' }).head(BUCKET, 'o'),
        'STORE_REFUSED',
        /in region us-east-1.*\(it is eu-west-1\)/,
      );
    });

    it('about attributes that are too large', async () => {
      const attributes = { first: 'x'.repeat(1500), second: 'y'.repeat(1000) };
      await failure(
        fixture.store.put(BUCKET, 'p', content, { ...PLAIN, attributes }),
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
        await fixture.store.put(BUCKET, 'once', content, PLAIN);
      }
      assert.equal(fixture.embedded.server.stats.of('PutObject'), 8);
    });
  });

  describe('and breaks off', () => {
    it('every attempt', async () => {
      fault({ kind: 'reset' });
      await failure(fixture.store.put(BUCKET, 'p', content, PLAIN), 'STORE_UNREACHABLE', /ECONNRESET/);
      assert.equal(fixture.embedded.server.stats.of('PutObject'), 3);
      await failure(fixture.store.head(BUCKET, 'o'), 'STORE_UNREACHABLE');
      await failure(range(), 'STORE_UNREACHABLE');
      await failure(collect(fixture.store.list(BUCKET)), 'STORE_UNREACHABLE');
    });

    it('after it has stored the object: the next attempt finds it there', async () => {
      fault({ kind: 'reset', when: 'after', times: 1 });
      await failure(
        fixture.store.put(BUCKET, 'own', content, { ...PLAIN, ifNoneMatch: true }),
        'OBJECT_EXISTS',
      );
      assert.equal((await fixture.store.head(BUCKET, 'own')).etag, fixture.etag);
    });

    it('in the middle of a range', async () => {
      for (const bytes of [0, 1, 50_000, 99_999]) {
        fault({ kind: 'torn', bytes, times: 1 });
        await failure(range(), 'STORE_UNREACHABLE');
      }
    });

    it('in the middle of a listing', async () => {
      fault({ kind: 'torn', match: ({ operation }) => operation === 'ListObjectsV2' });
      await failure(collect(fixture.store.list(BUCKET)), 'STORE_UNREACHABLE');
    });
  });

  describe('and is slow', () => {
    /** Fails long before any limit that the SDK has by itself. */
    const timed = async (call: Promise<unknown>, code: ErrorCode): Promise<void> => {
      const start = Date.now();
      await failure(call, code);
      assert.ok(Date.now() - start < 15_000, `took ${Date.now() - start} ms`);
    };

    it('so that it never answers', async () => {
      const impatient = connect({ requestTimeoutMs: 200 });
      fault({ kind: 'hang' });
      await timed(impatient.put(BUCKET, 'p', Buffer.from('x'), PLAIN), 'STORE_TIMEOUT');
      await timed(impatient.head(BUCKET, 'o'), 'STORE_TIMEOUT');
      await timed(impatient.getRange(BUCKET, 'o', { suffix: 10 }), 'STORE_TIMEOUT');
      await timed(collect(impatient.list(BUCKET)), 'STORE_TIMEOUT');
      await timed(impatient.buckets(), 'STORE_TIMEOUT');
      await timed(impatient.delete(BUCKET, 'o'), 'STORE_TIMEOUT');
    });

    it('with a body that never comes to its end', async () => {
      const impatient = connect({ requestTimeoutMs: 300 });
      fault({ kind: 'slow', bytesPerSecond: 200 });
      await timed(impatient.getRange(BUCKET, 'o', { offset: 0, length: 1000 }), 'STORE_TIMEOUT');
      await timed(collect(impatient.list(BUCKET)), 'STORE_TIMEOUT');
    });

    it('and gets the more time, the more bytes there are', async () => {
      // Longer in all than the longest silence, and far from the end of its time.
      const impatient = connect({ requestTimeoutMs: 3000 });
      fault({ kind: 'slow', bytesPerSecond: content.length / 3.5, times: 1 });
      const { bytes } = await impatient.getRange(BUCKET, 'o', { offset: 0, length: content.length });
      assert.ok(bytes.equals(content));
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
      assert.ok(Date.now() - start < 15_000);
    });

    it('until its caller gives up', async () => {
      fault({ kind: 'hang' });
      for (const call of [
        (signal: AbortSignal) => fixture.store.put(BUCKET, 'p', content, { ...PLAIN, signal }),
        (signal: AbortSignal) => fixture.store.head(BUCKET, 'o', { signal }),
        (signal: AbortSignal) => fixture.store.getRange(BUCKET, 'o', { suffix: 10 }, { signal }),
        (signal: AbortSignal) => collect(fixture.store.list(BUCKET, { signal })),
        (signal: AbortSignal) => fixture.store.buckets({ signal }),
        (signal: AbortSignal) => fixture.store.delete(BUCKET, 'o', { signal }),
      ]) {
        await timed(call(AbortSignal.timeout(50)), 'ABORTED');
      }
    });

    it('until its caller gives up in the middle of a body', async () => {
      fault({ kind: 'slow', bytesPerSecond: 1000 });
      const signal = AbortSignal.timeout(100);
      await timed(fixture.store.getRange(BUCKET, 'o', { offset: 0, length: 100_000 }, { signal }), 'ABORTED');
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
    fixture.embedded.server.faults.clear();
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
      Array.from({ length: 100 }, () => fixture.store.getRange(BUCKET, 'o', { suffix: 100 }, { signal })),
    );
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  it('loads the SDK on its first use or when it is told to prepare, and not before', async () => {
    const script = `
      const { S3Store } = require(${JSON.stringify(path.resolve(__dirname, '../../../lib/store/s3-store.js'))});
      const loaded = () => Object.keys(require.cache).filter((file) => /@aws-sdk.client-s3.dist-cjs.index/.test(file)).length;
      const [options, prepare] = JSON.parse(process.argv[1]);
      const store = new S3Store(options);
      const before = loaded();
      (async () => {
        if (prepare) await store.prepare();
        const prepared = loaded();
        const heads = await Promise.all([1, 2, 3].map(() => store.head('${BUCKET}', 'o')));
        console.log(JSON.stringify([before, prepared, loaded(), heads.map(({ size }) => size)]));
        store.destroy();
      })();`;
    for (const prepare of [false, true]) {
      const { stdout } = await promisify(execFile)(process.execPath, [
        '-e',
        script,
        JSON.stringify([fixture.embedded.options, prepare]),
      ]);
      const [before, prepared, after, sizes] = JSON.parse(stdout) as [number, number, number, number[]];
      assert.deepEqual([before, prepared, after], [0, prepare ? 1 : 0, 1]);
      assert.deepEqual(sizes, [1_000_000, 1_000_000, 1_000_000]);
    }
  });
});
