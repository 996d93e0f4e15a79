import { createHash } from 'node:crypto';

import { type ErrorCode, S3BatchError } from '../../lib/errors';
import type {
  ByteRange,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectHead,
  ObjectPart,
  ObjectStore,
  PutOptions,
} from '../../lib/store/object-store';

export interface StoreCall {
  operation: 'put' | 'head' | 'get' | 'list' | 'delete';
  bucket: string;
  key: string;
}

/** What a call meets. */
export interface StoreFault {
  code: ErrorCode;
  /** True: it is done all the same, and only its answer is lost. */
  after?: boolean;
}

interface Held {
  body: Buffer;
  etag: string;
  contentType: string;
  attributes: Record<string, string>;
}

/** A store in memory that fails as it is told to, and remembers what it was asked. */
export class MemoryStore implements ObjectStore {
  readonly calls: StoreCall[] = [];
  /** Decides what a call meets; undefined: nothing. */
  fault: (call: StoreCall) => ErrorCode | StoreFault | undefined = () => undefined;
  /** Calls wait for it before they do anything. */
  gate: (call: StoreCall) => Promise<void> | undefined = () => undefined;
  /** Calls of `put` under way, now and at most. */
  active = 0;
  mostActive = 0;
  readonly #buckets = new Map<string, Map<string, Held>>();
  readonly #anyBucket: boolean;

  /** @param buckets their names; none: every bucket is there */
  constructor(...buckets: string[]) {
    this.#anyBucket = buckets.length === 0;
    for (const bucket of buckets) this.createBucket(bucket);
  }

  createBucket(bucket: string): void {
    this.#buckets.set(bucket, new Map());
  }

  async put(bucket: string, key: string, body: Buffer, options: PutOptions): Promise<{ etag: string }> {
    this.mostActive = Math.max(this.mostActive, ++this.active);
    try {
      return await this.#call({ operation: 'put', bucket, key }, () => {
        const { contentType, attributes } = options;
        // Whoever changes its buffer later must not change what is stored.
        const held = { body: Buffer.from(body), etag: etagOf(body), contentType, attributes };
        this.#bucket(bucket).set(key, held);
        return { etag: held.etag };
      });
    } finally {
      this.active--;
    }
  }

  async head(bucket: string, key: string): Promise<ObjectHead> {
    return this.#call({ operation: 'head', bucket, key }, () => {
      const { body, etag, contentType, attributes } = this.#object(bucket, key);
      return { size: body.length, etag, contentType, attributes: { ...attributes } };
    });
  }

  async getRange(
    bucket: string,
    key: string,
    range: ByteRange,
    options: { etag?: string } = {},
  ): Promise<ObjectPart> {
    return this.#call({ operation: 'get', bucket, key }, () => {
      const { body, etag, attributes } = this.#object(bucket, key);
      if (options.etag !== undefined && options.etag !== etag) throw failure('OBJECT_CHANGED');
      const size = body.length;
      const offset = 'suffix' in range ? Math.max(0, size - range.suffix) : range.offset;
      const length = 'suffix' in range ? range.suffix : range.length;
      if (!(length > 0 && offset >= 0 && offset < size)) throw failure('RANGE_INVALID');
      const bytes = Buffer.from(body.subarray(offset, offset + length));
      return { bytes, offset, size, etag, attributes: { ...attributes } };
    });
  }

  async *list(bucket: string, options: ListOptions = {}): AsyncGenerator<ListPage> {
    const { prefix = '', startAfter, pageSize = 1000 } = options;
    const after = startAfter === undefined ? undefined : Buffer.from(startAfter);
    const keys = (): string[] =>
      this.keys(bucket).filter(
        (key) => key.startsWith(prefix) && (!after || Buffer.compare(Buffer.from(key), after) > 0),
      );
    for (let at = 0; at === 0 || at < keys().length; at += pageSize) {
      yield await this.#call({ operation: 'list', bucket, key: prefix }, () => {
        this.#bucket(bucket);
        const objects = keys()
          .slice(at, at + pageSize)
          .map((key): ListedObject => {
            const { body, etag } = this.#object(bucket, key);
            return { key, size: body.length, etag };
          });
        return { objects, prefixes: [] };
      });
    }
  }

  async buckets(): Promise<string[]> {
    return Promise.resolve([...this.#buckets.keys()]);
  }

  async delete(bucket: string, key: string): Promise<void> {
    await this.#call({ operation: 'delete', bucket, key }, () => this.#bucket(bucket).delete(key));
  }

  /** Names in the order of their UTF-8 bytes. */
  keys(bucket: string): string[] {
    return [...(this.#buckets.get(bucket)?.keys() ?? [])].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
  }

  /** All names, as `bucket/key`. */
  get names(): string[] {
    return [...this.#buckets.keys()].flatMap((bucket) => this.keys(bucket).map((key) => `${bucket}/${key}`));
  }

  body(bucket: string, key: string): Buffer {
    return this.#object(bucket, key).body;
  }

  /** Changes an object behind everybody's back. */
  change(bucket: string, key: string, change: Partial<Omit<Held, 'etag'>>): void {
    const held = { ...this.#object(bucket, key), ...change };
    this.#bucket(bucket).set(key, { ...held, etag: etagOf(held.body) });
  }

  count(operation: StoreCall['operation']): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  async #call<T>(call: StoreCall, work: () => T): Promise<T> {
    this.calls.push(call);
    await (this.gate(call) ?? Promise.resolve());
    const met = this.fault(call);
    const fault = typeof met === 'string' ? { code: met } : met;
    if (fault && fault.after !== true) throw failure(fault.code);
    const answer = work();
    if (fault) throw failure(fault.code);
    return answer;
  }

  #bucket(bucket: string): Map<string, Held> {
    if (this.#anyBucket && !this.#buckets.has(bucket)) this.createBucket(bucket);
    const found = this.#buckets.get(bucket);
    if (!found) throw failure('BUCKET_MISSING');
    return found;
  }

  #object(bucket: string, key: string): Held {
    const found = this.#bucket(bucket).get(key);
    if (!found) throw failure('OBJECT_MISSING');
    return found;
  }
}

function failure(code: ErrorCode): S3BatchError {
  return new S3BatchError(code, `the memory store says ${code}`);
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}
