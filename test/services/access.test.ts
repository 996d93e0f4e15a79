import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { DEFAULT_LAYOUT, Layout } from '../../lib/layout';
import { findObjects, noProgress } from '../../lib/query';
import { S3Store } from '../../lib/store/s3-store';
import { until } from '../support/fake-clock';
import type { S3Access } from '../matrix/flow';
import { doMainJob } from '../matrix/job';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { TestBuckets } from './buckets';
import { addGatewayUser, removeGatewayUser } from './daemons';
import { RUN, s3Access } from './environment';

const REPOSITORY = path.resolve(__dirname, '../../..');
const BUCKET = `access-${RUN}`;
/** The bucket that the policies of docs/operations.md name. */
const DOCUMENTED = 'plant-1';

interface Statement {
  Effect: string;
  Action: string[];
  Resource: string;
}

const ROLES = ['Writer', 'Reader', 'Connection doctor'] as const;
type Role = (typeof ROLES)[number];

/** The policies of docs/operations.md, as they stand there, for the bucket of this test. */
async function documentedPolicies(): Promise<Record<Role, Statement[]>> {
  const page = await readFile(path.join(REPOSITORY, 'docs', 'operations.md'), 'utf8');
  const policyOf = (role: Role): Statement[] => {
    const json = new RegExp(`^### ${role}\n[^#]*?\`\`\`json\n(.+?)\`\`\``, 'ms').exec(page)?.[1];
    assert.ok(json, `docs/operations.md has a policy under "${role}"`);
    return (JSON.parse(json.replaceAll(DOCUMENTED, BUCKET)) as { Statement: Statement[] }).Statement;
  };
  return Object.fromEntries(ROLES.map((role) => [role, policyOf(role)])) as Record<Role, Statement[]>;
}

describe('The policies of docs/operations.md on Ceph RGW', () => {
  const owner = s3Access();
  const buckets = new TestBuckets(owner);
  const client = new S3Client({
    endpoint: owner.endpoint,
    region: owner.region,
    forcePathStyle: true,
    credentials: { accessKeyId: owner.accessKey, secretAccessKey: owner.secretKey },
  });
  const userOf = (role: Role): string => `${role.replace(' ', '-').toLowerCase()}-${RUN}`;
  const accessOf = (role: Role): S3Access => ({
    ...owner,
    accessKey: `${role}${RUN}`.replace(' ', '').toUpperCase(),
    secretKey: `secret of ${role} ${RUN}`.replaceAll(' ', ''),
  });
  const stores: S3Store[] = [];
  const cleanups = [() => buckets.removeAll()];
  let policies: Record<Role, Statement[]>;
  let nodeRed: NodeRedProcess;

  /** Allows the users what the policies say, without one action. */
  async function allow(without?: string): Promise<void> {
    const statementsOf = (role: Role) =>
      policies[role].map((statement) => ({
        ...statement,
        Action: statement.Action.filter((action) => action !== without),
        // Where a policy is the user's own, as with IAM, it needs no principal; a bucket's names whom it is about.
        Principal: { AWS: [`arn:aws:iam:::user/${userOf(role)}`] },
      }));
    const statements = ROLES.flatMap(statementsOf);
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: statements.filter(({ Action }) => Action.length > 0),
    });
    await client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }));
  }

  function storeOf(role: Role): S3Store {
    const { endpoint, region, accessKey, secretKey } = accessOf(role);
    const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
    const store = new S3Store({ endpoint, region, pathStyle: true, credentials });
    stores.push(store);
    return store;
  }

  const put = (store: S3Store, key: string): Promise<unknown> =>
    store.put(BUCKET, key, Buffer.from('1'), { contentType: 'text/plain', attributes: {} });

  async function ask(method: string, where: string, body?: unknown): Promise<unknown> {
    const headers = { 'Content-Type': 'application/json' };
    const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return (await fetch(nodeRed.url + where, request)).json();
  }

  before(async () => {
    policies = await documentedPolicies();
    await buckets.create(BUCKET);
    for (const role of ROLES) {
      const { accessKey, secretKey } = accessOf(role);
      await addGatewayUser(userOf(role), accessKey, secretKey);
      cleanups.push(() => removeGatewayUser(userOf(role)));
    }
    nodeRed = await startNodeRed({ packageFolder: REPOSITORY });
    cleanups.push(() => nodeRed.remove());
  });

  after(async () => {
    for (const store of [...stores, client]) store.destroy();
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  it('suffice for the main job, with a user each for writing and reading', async () => {
    await allow();
    await doMainJob(nodeRed, accessOf('Writer'), { bucket: BUCKET, reader: accessOf('Reader') });
  });

  it('let neither do what the other is there for', async () => {
    await assert.rejects(storeOf('Writer').list(BUCKET).next(), { code: 'ACCESS_DENIED' });
    await assert.rejects(storeOf('Writer').head(BUCKET, 'one'), { code: 'ACCESS_DENIED' });
    await assert.rejects(put(storeOf('Reader'), 'one'), { code: 'ACCESS_DENIED' });
    await assert.rejects(storeOf('Reader').delete(BUCKET, 'one'), { code: 'ACCESS_DENIED' });
  });

  it('let the doctor try everything below its prefix, and nothing elsewhere', async () => {
    const doctor = storeOf('Connection doctor');
    const key = 's3-batch-connection-doctor/trial/one';
    await put(doctor, key);
    assert.equal((await doctor.head(BUCKET, key)).size, 1);
    const page = await doctor.list(BUCKET, { prefix: 's3-batch-connection-doctor/' }).next();
    assert.ok(page.done !== true && page.value.objects.length === 1);
    await doctor.delete(BUCKET, key);
    await assert.rejects(put(doctor, 'one'), { code: 'ACCESS_DENIED' });
    for await (const { objects } of storeOf('Reader').list(BUCKET)) {
      assert.ok(objects.length > 0);
      for (const object of objects) {
        await assert.rejects(doctor.head(BUCKET, object.key), { code: 'ACCESS_DENIED' });
        await assert.rejects(doctor.delete(BUCKET, object.key), { code: 'ACCESS_DENIED' });
      }
    }
  });

  it('hold batches without s3:PutObject, and store them once it is allowed', async () => {
    await allow('s3:PutObject');
    const record = { topic: 'PLANT-1/WELDER-01/LATE', payload: Buffer.from('late').toString('base64') };
    assert.equal(await ask('POST', '/records', [record]), 1);
    const flushed = ask('POST', '/flush', {});
    await until('the node to tell that access is denied', async () => {
      const { msg } = (await ask('GET', '/context/node/batch-out/error')) as { msg: string };
      return /denies access.+s3:PutObject/.test(msg);
    });
    await allow();
    const [object] = (await flushed) as { count: number }[];
    assert.equal(object?.count, 1);
  });

  for (const action of ['s3:ListBucket', 's3:GetObject']) {
    it(`find nothing without ${action}`, async () => {
      await allow(action);
      const layout = new Layout({ ...DEFAULT_LAYOUT, buckets: [{ topic: '#', bucket: BUCKET }] });
      const matches = findObjects(storeOf('Reader'), layout, { bucket: BUCKET }, noProgress());
      await assert.rejects(matches.next(), { code: 'ACCESS_DENIED' });
      await allow();
      const again = findObjects(storeOf('Reader'), layout, { bucket: BUCKET }, noProgress());
      assert.equal((await again.next()).done, false);
    });
  }
});
