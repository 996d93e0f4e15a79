import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

import { type S3Server, startS3Server } from '../../embedded/s3-server';
import { S3Store } from '../../lib/store/s3-store';

export const KEYS = { accessKey: 'test', secretKey: 'test-secret', region: 'us-east-1' };

/** An S3 server of the test's own, and a store that speaks to it. */
export interface TestStore {
  server: S3Server;
  store: S3Store;
  folder: string;
  createBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startTestStore(): Promise<TestStore> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-test-'));
  const server = await startS3Server({ folder, ...KEYS });
  const store = new S3Store({
    endpoint: server.url,
    region: KEYS.region,
    pathStyle: true,
    credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
  });
  const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey };
  const client = new S3Client({
    endpoint: server.url,
    region: KEYS.region,
    forcePathStyle: true,
    credentials,
  });
  return {
    server,
    store,
    folder,
    createBucket: async (name) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    },
    stop: async () => {
      client.destroy();
      store.destroy();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
