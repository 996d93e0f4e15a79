import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startS3Server, type S3Server, type S3ServerOptions } from '../../embedded/s3-server';

export const BUCKET = 'bucket-1';
export const KEYS = { accessKey: 'harnessaccess', secretKey: 'harnesssecret', region: 'us-east-1' };

/** Servers and clients that are stopped, and folders that are removed, after each test. */
export class Harness {
  readonly #cleanups: (() => unknown)[] = [];

  async folder(): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'embedded-s3-'));
    this.#cleanups.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  async start(options: Partial<S3ServerOptions> = {}): Promise<S3Server> {
    const server = await startS3Server({
      ...KEYS,
      folder: options.folder ?? (await this.folder()),
      ...options,
    });
    this.#cleanups.push(() => server.stop());
    return server;
  }

  /** A client as the SDK comes, with all its defaults. */
  client(server: S3Server, config: Partial<S3ClientConfig> = {}): S3Client {
    const client = new S3Client({
      endpoint: server.url,
      region: KEYS.region,
      forcePathStyle: true,
      credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
      ...config,
    });
    this.#cleanups.push(() => client.destroy());
    return client;
  }

  /** A server with one bucket, and a client. */
  async startWithBucket(
    options: Partial<S3ServerOptions> = {},
  ): Promise<{ server: S3Server; client: S3Client }> {
    const server = await this.start(options);
    const client = this.client(server);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    server.stats.reset();
    return { server, client };
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}
