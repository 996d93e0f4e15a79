import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { FaultRequest } from '../../../embedded/s3-server';
import { BUCKET } from './embedded';
import { collect, PLAIN, useEmbedded } from './support';

describe('an S3 store whose service answers wrongly', () => {
  const fixture = useEmbedded();
  const { content, failure, fault, range } = fixture;

  describe('and sends what was not asked for', () => {
    it('the whole object instead of a range, of which next to nothing is read', async () => {
      await fixture.store.put(BUCKET, 'large', randomBytes(30_000_000), PLAIN);
      fault({ kind: 'ignore-range' });
      fixture.embedded.server.stats.reset();
      await failure(
        fixture.store.getRange(BUCKET, 'large', { offset: 0, length: 1000 }),
        'STORE_PROTOCOL',
        /whole object \(200\)/,
      );
      await failure(
        fixture.store.getRange(BUCKET, 'large', { suffix: 1000 }),
        'STORE_PROTOCOL',
        /whole object \(200\)/,
      );
      assert.ok(
        fixture.embedded.server.stats.bytesSent < 20_000_000,
        `${fixture.embedded.server.stats.bytesSent} bytes were sent`,
      );
    });

    it('the whole object where the range covers it', async () => {
      fault({ kind: 'ignore-range' });
      const part = await fixture.store.getRange(BUCKET, 'o', { offset: 0, length: 2_000_000 });
      assert.ok(part.bytes.equals(content));
      assert.deepEqual([part.offset, part.size], [0, content.length]);
      assert.ok((await fixture.store.getRange(BUCKET, 'o', { suffix: 1_000_000 })).bytes.equals(content));
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
      await failure(
        fixture.store.getRange(BUCKET, 'o', { suffix: 10 }, { etag: fixture.etag }),
        'OBJECT_CHANGED',
      );
      assert.equal(
        (await fixture.store.getRange(BUCKET, 'o', { suffix: 10 }, { etag: fixture.etag })).etag,
        fixture.etag,
      );
      assert.equal(
        (
          await fixture.store.getRange(
            BUCKET,
            'o',
            { suffix: 10 },
            { etag: fixture.etag.replaceAll('"', '') },
          )
        ).etag,
        fixture.etag,
      );
    });

    it('no entity tag', async () => {
      fault({ kind: 'headers', headers: { etag: undefined } });
      await failure(fixture.store.put(BUCKET, 'p', content, PLAIN), 'STORE_PROTOCOL');
      await failure(fixture.store.head(BUCKET, 'o'), 'STORE_PROTOCOL');
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
            () => fixture.store.put(BUCKET, 'p', content, PLAIN),
            () => fixture.store.head(BUCKET, 'o'),
            () => range(),
            () => collect(fixture.store.list(BUCKET)),
            () => fixture.store.buckets(),
          ]) {
            await assert.rejects(call(), ({ code, message }: { code: string; message: string }) => {
              assert.ok(codes.includes(code), `${status} ${body}: ${message}`);
              return true;
            });
          }
          fixture.embedded.server.faults.clear();
        }
      }
    }).timeout(60_000);

    it('a listing that goes round in circles', async () => {
      await fixture.store.put(BUCKET, 'p2', content, PLAIN);
      const page = (token: string): string =>
        `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>${token}</ListBucketResult>`;
      for (const token of ['', '<NextContinuationToken>same</NextContinuationToken>']) {
        fault({ kind: 'body', status: 200, contentType: 'application/xml', body: page(token) });
        await failure(collect(fixture.store.list(BUCKET)), 'STORE_PROTOCOL', /how to go on/);
        fixture.embedded.server.faults.clear();
      }
    });

    it('a listing of buckets that goes round in circles', async () => {
      const body =
        '<?xml version="1.0"?><ListAllMyBucketsResult><Owner><ID>o</ID></Owner><ContinuationToken>same</ContinuationToken></ListAllMyBucketsResult>';
      fault({ kind: 'body', status: 200, contentType: 'application/xml', body });
      await failure(fixture.store.buckets(), 'STORE_PROTOCOL', /again and again/);
      fixture.embedded.server.faults.clear();
    });

    it('a listing with names that are not URL-encoded, though it says so', async () => {
      const entry = '<Contents><Key>%zz</Key><Size>1</Size><ETag>"x"</ETag></Contents>';
      const body = (encoding: string): string =>
        `<ListBucketResult><Name>b</Name>${encoding}${entry}</ListBucketResult>`;
      const list = { kind: 'body', status: 200, contentType: 'application/xml', times: 1 } as const;
      fault({ ...list, body: body('<EncodingType>url</EncodingType>') });
      await failure(collect(fixture.store.list(BUCKET)), 'STORE_PROTOCOL', /URL-encoded/);
      fault({ ...list, body: body('') });
      assert.deepEqual(
        (await collect(fixture.store.list(BUCKET))).map(({ key }) => key),
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
      await failure(fixture.store.head(BUCKET, 'o'), 'CLOCK_SKEWED');
      fixture.embedded.server.faults.clear();
      fixture.embedded.server.stats.reset();
      await failure(fixture.store.head('no-such-bucket', 'o'), 'BUCKET_MISSING');
      await failure(fixture.store.head(BUCKET, 'none'), 'OBJECT_MISSING');
      assert.deepEqual(
        [fixture.embedded.server.stats.of('HeadObject'), fixture.embedded.server.stats.of('GetObject')],
        [2, 2],
      );
      assert.equal(fixture.embedded.server.stats.bytesSent < 2000, true);
    });

    it('and the object has come into being in between', async () => {
      for (const [status, key] of [
        [404, 'o'],
        [403, 'o'],
        [404, 'empty'],
      ] as const) {
        await fixture.store.put(BUCKET, 'empty', Buffer.alloc(0), PLAIN);
        fault({ kind: 'status', status, match: on('HeadObject'), times: 1 });
        await failure(fixture.store.head(BUCKET, key), status === 404 ? 'OBJECT_MISSING' : 'ACCESS_DENIED');
      }
    });
  });
});
