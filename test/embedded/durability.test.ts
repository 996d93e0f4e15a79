import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { BUCKET, Harness } from './harness';

describe('the folder of the embedded S3 server', () => {
  const harness = new Harness();
  afterEach(() => harness.cleanUp());

  const put = (client: S3Client, key: string, body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body, Metadata: { of: 'x' } }));
  const open = async (client: S3Client, key: string): Promise<Readable> =>
    (await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))).Body as Readable;
  const keys = async (client: S3Client): Promise<(string | undefined)[]> =>
    ((await client.send(new ListObjectsV2Command({ Bucket: BUCKET }))).Contents ?? []).map(({ Key }) => Key);

  it('has everything again after a restart', async () => {
    const folder = await harness.folder();
    const { server, client } = await harness.startWithBucket({ folder });
    const names = ['../../etc/passwd', 'a/b', 'nul\0', 'ü', 'k'.repeat(1024)];
    for (const name of names) await put(client, name, `content of ${name}`);
    await put(client, 'deleted', 'x');
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: 'deleted' }));
    const listed = await keys(client);
    await server.stop();

    const again = harness.client(await harness.start({ folder }));
    assert.deepEqual(await keys(again), listed);
    assert.equal(listed.length, names.length);
    for (const name of names) {
      assert.equal((await buffer(await open(again, name))).toString(), `content of ${name}`);
      const head = await again.send(new HeadObjectCommand({ Bucket: BUCKET, Key: name }));
      assert.deepEqual(head.Metadata, { of: 'x' });
    }
  });

  it('has nothing outside of it, and no name that a key could choose', async () => {
    const outer = await harness.folder();
    const { client } = await harness.startWithBucket({ folder: path.join(outer, 'inner') });
    for (const key of ['..', '../../x', '/etc/x', 'a/../../../../x', 'C:\\x', '.'])
      await put(client, key, 'x');
    assert.deepEqual(await readdir(outer), ['inner']);
    assert.deepEqual(await readdir(path.join(outer, 'inner')), [BUCKET]);
    assert.deepEqual((await readdir(path.join(outer, 'inner', BUCKET))).sort(), [
      'bucket.json',
      'data',
      'objects',
    ]);
    for (const file of await readdir(path.join(outer, 'inner', BUCKET, 'objects'))) {
      assert.match(file, /^[0-9a-f]{64}\.json$/);
    }
  });

  it('is cleared of what a crash left there', async () => {
    const folder = await harness.folder();
    const { server, client } = await harness.startWithBucket({ folder });
    await put(client, 'kept', 'x');
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'part' }));
    await client.send(
      new UploadPartCommand({ Bucket: BUCKET, Key: 'part', UploadId, PartNumber: 1, Body: 'x' }),
    );
    await server.stop();
    await writeFile(path.join(folder, BUCKET, 'data', 'half-written'), 'x');
    await writeFile(path.join(folder, BUCKET, 'objects', 'ab.json.123.tmp'), '{"key":');
    await mkdir(path.join(folder, 'bucket-without-its-file'));
    await mkdir(path.join(folder, 'bucket-3.123.deleted'));

    const again = harness.client(await harness.start({ folder }));
    assert.deepEqual(await keys(again), ['kept']);
    assert.equal((await readdir(path.join(folder, BUCKET, 'data'))).length, 1);
    assert.equal((await readdir(path.join(folder, BUCKET, 'objects'))).length, 1);
    assert.deepEqual((await readdir(folder)).sort(), [BUCKET, 'bucket-without-its-file']);
  });

  it('lets a reader finish with the object that it began with', async () => {
    const { client } = await harness.startWithBucket();
    const [first, second] = [randomBytes(8_000_000), randomBytes(5_000_000)];
    await put(client, 'o', first);
    const reader = await open(client, 'o');
    await put(client, 'o', second);
    assert.ok((await buffer(reader)).equals(first));
    const last = await open(client, 'o');
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: 'o' }));
    assert.ok((await buffer(last)).equals(second));
    assert.deepEqual(await keys(client), []);
  });

  it('is left alone once the server has stopped, whatever was under way', async () => {
    const folder = await harness.folder();
    const { server, client } = await harness.startWithBucket({ folder });
    server.faults.add({ kind: 'hang', match: ({ key }) => key === 'hangs' });
    server.faults.add({ kind: 'delay', ms: 60_000, match: ({ key }) => key === 'waits' });
    await put(client, 'large', randomBytes(8_000_000));
    const reader = await open(client, 'large');
    const calls = [
      put(client, 'hangs', 'x'),
      put(client, 'waits', 'x'),
      put(client, 'large', randomBytes(20_000_000)),
      buffer(reader),
    ].map((call) =>
      call.then(
        () => 'done',
        () => 'failed',
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    await server.stop();
    const left = await readdir(path.join(folder, BUCKET, 'data'));
    client.destroy();
    assert.deepEqual(await Promise.all(calls).then((ends) => ends.slice(0, 2)), ['failed', 'failed']);
    assert.deepEqual(await readdir(path.join(folder, BUCKET, 'data')), left);
    await server.stop();
  });
});
