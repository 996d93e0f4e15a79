import assert from 'node:assert/strict';

import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';

import type { Fault, FaultRequest } from '../../../../embedded/s3-server';
import { CHECKS, type DoctorLimits } from '../../../../lib/store/doctor';
import { PREFIX } from '../../../../lib/store/doctor/trial';
import type { S3StoreOptions } from '../../../../lib/store/s3-store';
import { BUCKET, CREDENTIALS } from '../embedded';
import { collect, useEmbedded } from '../support';
import { examined, type Report } from './support';

describe('the connection doctor on a store', () => {
  const fixture = useEmbedded();
  const options = (changes: Partial<S3StoreOptions> = {}): S3StoreOptions => ({
    ...fixture.embedded.options,
    ...changes,
  });
  /** Of the bucket, or of another. */
  const run = (changes: Partial<S3StoreOptions> = {}, bucket = BUCKET): Promise<Report> =>
    examined(options(changes), { bucket });
  const fault = (fault: Fault): unknown => fixture.embedded.server.faults.add(fault);
  const left = async (): Promise<string[]> =>
    (await collect(fixture.store.list(BUCKET, { prefix: PREFIX }))).map(({ key }) => key);
  /** Denies some operations on the bucket's objects as a policy does. */
  const deny = (match: (request: FaultRequest) => boolean): unknown =>
    fault({ kind: 'status', status: 403, code: 'AccessDenied', message: 'Access Denied', match });
  const named = (key: string): boolean => key.startsWith(PREFIX);

  afterEach(async () => {
    fixture.embedded.server.faults.clear();
    assert.deepEqual(await left(), [], 'nothing is left behind');
  });

  it('finds nothing wrong with a store that is as S3 is', async () => {
    const report = await run();
    assert.deepEqual(
      report.findings.map(({ check }) => check),
      CHECKS,
    );
    assert.deepEqual(report.with('ok'), CHECKS);
    assert.deepEqual(report.ended.settings, {});
    assert.equal(report.name('attributes'), 'ok attributesFine');
    // The embedded server counts as AWS does: 2 KB of names and values. The nodes count prefixes besides.
    const { bytes, limit } = report.of('attributes').values ?? {};
    assert.deepEqual([bytes, limit], [2026, 2048]);
    assert.equal(report.name('checksums'), 'ok checksumsBoth');
    assert.equal(
      report.of('rights').values?.actions,
      's3:DeleteObject, s3:GetObject, s3:ListBucket, s3:PutObject',
    );
    assert.deepEqual(
      report.events.filter(({ event }) => event === 'buckets'),
      [{ event: 'buckets', names: [BUCKET] }],
    );
  });

  it('touches no object of others', async () => {
    const before = await collect(fixture.store.list(BUCKET));
    await run();
    assert.deepEqual(await collect(fixture.store.list(BUCKET)), before);
  });

  describe('with wrong credentials', () => {
    it('tells a wrong key ID from a wrong secret', async () => {
      const other = 'anotherSecretAccessKey0123456789';
      const unknown = await run({ credentials: { accessKeyId: 'nobody', secretAccessKey: other } });
      assert.equal(unknown.name('credentials'), 'failed keyUnknown');
      const wrong = await run({ credentials: { ...CREDENTIALS, secretAccessKey: other } });
      assert.equal(wrong.name('credentials'), 'failed secretWrong');
      assert.equal(wrong.name('clock'), 'ok clockFine');
      assert.equal(wrong.name('put'), 'skipped because');
      assert.equal(wrong.of('bucket').values?.check, 'credentials');
    });

    for (const [code, status, finding] of [
      ['ExpiredToken', 400, 'tokenExpired'],
      ['InvalidToken', 400, 'tokenWrong'],
      ['RequestTimeTooSkewed', 403, 'clockRefused'],
      ['SomethingElse', 400, 'keysUntold'],
    ] as const) {
      it(`knows ${code}`, async () => {
        const sessionToken = 'session-token-that-nobody-may-see';
        fault({
          kind: 'status',
          status,
          code,
          message: `Your token ${sessionToken} is no good`,
          match: ({ operation, headers }) =>
            operation === 'ListBuckets' && headers.authorization !== undefined,
        });
        const report = await run({ credentials: { ...CREDENTIALS, sessionToken } });
        assert.equal(report.of('credentials').finding, finding);
        assert.match(report.of('credentials').detail ?? '', /\*\*\*/);
      });
    }

    it('does not mind that buckets may not be listed', async () => {
      deny(({ operation }) => operation === 'ListBuckets');
      const report = await run();
      assert.equal(report.name('credentials'), 'ok keysAcceptedUnlisted');
      assert.deepEqual(report.with('failed'), []);
    });

    it('tries the network all the same when a key is missing', async () => {
      const report = await run({ credentials: { accessKeyId: 'a', secretAccessKey: '' } });
      assert.equal(report.name('settings'), 'failed settingsWrong');
      assert.match(report.of('settings').detail ?? '', /secret access key is empty/);
      assert.equal(report.name('answer'), 'ok answers');
      assert.equal(
        report.findings.some(({ check }) => check === 'credentials'),
        false,
      );
    });

    it('signs nothing when it may not', async () => {
      let signed = 0;
      fault({
        kind: 'reset',
        match: ({ headers }) => {
          if (headers.authorization !== undefined) signed++;
          return false;
        },
      });
      const report = await examined(options(), { bucket: BUCKET, signed: false });
      assert.equal(report.name('clock'), 'ok clockFine');
      assert.equal(signed, 0);
    });
  });

  describe('with another bucket', () => {
    const admin = (): S3Client => new S3Client({ ...options(), forcePathStyle: true } as object);
    const buckets = async (): Promise<string[]> => {
      const { Buckets = [] } = await admin().send(new ListBucketsCommand({}));
      return Buckets.map(({ Name = '' }) => Name);
    };

    it('tells that one is missing, and creates none', async () => {
      const report = await run({}, 'nowhere');
      assert.equal(report.name('bucket'), 'failed bucketMissing');
      assert.equal(report.name('put'), 'skipped because');
      assert.deepEqual(await buckets(), [BUCKET]);
    });

    it('creates one when it is told to', async () => {
      const report = await examined(options(), { bucket: 'new-bucket', createBucket: true });
      assert.equal(report.name('bucket'), 'ok bucketCreated');
      assert.deepEqual(report.with('failed'), []);
      assert.deepEqual((await buckets()).sort(), ['new-bucket', BUCKET]);
      await assert.rejects(admin().send(new CreateBucketCommand({ Bucket: 'new-bucket' })));
    });

    it('asks for one when none is named, and knows what cannot be a name', async () => {
      assert.equal((await run({}, '')).name('bucket'), 'skipped bucketUnnamed');
      assert.equal((await run({}, 'No_Name')).name('bucket'), 'failed bucketNameWrong');
    });
  });

  describe('with other settings than those of the store', () => {
    it('finds the region, goes on with it, and offers it', async () => {
      const report = await run({ region: 'eu-central-1' });
      assert.equal(report.name('region'), 'failed regionWrong');
      assert.deepEqual(report.ended.settings, { region: 'us-east-1' });
      assert.deepEqual(report.with('failed'), ['region']);
      const again = await run(report.ended.settings);
      assert.deepEqual(again.with('failed'), []);
    });

    it('finds that the bucket must be in the path, goes on so, and offers it', async () => {
      const endpoint = `http://localhost:${fixture.embedded.server.port}`;
      const report = await run({ endpoint, pathStyle: false });
      assert.equal(report.name('addressing'), 'failed pathNeeded');
      assert.deepEqual(report.ended.settings, { pathStyle: true });
      assert.deepEqual(report.with('failed'), ['addressing']);
      const again = await run({ endpoint, ...report.ended.settings });
      assert.equal(again.name('addressing'), 'ok pathOnly');
    });
  });

  describe('with rights that are missing', () => {
    it('names the one that is, and the policy that would be enough', async () => {
      deny(({ operation }) => operation === 'ListObjectsV2');
      const report = await run();
      assert.equal(report.name('list'), 'failed denied');
      assert.equal(report.of('list').values?.action, 's3:ListBucket');
      assert.equal(report.name('rights'), 'failed rightsMissing');
      assert.equal(report.of('rights').values?.actions, 's3:ListBucket');
      assert.deepEqual(JSON.parse(report.of('rights').policy ?? ''), {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: ['s3:ListBucket'], Resource: `arn:aws:s3:::${BUCKET}` }],
      });
    });

    it('tells of a denied PUT, and whether listing is allowed', async () => {
      deny(({ operation, key }) => operation === 'PutObject' && named(key));
      const report = await run();
      assert.equal(report.name('put'), 'failed denied');
      assert.equal(report.name('head'), 'skipped because');
      assert.equal(report.name('list'), 'ok listAllowed');
      assert.match(report.of('rights').policy ?? '', /"s3:PutObject"[^]*arn:aws:s3:::records\/\*/);
    });

    it('tells of a denied GET', async () => {
      deny(({ operation, key }) => /^(?:Get|Head)Object$/.test(operation) && named(key));
      const report = await run();
      assert.equal(report.name('bucket'), 'ok bucketUntold');
      for (const check of ['head', 'range', 'suffix'] as const)
        assert.equal(report.name(check), 'failed denied');
      assert.equal(report.of('rights').values?.actions, 's3:GetObject');
    });

    it('tells what stays when deleting is denied', async () => {
      deny(({ operation }) => operation === 'DeleteObject');
      const report = await run();
      assert.equal(report.name('delete'), 'warning deleteDenied');
      assert.equal(report.name('rights'), 'warning rightsMissing');
      const { verdict, values = {} } = report.of('cleanup');
      assert.equal(verdict, 'warning');
      fixture.embedded.server.faults.clear();
      const keys = await left();
      assert.equal(values.count, keys.length);
      for (const key of keys) {
        assert.ok(key.startsWith(String(values.prefix)));
        await fixture.store.delete(BUCKET, key);
      }
    });

    it('tells that everything is denied', async () => {
      deny(({ bucket }) => bucket !== '');
      const report = await run();
      assert.equal(report.name('bucket'), 'ok bucketUntold');
      assert.equal(report.name('rights'), 'failed rightsNone');
    });
  });

  describe('with a store that is not quite as S3 is', () => {
    it('finds that ranges are ignored', async () => {
      fault({ kind: 'ignore-range', match: ({ operation }) => operation === 'GetObject' });
      const report = await run();
      assert.equal(report.name('range'), 'failed rangeIgnored');
      assert.equal(report.name('suffix'), 'failed suffixIgnored');
    });

    it('finds that conditions are ignored', async () => {
      fault({
        kind: 'body',
        status: 200,
        contentType: 'text/plain',
        body: 'x',
        match: ({ headers }) => headers['if-match'] !== undefined,
      });
      fault({
        kind: 'status',
        status: 501,
        code: 'NotImplemented',
        match: ({ headers }) => headers['if-none-match'] !== undefined,
      });
      const report = await run();
      assert.equal(report.name('ifMatch'), 'warning ifMatchIgnored');
      assert.equal(report.name('ifNoneMatch'), 'warning ifNoneMatchUnsupported');
      assert.deepEqual(report.with('failed'), []);
    });

    it('finds how many attributes fit, when the nodes write more', async () => {
      // 1,000 bytes of header lines, as a proxy may have it.
      const size = (headers: object): number =>
        Object.entries(headers)
          .filter(([name]) => name.startsWith('x-amz-meta-'))
          .reduce((sum, [name, value]) => sum + name.length - 'x-amz-meta-'.length + String(value).length, 0);
      fault({ kind: 'status', status: 431, match: ({ headers }) => size(headers) > 1000 });
      const report = await run();
      assert.equal(report.name('attributes'), 'failed attributesTooLarge');
      assert.equal(report.of('attributes').values?.limit, 1000);
    });

    it('finds that attributes get lost', async () => {
      fault({
        kind: 'headers',
        headers: { 'x-amz-meta-doctor-001': undefined },
        match: ({ operation, key }) => operation === 'HeadObject' && key.endsWith('/attributes'),
      });
      assert.equal((await run()).name('attributes'), 'warning attributesChanged');
    });

    it('finds which checksums are refused', async () => {
      const trailer = ({ headers }: FaultRequest): boolean => headers['x-amz-trailer'] !== undefined;
      const off = fixture.embedded.server.faults.add({
        kind: 'status',
        status: 411,
        code: 'MissingContentLength',
        match: trailer,
      });
      assert.equal((await run()).name('checksums'), 'ok checksumsOfBuffers');
      off();
      const any = ({ headers }: FaultRequest): boolean =>
        headers['x-amz-sdk-checksum-algorithm'] !== undefined;
      fault({ kind: 'status', status: 400, code: 'InvalidRequest', match: any });
      assert.equal((await run()).name('checksums'), 'ok checksumsRequiredOnly');
    });

    it('finds that the listing begins anywhere', async () => {
      fault({
        kind: 'body',
        status: 200,
        contentType: 'application/xml',
        body: '<ListBucketResult><Name>records</Name><IsTruncated>false</IsTruncated></ListBucketResult>',
        match: ({ operation }) => operation === 'ListObjectsV2',
      });
      assert.equal((await run()).name('list'), 'failed listIncomplete');
    });

    it('tells how far the clocks are apart', async () => {
      const at = (seconds: number): unknown =>
        fault({
          kind: 'headers',
          headers: { date: new Date(Date.now() + seconds * 1000).toUTCString() },
          match: ({ headers }) => headers.authorization === undefined,
        });
      at(-120);
      const ahead = await run();
      assert.equal(ahead.name('clock'), 'warning clockAhead');
      assert.ok(Math.abs(Number(ahead.of('clock').values?.seconds) - 120) <= 1);
      fixture.embedded.server.faults.clear();
      at(3600);
      const behind = await run();
      assert.equal(behind.name('clock'), 'failed clockBehind');
      assert.ok(Math.abs(Number(behind.of('clock').values?.seconds) - 3600) <= 1);
    });

    it('finds a server that is no S3', async () => {
      fault({ kind: 'body', status: 200, contentType: 'text/html', body: '<html>hello</html>' });
      const report = await run();
      assert.equal(report.name('credentials'), 'failed notS3Answer');
    });
  });

  describe('when it is cut short', () => {
    const limits: Partial<DoctorLimits> = { check: 2000 };

    it('limits each check, and goes on', async () => {
      fault({
        kind: 'hang',
        match: ({ operation, key }) => operation === 'HeadObject' && key.endsWith('/a'),
      });
      const report = await examined(options(), { bucket: BUCKET, limits });
      assert.equal(report.name('head'), 'failed timeout');
      assert.ok(report.of('head').ms < 5000);
      assert.equal(report.name('range'), 'ok rangeFine');
      assert.equal(report.name('cleanup'), 'ok cleanedUp');
    });

    it('limits all of it', async () => {
      fault({ kind: 'delay', ms: 200 });
      const report = await examined(options(), { bucket: BUCKET, limits: { all: 1500 } });
      assert.ok(report.findings.some(({ finding }) => finding === 'outOfTime'));
      assert.equal(report.of('cleanup').verdict, 'ok');
    });

    it('deletes what it has written when it is given up', async () => {
      const controller = new AbortController();
      const report = await examined(options(), {
        bucket: BUCKET,
        signal: controller.signal,
        report: (event) => {
          if (event.event === 'found' && event.check === 'attributes') controller.abort();
        },
      });
      assert.equal(report.name('head'), 'skipped givenUp');
      assert.equal(report.name('cleanup'), 'ok cleanedUp');
      assert.equal(report.of('cleanup').values?.count, 2);
    });

    it('deletes an object whose upload was given up after it had been stored', async () => {
      const controller = new AbortController();
      fault({
        kind: 'hang',
        when: 'after',
        match: ({ operation, key }) => operation === 'PutObject' && key.endsWith('/b'),
      });
      const report = await examined(options(), {
        bucket: BUCKET,
        signal: controller.signal,
        limits: { check: 1000 },
      });
      assert.equal(report.name('list'), 'failed timeout');
      assert.equal(report.name('cleanup'), 'ok cleanedUp');
    });

    it('tells what it could not delete', async () => {
      fault({ kind: 'reset', match: ({ operation }) => operation === 'DeleteObject' });
      const report = await examined(options(), { bucket: BUCKET });
      assert.equal(report.of('cleanup').finding, 'leftBehind');
      fixture.embedded.server.faults.clear();
      for (const key of await left()) await fixture.store.delete(BUCKET, key);
    });
  });
});
