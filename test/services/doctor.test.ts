import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { CHECKS, type DoctorEvent, type Finding } from '../../lib/store/doctor';
import { PREFIX } from '../../lib/store/doctor/trial';
import { S3Store, type S3StoreOptions } from '../../lib/store/s3-store';
import { PLACEHOLDER } from '../../nodes/common/doctor-request';
import { examined } from '../lib/store/doctor/support';
import { mainJob } from '../matrix/flow';
import { runMainJob } from '../matrix/job';
import { type FlowNode, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { TestBuckets } from './buckets';
import { RUN, s3Access, s3TlsAccess } from './environment';

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

describe('the connection doctor on Ceph over its own TLS', function () {
  this.timeout(60_000);
  const { endpoint, region, accessKey, secretKey, ca } = s3TlsAccess();
  const bucket = `doctor-tls-${RUN}`;
  const buckets = new TestBuckets(s3Access());
  const options: S3StoreOptions = {
    ...{ endpoint, region, pathStyle: true },
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  };

  before(() => buckets.create(bucket));
  after(() => buckets.removeAll());

  it('finds everything in order with the certificate of the authority', async () => {
    for (const by of [endpoint, endpoint.replace('127.0.0.1', 'localhost')]) {
      const report = await examined({ ...options, endpoint: by, tls: { ca } }, { bucket });
      assert.deepEqual(
        report.findings.map(({ check }) => check),
        CHECKS,
      );
      assert.equal(report.name('tls'), 'ok tlsFine');
      assert.equal(report.of('tls').values?.protocol, 'TLSv1.3');
      for (const verdict of ['warning', 'failed', 'skipped'] as const)
        assert.deepEqual(report.with(verdict), []);
      assert.deepEqual(report.ended.settings, {});
    }
  });

  it('does not trust it without, and neither does the store', async () => {
    const report = await examined(options, { bucket });
    assert.equal(report.name('tls'), 'failed certificateUntrusted');
    assert.equal(report.name('put'), 'skipped because');
    const store = new S3Store(options);
    await assert.rejects(store.head(bucket, 'o'), { code: 'STORE_TLS', message: /CA certificate/ });
    store.destroy();
  });

  it('wants TLS from who comes without', async () => {
    const plain = endpoint.replace('https:', 'http:');
    const report = await examined({ ...options, endpoint: plain }, { bucket });
    assert.equal(report.name('answer'), 'failed answersTls');
    assert.deepEqual(report.ended.settings, { endpoint });
  });
});

describe('a connection to Ceph over TLS with deployed TLS settings', function () {
  this.timeout(90_000);
  const access = s3TlsAccess();
  const bucket = `tls-${RUN}`;
  const buckets = new TestBuckets(s3Access());
  let nodeRed: NodeRedProcess;

  before(async () => {
    await buckets.create(bucket);
    nodeRed = await startNodeRed({ packageFolder: path.resolve(__dirname, '../../..') });
    // As the editor saves it when a file of the authority's certificate was uploaded.
    const settings: FlowNode = {
      ...{ id: 'tls', type: 'tls-config', name: 'of the plant', verifyservercert: true },
      ...{ cert: '', key: '', ca: '', certname: '', keyname: '', caname: 'ca.pem', servername: '' },
      credentials: { certdata: '', keydata: '', cadata: access.ca, passphrase: '' },
    };
    const job = mainJob(access, { bucket }).map((node): FlowNode =>
      node.type === 's3-connection' ? { ...node, tls: 'tls' } : node,
    );
    await nodeRed.deploy([settings, ...job]);
  });

  after(async () => {
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await buckets.removeAll();
  });

  /** What the doctor finds with the keys that are stored, and with these TLS settings. */
  async function examinedWith(tlsSettings: string): Promise<Map<string, Finding>> {
    const { id, credentials, ...settings } = mainJob(access).find(
      ({ type }) => type === 's3-connection',
    ) as FlowNode & { credentials: object };
    const response = await fetch(`${nodeRed.url}/s3-batch/doctor/${id}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        settings: { ...settings, tls: tlsSettings },
        credentials: { ...credentials, secretAccessKey: PLACEHOLDER },
        z: '',
        bucket,
        createBucket: false,
        tlsChanged: false,
      }),
    });
    const text = await response.text();
    for (const told of [text, nodeRed.log]) assert.equal(told.includes(access.secretKey), false);
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DoctorEvent);
    return new Map(events.flatMap((event) => (event.event === 'found' ? [[event.check, event]] : [])));
  }

  it('is trusted by the authority that they name, and does the main job', async () => {
    const findings = await examinedWith('tls');
    assert.deepEqual([...findings.keys()], CHECKS);
    assert.deepEqual(
      [...findings.values()].filter(({ verdict }) => verdict !== 'ok'),
      [],
    );
    await runMainJob(nodeRed, { bucket });
  });

  it('is not trusted without them, and the doctor says what to do', async () => {
    const findings = await examinedWith('');
    assert.equal(findings.get('tls')?.finding, 'certificateUntrusted');
    assert.equal(findings.get('credentials')?.verdict, 'skipped');
    const locale = path.resolve(__dirname, '../../nodes/locales/en-US/s3-connection.json');
    const texts = JSON.parse(readFileSync(locale, 'utf8')) as {
      's3-connection': { doctor: { remedy: Record<string, string> } };
    };
    assert.match(texts['s3-connection'].doctor.remedy.certificateUntrusted!, /upload the CA certificate/);
  });
});
