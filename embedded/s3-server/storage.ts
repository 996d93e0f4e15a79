import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Bucket, noSuchBucket } from './bucket';
import { S3Error } from './errors';
import { Locks } from './locks';

const BUCKET_NAME = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

/** The buckets in a folder, one sub-folder each. The folder belongs to one server at a time. */
export class Storage {
  readonly #folder: string;
  readonly #buckets = new Map<string, Bucket>();
  readonly #locks = new Locks();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<Storage> {
    await mkdir(folder, { recursive: true });
    const storage = new Storage(path.resolve(folder));
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = path.join(folder, entry.name);
      if (!entry.isDirectory()) continue;
      if (entry.name.endsWith('.deleted')) {
        await rm(place, { recursive: true });
      } else if (existsSync(path.join(place, 'bucket.json'))) {
        const bucket = await Bucket.load(path.resolve(place));
        storage.#buckets.set(bucket.name, bucket);
      }
    }
    return storage;
  }

  /** All buckets, by name. */
  get buckets(): Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws S3Error `NoSuchBucket` */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  }

  /** @throws S3Error `InvalidBucketName`, `BucketAlreadyOwnedByYou` */
  async createBucket(name: string): Promise<void> {
    if (!BUCKET_NAME.test(name)) {
      throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name });
    }
    await this.#locks.run(name, async () => {
      if (this.#buckets.has(name)) {
        throw new S3Error(
          'BucketAlreadyOwnedByYou',
          'Your previous request to create the named bucket succeeded and you already own it.',
          { BucketName: name },
        );
      }
      this.#buckets.set(name, await Bucket.create(path.join(this.#folder, name), name));
    });
  }

  /** @throws S3Error `NoSuchBucket`, `BucketNotEmpty` */
  async deleteBucket(name: string): Promise<void> {
    await this.#locks.run(name, async () => {
      await this.bucket(name).destroy();
      this.#buckets.delete(name);
    });
  }
}
