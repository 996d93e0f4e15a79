/**
 * Installs the packed package into each Node-RED on each Node.js that it promises to run on, and does its main job
 * there. An argument chooses the combinations whose names contain it, such as "5.0".
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startS3Server } from '../../embedded/s3-server';
import { messageOf } from '../../lib/errors';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process';
import { combinations, type Combination } from './combinations';
import { BUCKET, type S3Access } from './flow';
import { packRepository } from './install';
import { doMainJob } from './job';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CACHE = path.join(process.env.S3_BATCH_SERVICES_DIR ?? path.join(REPOSITORY, '.services'), 'matrix');

interface PackageJson {
  name: string;
  'node-red': { nodes: Record<string, string>; plugins: Record<string, string> };
}

/** Fails unless every node type and every plugin of the package is registered without an error. */
async function assertTypes(nodeRed: NodeRedProcess, expected: PackageJson): Promise<void> {
  const sets = (await nodeRed.nodeSets()).filter(({ module }) => module === expected.name);
  assert.deepEqual(
    sets.flatMap(({ id, err, enabled }) => (err !== undefined || !enabled ? [`${id}: ${String(err)}`] : [])),
    [],
    'node sets with errors',
  );
  const types = sets.flatMap((set) => set.types);
  assert.deepEqual(types.sort(), Object.keys(expected['node-red'].nodes).sort(), 'registered types');
  const plugins = (await nodeRed.pluginSets()).filter(({ module }) => module === expected.name);
  assert.deepEqual(
    plugins.map(({ id, err }) => [id, err]),
    Object.keys(expected['node-red'].plugins).map((plugin) => [`${expected.name}/${plugin}`, undefined]),
    'plugins',
  );
}

async function withS3<T>(use: (s3: S3Access) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-objects-'));
  const keys = { region: 'us-east-1', accessKey: 'matrixaccess', secretKey: 'matrixsecret' };
  const server = await startS3Server({ folder, ...keys });
  try {
    const s3 = { endpoint: server.url, ...keys };
    await makeBucket(s3);
    return await use(s3);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeBucket(s3: S3Access): Promise<void> {
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
}

/** Answers how long the parts took. */
async function check(combination: Combination, tarball: string, expected: PackageJson): Promise<string> {
  const times: string[] = [];
  let since = performance.now();
  const lap = (what: string): void => {
    const now = performance.now();
    times.push(`${what} ${((now - since) / 1000).toFixed(1)} s`);
    since = now;
  };
  const versions = await combination.versions();
  lap('waited for its installation');
  const nodeRed = await startNodeRed(versions);
  try {
    lap('started in');
    await nodeRed.installTarball(tarball);
    lap('package installed in');
    await assertTypes(nodeRed, expected);
    await withS3(async (s3) => doMainJob(nodeRed, s3));
    lap('main job in');
    await nodeRed.stop();
    const again = await startNodeRed({ ...versions, userDir: nodeRed.userDir });
    try {
      await assertTypes(again, expected);
    } finally {
      await again.stop();
    }
    lap('restarted in');
  } catch (error) {
    throw new Error(`${messageOf(error)}\n--- Node-RED's log\n${nodeRed.log}`, { cause: error });
  } finally {
    await nodeRed.remove();
  }
  return times.join(', ');
}

async function main(): Promise<void> {
  const wanted = process.argv[2] ?? '';
  const chosen = combinations(CACHE).filter(({ name }) => name.includes(wanted));
  if (chosen.length === 0) throw new Error(`no combination has "${wanted}" in its name`);
  // All at once and early. A failure is told when its turn comes, and must not end the process before.
  for (const { versions } of chosen) versions().catch(() => undefined);
  const packageJson = JSON.parse(
    await readFile(path.join(REPOSITORY, 'package.json'), 'utf8'),
  ) as PackageJson;
  const temp = await mkdtemp(path.join(tmpdir(), 's3-batch-pack-'));
  let failed = 0;
  try {
    const tarball = await packRepository(REPOSITORY, temp);
    for (const combination of chosen) {
      try {
        console.log(`passed  ${combination.name}: ${await check(combination, tarball, packageJson)}`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED  ${combination.name}: ${messageOf(error)}`);
      }
    }
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

// 'exit' takes the Node-RED processes along; a signal alone would leave them behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
main().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});
