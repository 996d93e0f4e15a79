import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startS3Server, type S3Server, type S3ServerOptions } from '../../../embedded/s3-server';
import type { S3Credentials, S3StoreOptions } from '../../../lib/store/s3-store';

export const BUCKET = 'records';
export const CREDENTIALS: S3Credentials = {
  accessKeyId: 'embeddedaccess',
  secretAccessKey: 'embeddedsecretembeddedsecret',
};

/** An embedded server on a folder of its own with one bucket, and the options of a store on it. */
export interface Embedded {
  server: S3Server;
  options: S3StoreOptions & { endpoint: string; credentials: S3Credentials };
  stop(): Promise<void>;
}

export async function startEmbedded(options: Partial<S3ServerOptions> = {}): Promise<Embedded> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-store-'));
  const region = 'us-east-1';
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = CREDENTIALS;
  const server = await startS3Server({ folder, region, accessKey, secretKey, ...options });
  if (options.tls === undefined) {
    const admin = new S3Client({
      endpoint: server.url,
      region,
      forcePathStyle: true,
      credentials: CREDENTIALS,
    });
    await admin.send(new CreateBucketCommand({ Bucket: BUCKET }));
    admin.destroy();
    server.stats.reset();
  }
  return {
    server,
    options: { endpoint: server.url, region, pathStyle: true, credentials: CREDENTIALS },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}
