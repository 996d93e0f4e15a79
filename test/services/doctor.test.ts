import assert from 'node:assert/strict';

import { CHECKS } from '../../lib/store/doctor';
import { PREFIX } from '../../lib/store/doctor/trial';
import { S3Store, type S3StoreOptions } from '../../lib/store/s3-store';
import { examined } from '../lib/store/doctor/support';
import { TestBuckets } from './buckets';
import { RUN, s3Access } from './environment';

describe('the connection doctor on Ceph', function () {
  this.timeout(60_000);
  const access = s3Access();
  const bucket = `doctor-${RUN}`;
  const buckets = new TestBuckets(access);
  const options: S3StoreOptions = {
    endpoint: access.endpoint,
    region: access.region,
    pathStyle: true,
    credentials: { accessKeyId: access.accessKey, secretAccessKey: access.secretKey },
  };
  const byName = access.endpoint.replace('127.0.0.1', 'localhost');

  before(() => buckets.create(bucket));
  after(() => buckets.removeAll());
  afterEach(async () => {
    const store = new S3Store(options);
    for await (const { objects } of store.list(bucket, { prefix: PREFIX })) assert.deepEqual(objects, []);
    store.destroy();
  });

  it('knows what it does well, and where its attributes end', async () => {
    const report = await examined(options, { bucket });
    assert.deepEqual(
      report.findings.map(({ check }) => check),
      CHECKS,
    );
    for (const [check, finding] of [
      ['answer', 'answers'],
      ['clock', 'clockFine'],
      ['credentials', 'keysAccepted'],
      ['bucket', 'bucketThere'],
      ['head', 'headFine'],
      ['range', 'rangeFine'],
      ['suffix', 'suffixFine'],
      ['ifMatch', 'ifMatchFine'],
      ['ifNoneMatch', 'ifNoneMatchFine'],
      ['list', 'listFine'],
      // A stream with a trailing checksum is refused (411 MissingContentLength).
      ['checksums', 'checksumsOfBuffers'],
      ['delete', 'deleteFine'],
      ['rights', 'rightsFine'],
      ['cleanup', 'cleanedUp'],
    ] as const) {
      assert.equal(report.name(check), `ok ${finding}`);
    }
    assert.deepEqual(report.with('failed'), []);
    assert.deepEqual(report.ended.settings, {});
    // The head of a request may have 16,384 bytes; what is not attributes takes some of it.
    const { finding, values } = report.of('attributes');
    assert.equal(finding, 'attributesFine');
    const limit = Number(values?.limit);
    assert.ok(limit > 14_000 && limit < 16_384, String(limit));
  });

  it('takes the bucket in the path only', async () => {
    const report = await examined({ ...options, endpoint: byName, pathStyle: false }, { bucket });
    assert.equal(report.name('addressing'), 'failed pathNeeded');
    assert.deepEqual(report.ended.settings, { pathStyle: true });
    assert.deepEqual(report.with('failed'), ['addressing']);
  });

  it('tells wrong keys apart', async () => {
    const secretAccessKey = 'not-the-secret-of-this-user';
    const unknown = await examined(
      { ...options, credentials: { accessKeyId: 'nobody', secretAccessKey } },
      { bucket },
    );
    assert.equal(unknown.name('credentials'), 'failed keyUnknown');
    const wrong = await examined(
      { ...options, credentials: { accessKeyId: access.accessKey, secretAccessKey } },
      { bucket },
    );
    assert.equal(wrong.name('credentials'), 'failed secretWrong');
  });

  it('does not have a bucket that is missing', async () => {
    const report = await examined(options, { bucket: `${bucket}-none` });
    assert.equal(report.name('bucket'), 'failed bucketMissing');
  });

  it('speaks no TLS here', async () => {
    const report = await examined(
      { ...options, endpoint: access.endpoint.replace('http:', 'https:') },
      { bucket },
    );
    assert.equal(report.name('tls'), 'failed tlsPlainPort');
    assert.deepEqual(report.ended.settings, { endpoint: access.endpoint });
  });
});
