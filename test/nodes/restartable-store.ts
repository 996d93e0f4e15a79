import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

import { type Faults, type S3Server, startS3Server } from '../../embedded/s3-server';
import { S3Store } from '../../lib/store/s3-store';
import { KEYS } from '../support/embedded';
import { freePort } from '../support/free-port';

/** An S3 server that can be stopped and started again on the same folder and port. */
export class RestartableStore {
  #server: S3Server | undefined;
  readonly store: S3Store;
  readonly #client: S3Client;

  private constructor(
    readonly folder: string,
    readonly port: number,
  ) {
    const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey };
    const { region } = KEYS;
    this.store = new S3Store({ endpoint: this.url, region, pathStyle: true, credentials });
    this.#client = new S3Client({ endpoint: this.url, region, forcePathStyle: true, credentials });
  }

  static async start(): Promise<RestartableStore> {
    const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-test-'));
    const store = new RestartableStore(folder, await freePort());
    await store.start();
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What goes wrong on purpose, until the next stop. */
  get faults(): Faults {
    assert.ok(this.#server, 'the server runs');
    return this.#server.faults;
  }

  async start(): Promise<void> {
    this.#server ??= await startS3Server({ folder: this.folder, port: this.port, ...KEYS });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  async createBucket(name: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: name }));
  }

  async remove(): Promise<void> {
    this.#client.destroy();
    this.store.destroy();
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
