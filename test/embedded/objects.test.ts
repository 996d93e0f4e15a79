import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type ListObjectsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Server } from '../../embedded/s3-server';
import { BUCKET, Harness } from './harness';

describe('the embedded S3 server, asked by the SDK with its defaults', () => {
  const harness = new Harness();
  let server: S3Server;
  let client: S3Client;
  before(async () => {
    ({ server, client } = await harness.startWithBucket());
  });
  after(() => harness.cleanUp());

  const put = (key: string, body: string | Buffer | Readable, more: object = {}) =>
    client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body, ...more }));
  const get = async (key: string, more: object = {}): Promise<Buffer> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, ...more }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };

  it('stores a Buffer with the checksum header, and a stream with the checksum as a trailer', async () => {
    const body = randomBytes(300_000);
    const md5 = `"${createHash('md5').update(body).digest('hex')}"`;
    assert.equal((await put('buffer', body)).ETag, md5);
    const stream = Readable.from([body.subarray(0, 1), body.subarray(1, 200_000), body.subarray(200_000)]);
    assert.equal((await put('stream', stream, { ContentLength: body.length })).ETag, md5);
    assert.ok((await get('buffer')).equals(body));
    assert.ok((await get('stream')).equals(body));
  });

  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256']) {
    it(`checks ${ChecksumAlgorithm}`, async () => {
      await put('checksum', 'content', { ChecksumAlgorithm });
      const wrong = {
        [`Checksum${ChecksumAlgorithm}`]: Buffer.alloc(ChecksumAlgorithm.startsWith('CRC') ? 4 : 32).toString(
          'base64',
        ),
      };
      await assert.rejects(put('checksum', 'other', wrong), { name: 'BadDigest' });
      assert.equal((await get('checksum')).toString(), 'content');
    });
  }

  it('keeps the headers that describe an object, and tells how its body travelled to nobody', async () => {
    await put('described', 'x', {
      ContentType: 'application/gzip',
      ContentEncoding: 'gzip',
      CacheControl: 'no-store',
      ContentDisposition: 'attachment',
      Metadata: { 'key-template': '{a}', Upper: 'B' },
    });
    await put('plain', Readable.from(['x']), { ContentLength: 1 });
    const described = await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'described' }));
    assert.equal(described.ContentType, 'application/gzip');
    assert.equal(described.ContentEncoding, 'gzip');
    assert.equal(described.CacheControl, 'no-store');
    assert.equal(described.ContentDisposition, 'attachment');
    assert.deepEqual(described.Metadata, { 'key-template': '{a}', upper: 'B' });
    const plain = await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'plain' }));
    assert.equal(plain.ContentEncoding, undefined);
    assert.deepEqual(plain.Metadata, {});
  });

  it('limits attributes to 2 KB, names included', async () => {
    await put('metadata', 'x', { Metadata: { name: 'v'.repeat(2044) } });
    await assert.rejects(put('metadata', 'x', { Metadata: { name: 'v'.repeat(2045) } }), {
      name: 'MetadataTooLarge',
    });
  });

  it('reads ranges, and answers from where to where', async () => {
    await put('range', '0123456789');
    const range = async (Range: string): Promise<[string, string | undefined, number | undefined]> => {
      const { Body, ContentRange, $metadata } = await client.send(
        new GetObjectCommand({ Bucket: BUCKET, Key: 'range', Range }),
      );
      return [(await Body?.transformToString()) ?? '', ContentRange, $metadata.httpStatusCode];
    };
    assert.deepEqual(await range('bytes=2-4'), ['234', 'bytes 2-4/10', 206]);
    assert.deepEqual(await range('bytes=7-'), ['789', 'bytes 7-9/10', 206]);
    assert.deepEqual(await range('bytes=-4'), ['6789', 'bytes 6-9/10', 206]);
    assert.deepEqual(await range('bytes=0-1,4-5'), ['0123456789', undefined, 200]);
    await assert.rejects(range('bytes=10-'), { name: 'InvalidRange' });
  });

  it('heeds conditions on GET', async () => {
    const { ETag } = await put('condition', 'x');
    const yesterday = new Date(Date.now() - 86_400_000);
    const tomorrow = new Date(Date.now() + 86_400_000);
    assert.equal(
      (await get('condition', { IfMatch: ETag, IfModifiedSince: yesterday, IfUnmodifiedSince: tomorrow }))
        .length,
      1,
    );
    assert.equal((await get('condition', { IfNoneMatch: '"other"' })).length, 1);
    await assert.rejects(get('condition', { IfMatch: '"other"' }), { name: 'PreconditionFailed' });
    await assert.rejects(get('condition', { IfUnmodifiedSince: yesterday }), { name: 'PreconditionFailed' });
    for (const more of [{ IfNoneMatch: ETag }, { IfNoneMatch: '*' }, { IfModifiedSince: new Date() }]) {
      await assert.rejects(get('condition', more), (error: { $metadata: { httpStatusCode: number } }) => {
        assert.equal(error.$metadata.httpStatusCode, 304);
        return true;
      });
    }
  });

  it('heeds conditions on PUT', async () => {
    const { ETag } = await put('conditional', '1', { IfNoneMatch: '*' });
    await assert.rejects(put('conditional', '2', { IfNoneMatch: '*' }), { name: 'PreconditionFailed' });
    await put('conditional', '3', { IfMatch: ETag });
    await assert.rejects(put('conditional', '4', { IfMatch: ETag }), { name: 'PreconditionFailed' });
    await assert.rejects(put('not-there', '4', { IfMatch: ETag }), { name: 'NoSuchKey' });
    await assert.rejects(put('conditional', '5', { IfNoneMatch: ETag }), { name: 'NotImplemented' });
    assert.equal((await get('conditional')).toString(), '3');
  });

  it('deletes many objects at once', async () => {
    await Promise.all(['many/1', 'many/2 &<>', 'many/ü'].map((key) => put(key, 'x')));
    const Objects = ['many/1', 'many/2 &<>', 'many/none'].map((Key) => ({ Key }));
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
    assert.deepEqual(
      Deleted?.map(({ Key }) => Key),
      ['many/1', 'many/2 &<>', 'many/none'],
    );
    const { Contents } = await client.send(new ListObjectsCommand({ Bucket: BUCKET, Prefix: 'many/' }));
    assert.deepEqual(
      Contents?.map(({ Key }) => Key),
      ['many/ü'],
    );
  });

  it('lists as the first version of the listing does', async () => {
    await Promise.all(['v1/a', 'v1/b/1', 'v1/b/2', 'v1/c', 'v1/d/1'].map((key) => put(key, 'x')));
    const seen: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page: ListObjectsCommandOutput = await client.send(
        new ListObjectsCommand({ Bucket: BUCKET, Prefix: 'v1/', Delimiter: '/', MaxKeys: 1, Marker }),
      );
      seen.push(
        ...(page.Contents ?? []).map(({ Key }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
      );
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    assert.deepEqual(seen, ['v1/a', 'v1/b/', 'v1/c', 'v1/d/']);
  });

  it('takes a multipart upload', async () => {
    const [first, second] = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
    const target = { Bucket: BUCKET, Key: 'multipart' };
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...target, Metadata: { a: 'b' }, ContentType: 'text/x' }),
    );
    const upload = { ...target, UploadId };
    const part = async (
      PartNumber: number,
      Body: Buffer,
    ): Promise<{ PartNumber: number; ETag: string | undefined }> => {
      const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
      return { PartNumber, ETag };
    };
    const complete = (Parts: object[]) =>
      client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    await part(1, randomBytes(10));
    const parts = [await part(1, first), await part(7, second)];
    await assert.rejects(get('multipart'), { name: 'NoSuchKey' });
    await assert.rejects(complete([{ PartNumber: 1, ETag: '"wrong"' }]), { name: 'InvalidPart' });
    await assert.rejects(complete([...parts].reverse()), { name: 'InvalidPartOrder' });
    const { ETag } = await complete(parts);
    assert.match(ETag ?? '', /^"[0-9a-f]{32}-2"$/);
    assert.ok((await get('multipart')).equals(Buffer.concat([first, second])));
    const head = await client.send(new HeadObjectCommand(target));
    assert.deepEqual([head.Metadata, head.ContentType, head.ETag], [{ a: 'b' }, 'text/x', ETag]);
    await assert.rejects(complete(parts), { name: 'NoSuchUpload' });
  });

  it('drops a multipart upload that is aborted', async () => {
    const target = { Bucket: BUCKET, Key: 'aborted' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const upload = { ...target, UploadId };
    await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'x' }));
    await client.send(new AbortMultipartUploadCommand(upload));
    await assert.rejects(client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'x' })), {
      name: 'NoSuchUpload',
    });
    await assert.rejects(get('aborted'), { name: 'NoSuchKey' });
  });

  it('makes, finds, lists and deletes buckets', async () => {
    const Bucket = 'bucket.2-x';
    await client.send(new CreateBucketCommand({ Bucket }));
    await assert.rejects(client.send(new CreateBucketCommand({ Bucket })), {
      name: 'BucketAlreadyOwnedByYou',
    });
    assert.equal((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1');
    const location = await client.send(new GetBucketLocationCommand({ Bucket }));
    assert.ok(!location.LocationConstraint);
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    assert.deepEqual(
      Buckets?.map(({ Name }) => Name),
      [BUCKET, Bucket],
    );
    await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    await assert.rejects(client.send(new DeleteBucketCommand({ Bucket })), { name: 'BucketNotEmpty' });
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k' }] } }));
    await client.send(new DeleteBucketCommand({ Bucket }));
    await assert.rejects(client.send(new HeadBucketCommand({ Bucket })), { name: 'NotFound' });
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new DeleteBucketCommand({ Bucket }));
  });

  it('refuses bucket names that S3 refuses', async () => {
    for (const Bucket of [
      'ab',
      'UPPER',
      'a..b',
      '-ab',
      'ab-',
      '192.168.1.1',
      'x'.repeat(64),
      'under_score',
    ]) {
      await assert.rejects(
        client.send(new CreateBucketCommand({ Bucket })),
        { name: 'InvalidBucketName' },
        Bucket,
      );
    }
  });

  it('counts requests and bytes', async () => {
    await put('counted', 'x'.repeat(1000));
    server.stats.reset();
    await put('counted', 'x'.repeat(500));
    await get('counted');
    await get('counted', { Range: 'bytes=0-99' });
    await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'counted' }));
    assert.equal(server.stats.requests, 4);
    assert.equal(server.stats.of('PutObject'), 1);
    assert.equal(server.stats.of('GetObject'), 2);
    assert.equal(server.stats.of('HeadObject'), 1);
    assert.equal(server.stats.of('ListObjectsV2'), 0);
    assert.equal(server.stats.bytesReceived, 500);
    assert.equal(server.stats.bytesSent, 600);
  });
});
