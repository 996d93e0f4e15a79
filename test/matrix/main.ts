/**
 * The life of the package in each Node-RED on each Node.js that it promises to run on: an earlier version is installed
 * from its tarball and does its main job; the present one is put over it and does it again, with the flows as they
 * were; every example is deployed; it is uninstalled. An argument chooses the combinations whose names contain it, such as "5.0".
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startS3Server } from '../../embedded/s3-server';
import { messageOf } from '../../lib/errors';
import { startNodeRed } from '../support/node-red-process';
import { combinations, type Combination } from './combinations';
import { BUCKET, mainJob, type S3Access } from './flow';
import { packedAs, packRepository } from './install';
import { doMainJob, runMainJob } from './job';
import { assertRegistered, deployExamples, keptFlows, type PackageJson, uninstall } from './life-cycle';

const REPOSITORY = path.resolve(__dirname, '../../..');
const CACHE = path.join(process.env.S3_BATCH_SERVICES_DIR ?? path.join(REPOSITORY, '.services'), 'matrix');

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

/** What all combinations are tried with. */
interface Packages {
  /** Tarball of the package, and of the same package by an earlier version number. */
  present: string;
  earlier: string;
  packageJson: PackageJson;
  /** Names of its examples. */
  examples: string[];
}

const EARLIER = '0.0.9';
/** Combinations side by side: most of the time npm and the start of Node-RED keep one core busy. */
const AT_A_TIME = 2;

/** Answers how long the parts took. */
async function check(combination: Combination, packages: Packages): Promise<string> {
  const { present, earlier, packageJson, examples } = packages;
  const times: string[] = [];
  let since = performance.now();
  const lap = (what: string): void => {
    const now = performance.now();
    times.push(`${what} ${((now - since) / 1000).toFixed(1)} s`);
    since = now;
  };
  const versions = await combination.versions();
  lap('waited for its installation');
  let nodeRed = await startNodeRed(versions);
  try {
    lap('started in');
    await nodeRed.installTarball(earlier);
    lap('earlier version installed in');
    await assertRegistered(nodeRed, { ...packageJson, version: EARLIER });
    await withS3(async (s3) => {
      await doMainJob(nodeRed, s3);
      lap('main job in');

      const flows = await keptFlows(nodeRed);
      await nodeRed.installTarball(present);
      // Node-RED keeps the old code until it is started again, as it tells its user.
      await nodeRed.stop();
      nodeRed = await startNodeRed({ ...versions, userDir: nodeRed.userDir });
      lap('updated and restarted in');
      await assertRegistered(nodeRed, packageJson);
      assert.deepEqual(await keptFlows(nodeRed), flows, 'flows after the update');
      await runMainJob(nodeRed, {}, 2);
      lap('main job in');

      await deployExamples(nodeRed, packageJson, examples);
      lap('examples deployed in');
      const job = mainJob(s3);
      await nodeRed.deploy(job);
      await uninstall(nodeRed, packageJson, job);
      lap('uninstalled in');
    });
  } catch (error) {
    throw new Error(`${messageOf(error)}\n--- Node-RED's log\n${nodeRed.log}`, { cause: error });
  } finally {
    await nodeRed.remove();
  }
  return times.join(', ');
}

async function packagesIn(temp: string): Promise<Packages> {
  const packageJson = JSON.parse(
    await readFile(path.join(REPOSITORY, 'package.json'), 'utf8'),
  ) as PackageJson;
  const present = await packRepository(REPOSITORY, temp);
  const earlier = await packedAs(EARLIER, present, path.join(temp, 'earlier'));
  const files = await readdir(path.join(REPOSITORY, 'examples'));
  const examples = files.filter((file) => file.endsWith('.json')).map((file) => path.basename(file, '.json'));
  return { present, earlier, packageJson, examples };
}

async function main(): Promise<void> {
  const wanted = process.argv[2] ?? '';
  const chosen = combinations(CACHE).filter(({ name }) => name.includes(wanted));
  if (chosen.length === 0) throw new Error(`no combination has "${wanted}" in its name`);
  // All at once and early. A failure is told when its turn comes, and must not end the process before.
  for (const { versions } of chosen) versions().catch(() => undefined);
  const temp = await mkdtemp(path.join(tmpdir(), 's3-batch-pack-'));
  let failed = 0;
  try {
    const packages = await packagesIn(temp);
    const left = [...chosen];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const { name } = next;
        try {
          console.log(`passed  ${name}: ${await check(next, packages)}`);
        } catch (error) {
          failed += 1;
          console.log(`FAILED  ${name}: ${messageOf(error)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
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
