import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';

import { type S3Access } from './environment';

/** The buckets of a test, which it leaves no trace of. */
export class TestBuckets {
  readonly #client: S3Client;
  readonly #names = new Set<string>();

  constructor({ endpoint, region, accessKey, secretKey }: S3Access) {
    const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
    this.#client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  }

  async create(name: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: name }));
    this.#names.add(name);
  }

  /** Deletes them with all that is in them. */
  async removeAll(): Promise<void> {
    for (const Bucket of this.#names) {
      for (;;) {
        const { Contents = [] } = await this.#client.send(new ListObjectsV2Command({ Bucket }));
        if (Contents.length === 0) break;
        const Objects = Contents.map(({ Key }) => ({ Key }));
        await this.#client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      }
      await this.#client.send(new DeleteBucketCommand({ Bucket }));
    }
    this.#client.destroy();
  }
}
