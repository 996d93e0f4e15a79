import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { S3Error } from './errors';
import { replaceDurably, syncFolder, writeDurably } from './files';
import { placeOf, type SortableKey } from './list';
import { Locks } from './locks';

/** What a client says of an object besides its bytes. */
export interface ObjectProperties {
  /** User metadata, without the `x-amz-meta-` prefix. */
  attributes: Record<string, string>;
  /** Standard headers that a GET gives back, such as Content-Type. */
  headers: Record<string, string>;
}

/** Bytes in a file of their own that no object refers to yet. */
export interface StoredData {
  file: string;
  size: number;
  /** MD5 of the bytes in hex. */
  md5: string;
}

interface Metadata extends ObjectProperties {
  readonly key: string;
  file: string;
  size: number;
  /** Without quotes. */
  etag: string;
  /** Time of the write in ms. */
  modified: number;
}

export interface StoredObject extends Metadata, SortableKey {}

/** Throws when an object may not be written over what is there (`undefined`: nothing). */
export type Precondition = (current: StoredObject | undefined) => void;

/**
 * A bucket in a folder: `data/` has the objects' bytes, each in a file with a name of its own that is never written
 * to again, and `objects/` has per object one small JSON file that refers to it. Replacing that JSON file is the
 * moment at which a write becomes visible, so nobody sees a part of an object, and a reader who has opened the
 * old bytes goes on reading them. File names are hashes of keys, so that no key can reach out of the folder.
 */
export class Bucket {
  readonly name: string;
  readonly created: number;
  readonly #folder: string;
  readonly #objects = new Map<string, StoredObject>();
  #sorted: StoredObject[] = [];
  readonly #locks = new Locks();
  #commits = 0;
  #deleted = false;

  private constructor(folder: string, name: string, created: number) {
    this.#folder = folder;
    this.name = name;
    this.created = created;
  }

  static async create(folder: string, name: string): Promise<Bucket> {
    await mkdir(path.join(folder, 'objects'), { recursive: true });
    await mkdir(path.join(folder, 'data'), { recursive: true });
    await syncFolder(folder);
    const created = Date.now();
    await replaceDurably(path.join(folder, 'bucket.json'), JSON.stringify({ name, created }));
    await syncFolder(path.dirname(folder));
    return new Bucket(folder, name, created);
  }

  /** Opens a bucket's folder, and clears away what a crash left there unfinished. */
  static async load(folder: string): Promise<Bucket> {
    const about = JSON.parse(await readFile(path.join(folder, 'bucket.json'), 'utf8')) as Pick<
      Bucket,
      'name' | 'created'
    >;
    const bucket = new Bucket(folder, about.name, about.created);
    const objects = path.join(folder, 'objects');
    const orphans = new Set(await readdir(path.join(folder, 'data')));
    for (const file of await readdir(objects)) {
      if (file.endsWith('.tmp')) {
        await unlink(path.join(objects, file));
        continue;
      }
      const metadata = JSON.parse(await readFile(path.join(objects, file), 'utf8')) as Metadata;
      if (!orphans.delete(metadata.file)) {
        throw new Error(
          `${path.join(objects, file)} refers to the data file ${metadata.file}, which is missing`,
        );
      }
      bucket.#objects.set(metadata.key, { ...metadata, bytes: Buffer.from(metadata.key) });
    }
    bucket.#sorted = [...bucket.#objects.values()].sort((a, b) => a.bytes.compare(b.bytes));
    for (const file of orphans) await unlink(path.join(folder, 'data', file));
    return bucket;
  }

  /** All objects in the order of their keys' UTF-8 bytes. */
  get objects(): readonly StoredObject[] {
    return this.#sorted;
  }

  /** @throws S3Error `NoSuchKey` */
  object(key: string): StoredObject {
    const object = this.#objects.get(key);
    if (object === undefined)
      throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key });
    return object;
  }

  /** Opens an object's bytes together with the metadata that belongs to just these bytes. */
  async open(key: string): Promise<{ object: StoredObject; file: FileHandle }> {
    for (;;) {
      const object = this.object(key);
      try {
        return { object, file: await open(this.#dataPath(object.file), 'r') };
      } catch (error) {
        // Replaced or deleted in between: the next round sees what is there now.
        if (this.#objects.get(key) === object) throw error;
      }
    }
  }

  /** Writes bytes durably to a file that nothing refers to yet. */
  async write(bytes: AsyncIterable<Buffer>): Promise<StoredData> {
    const file = randomUUID();
    const md5 = createHash('md5');
    let size = 0;
    await writeDurably(
      this.#dataPath(file),
      (async function* () {
        for await (const piece of bytes) {
          md5.update(piece);
          size += piece.length;
          yield piece;
        }
      })(),
    );
    return { file, size, md5: md5.digest('hex') };
  }

  async *read(data: StoredData): AsyncGenerator<Buffer> {
    for await (const piece of createReadStream(this.#dataPath(data.file))) yield piece as Buffer;
  }

  async discard(data: { file: string }): Promise<void> {
    await rm(this.#dataPath(data.file), { force: true });
  }

  /**
   * Makes written bytes an object. The precondition is checked and the object replaced as one step: of several
   * writers with `If-None-Match: *` one wins. The bytes are discarded when it fails.
   */
  async commit(
    key: string,
    data: StoredData,
    properties: ObjectProperties,
    etag: string,
    precondition?: Precondition,
  ): Promise<StoredObject> {
    this.#commits++;
    try {
      await syncFolder(path.join(this.#folder, 'data'));
      return await this.#locks.run(key, async () => {
        if (this.#deleted) throw noSuchBucket(this.name);
        const before = this.#objects.get(key);
        precondition?.(before);
        const metadata: Metadata = {
          key,
          file: data.file,
          size: data.size,
          etag,
          modified: Date.now(),
          ...properties,
        };
        await replaceDurably(this.#metadataPath(key), JSON.stringify(metadata));
        const object = { ...metadata, bytes: Buffer.from(key) };
        this.#objects.set(key, object);
        this.#sorted.splice(placeOf(this.#sorted, object.bytes), before === undefined ? 0 : 1, object);
        if (before !== undefined) await this.discard(before);
        return object;
      });
    } catch (error) {
      // Any other failure may have come after the replacement; `load` clears away what is not referred to.
      if (error instanceof S3Error) await this.discard(data);
      throw error;
    } finally {
      this.#commits--;
    }
  }

  /** Deletes an object, or nothing when there is none. */
  async delete(key: string): Promise<void> {
    await this.#locks.run(key, async () => {
      const object = this.#objects.get(key);
      if (object === undefined) return;
      await unlink(this.#metadataPath(key));
      await syncFolder(path.join(this.#folder, 'objects'));
      this.#objects.delete(key);
      this.#sorted.splice(placeOf(this.#sorted, object.bytes), 1);
      await this.discard(object);
    });
  }

  /** @throws S3Error `BucketNotEmpty` */
  async destroy(): Promise<void> {
    if (this.#objects.size > 0 || this.#commits > 0) {
      throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty');
    }
    this.#deleted = true;
    const grave = `${this.#folder}.${randomUUID()}.deleted`;
    await rename(this.#folder, grave);
    await syncFolder(path.dirname(this.#folder));
    await rm(grave, { recursive: true });
  }

  #dataPath(file: string): string {
    return path.join(this.#folder, 'data', file);
  }

  #metadataPath(key: string): string {
    return path.join(this.#folder, 'objects', `${createHash('sha256').update(key).digest('hex')}.json`);
  }
}

export function noSuchBucket(name: string): S3Error {
  return new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
}
