import { gunzipSync } from 'node:zlib';

import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';

import { type S3Access } from '../environment';
import { numberInLine } from './messages';

/** The numbers in a bucket, found as a stranger to the format would: list, download, unpack, read the lines. */
export class StoredNumbers {
  readonly #client: S3Client;
  readonly #bucket: string;
  /** By name and ETag: an object that has not changed is downloaded once. */
  readonly #read = new Map<string, number[]>();

  constructor({ endpoint, region, accessKey, secretKey }: S3Access, bucket: string) {
    const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
    this.#client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    this.#bucket = bucket;
  }

  /**
   * How often each number is there.
   * @param prefix beginning of the names of the objects that count; none: all
   */
  async count(prefix = ''): Promise<Map<number, number>> {
    const times = new Map<number, number>();
    for (const object of await this.#list(prefix)) {
      for (const number of await this.#numbersOf(object)) times.set(number, (times.get(number) ?? 0) + 1);
    }
    return times;
  }

  destroy(): void {
    this.#client.destroy();
  }

  async #list(prefix: string): Promise<{ key: string; etag: string }[]> {
    const objects: { key: string; etag: string }[] = [];
    let StartAfter: string | undefined;
    for (;;) {
      const { Contents = [], IsTruncated } = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: prefix,
          ...(StartAfter !== undefined && { StartAfter }),
        }),
      );
      for (const { Key = '', ETag = '' } of Contents) objects.push({ key: Key, etag: ETag });
      if (IsTruncated !== true) return objects;
      StartAfter = objects.at(-1)?.key;
    }
  }

  async #numbersOf({ key, etag }: { key: string; etag: string }): Promise<number[]> {
    const known = this.#read.get(`${key} ${etag}`);
    if (known) return known;
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? '').toString();
    if (!text.endsWith('\n')) throw new Error(`${key} does not end in a line feed`);
    const numbers = text.slice(0, -1).split('\n').map(numberInLine);
    this.#read.set(`${key} ${etag}`, numbers);
    return numbers;
  }
}
