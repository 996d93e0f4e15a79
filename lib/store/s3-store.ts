import { Readable } from 'node:stream';
import { S3BatchError } from '../errors';
import { limitFor, withinLimit } from './limit';
import type {
  ByteRange,
  ListOptions,
  ListPage,
  ObjectHead,
  ObjectPart,
  ObjectStore,
  PutOptions,
} from './object-store';
import { protocolError } from './protocol-error';
import { checkAttributes } from './s3-attributes';
import { loadClient, type LoadedClient } from './s3-client';
import { describePlace, storeError, type Target } from './s3-errors';
import { readFailure } from './s3-failure';
import { nextToken, readPage } from './s3-listing';
import { checkOptions, type CheckedOptions, type S3StoreOptions } from './s3-options';
import { placeOfPart, rangeHeader, readExactly } from './s3-range';

export type { S3Credentials, S3Role, S3StoreOptions, S3TlsOptions } from './s3-options';

/** S3's largest page of a listing. */
const LARGEST_PAGE = 1000;

/** Answers to HEAD that may have one of several reasons; see `#explainHead`. */
const UNEXPLAINED: ReadonlySet<number> = new Set([301, 307, 400, 401, 403, 404]);

/** What a call is given: the SDK, a client, what to pass to `send`, and how to name the place in an error. */
interface Call extends LoadedClient {
  send: { abortSignal: AbortSignal; requestTimeout: number };
  place: string;
}

const withoutQuotes = (etag: string): string => etag.replace(/^"(.*)"$/, '$1');

/**
 * Objects in AWS S3, Ceph RGW and other stores that speak S3, over the AWS SDK.
 *
 * Each call ends within the request timeout plus the time that its bytes take at 128 KiB/s, whatever the store does,
 * attempts of the SDK's and reading the answer included; a listing has that per page. The connect timeout and the
 * request timeout as the longest silence hold within it. The SDK tries up to three times what failed with a broken
 * connection, a server error or a busy store, and less often while most of its calls fail; waiting for a store that is
 * away is the caller's business. A body that breaks off while it is read is not tried again.
 *
 * No error says or holds a secret, a signature or a request's headers, not even deep inside.
 */
export class S3Store implements ObjectStore {
  readonly #options: CheckedOptions;
  readonly #closing = new AbortController();
  #loading: Promise<LoadedClient> | undefined;

  /** @throws CONNECTION_INVALID */
  constructor(options: S3StoreOptions) {
    this.#options = checkOptions(options);
  }

  async put(bucket: string, key: string, body: Buffer, options: PutOptions): Promise<{ etag: string }> {
    const { attributes, contentType, ifNoneMatch, signal } = options;
    const target: Target = { bucket, key, condition: 'OBJECT_EXISTS' };
    return this.#call(target, { bytes: body.length, signal }, async ({ sdk, client, send, place }) => {
      checkAttributes(attributes, place);
      const command = new sdk.PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        ContentLength: body.length,
        ContentType: contentType,
        Metadata: attributes,
        ...(ifNoneMatch === true && { IfNoneMatch: '*' }),
      });
      const { ETag: etag } = await client.send(command, send);
      if (etag === undefined) throw protocolError('The store took the object and gave no entity tag', place);
      return { etag };
    });
  }

  async head(bucket: string, key: string, options: { signal?: AbortSignal } = {}): Promise<ObjectHead> {
    return this.#call({ bucket, key }, { bytes: 0, ...options }, async (call) => {
      const output = await call.client
        .send(new call.sdk.HeadObjectCommand({ Bucket: bucket, Key: key }), call.send)
        .catch((error: unknown) => this.#explainHead(call, { bucket, key }, error));
      const { ContentLength: size, ETag: etag, Metadata: attributes = {} } = output;
      if (size === undefined || etag === undefined) {
        throw protocolError('The store described an object without its size or entity tag', call.place);
      }
      return {
        size,
        etag,
        attributes,
        ...(output.ContentType !== undefined && { contentType: output.ContentType }),
        ...(output.LastModified !== undefined && { lastModified: output.LastModified }),
      };
    });
  }

  async getRange(
    bucket: string,
    key: string,
    range: ByteRange,
    options: { etag?: string; signal?: AbortSignal } = {},
  ): Promise<ObjectPart> {
    const { etag: wanted, signal } = options;
    const target: Target = { bucket, key, condition: 'OBJECT_CHANGED' };
    const bytes = 'suffix' in range ? range.suffix : range.length;
    return this.#call(target, { bytes, signal }, async ({ sdk, client, send, place }) => {
      const command = new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: key,
        Range: rangeHeader(range, place),
        ...(wanted !== undefined && { IfMatch: wanted }),
      });
      const output = await client.send(command, send);
      const body: unknown = output.Body;
      if (!(body instanceof Readable))
        throw protocolError('The store answered a range without a body', place);
      try {
        const { ETag: etag, Metadata: attributes = {} } = output;
        if (etag === undefined)
          throw protocolError('The store sent a range without the entity tag of its object', place);
        if (wanted !== undefined && withoutQuotes(etag) !== withoutQuotes(wanted)) {
          throw new S3BatchError(
            'OBJECT_CHANGED',
            `The object was replaced while it was read: ${place}. Read it anew.`,
          );
        }
        const part = placeOfPart(
          range,
          {
            status: output.$metadata.httpStatusCode,
            contentRange: output.ContentRange,
            contentLength: output.ContentLength,
          },
          place,
        );
        const content = await readExactly(body, part.length, place);
        return { bytes: content, offset: part.offset, size: part.size, etag, attributes };
      } finally {
        // Of an answer that is not wanted no more is read; after the last byte this does nothing.
        body.destroy();
      }
    });
  }

  async *list(bucket: string, options: ListOptions = {}): AsyncGenerator<ListPage> {
    const { prefix, startAfter, delimiter, pageSize = LARGEST_PAGE, signal } = options;
    let token: string | undefined;
    do {
      const from = token;
      const { page, next } = await this.#call(
        { bucket },
        { bytes: 0, signal },
        async ({ sdk, client, send, place }) => {
          const command = new sdk.ListObjectsV2Command({
            Bucket: bucket,
            MaxKeys: Math.min(pageSize, LARGEST_PAGE),
            EncodingType: 'url',
            ...(prefix !== undefined && { Prefix: prefix }),
            ...(delimiter !== undefined && { Delimiter: delimiter }),
            ...(from !== undefined
              ? { ContinuationToken: from }
              : startAfter !== undefined && { StartAfter: startAfter }),
          });
          const output = await client.send(command, send);
          return { page: readPage(output, place), next: nextToken(output, from, place) };
        },
      );
      yield page;
      token = next;
    } while (token !== undefined);
  }

  async buckets(options: { signal?: AbortSignal } = {}): Promise<string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const from = token;
      token = await this.#call({}, { bytes: 0, ...options }, async ({ sdk, client, send, place }) => {
        const output = await client.send(new sdk.ListBucketsCommand({ ContinuationToken: from }), send);
        if (output.Buckets === undefined && output.Owner === undefined) {
          throw protocolError('The store answered a listing of buckets with something else', place);
        }
        names.push(...(output.Buckets ?? []).flatMap(({ Name: name }) => (name === undefined ? [] : [name])));
        const { ContinuationToken: next } = output;
        if (next === from && from !== undefined)
          throw protocolError('The store listed the same part of the buckets again and again', place);
        return next === '' ? undefined : next;
      });
    } while (token !== undefined);
    return names;
  }

  async delete(bucket: string, key: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#call({ bucket, key }, { bytes: 0, ...options }, async ({ sdk, client, send }) => {
      await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), send);
    });
  }

  /**
   * Loads what the first call would have to load: that holds up the event loop for 100 ms and more, so a quiet moment is
   * better for it. Whatever fails is told by that call.
   */
  async prepare(): Promise<void> {
    await this.#load().catch(() => undefined);
  }

  /** Ends all connections. Calls under way and later ones fail with `ABORTED`. */
  destroy(): void {
    this.#closing.abort(new Error('The connection was closed.'));
    this.#loading?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  /** Loads the SDK once, and again only after a failure. */
  async #load(): Promise<LoadedClient> {
    this.#loading ??= loadClient(this.#options);
    try {
      return await this.#loading;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  /** Does one call within its limit, and turns whatever goes wrong into the port's errors. */
  async #call<T>(
    target: Target,
    limit: { bytes: number; signal?: AbortSignal | undefined },
    work: (call: Call) => Promise<T>,
  ): Promise<T> {
    const place = describePlace(this.#options, target);
    try {
      if (target.bucket === '')
        throw new S3BatchError('BUCKET_INVALID', `The bucket name is empty: ${place}. Enter one.`);
      if (target.key === '')
        throw new S3BatchError('STORE_REFUSED', `The object's name is empty: ${place}. Give one.`);
      const loaded = await this.#load();
      const ms = limitFor(this.#options.requestTimeoutMs, limit.bytes);
      const signals = [limit.signal, this.#closing.signal];
      return await withinLimit({ ms, signals, place }, (abortSignal) =>
        work({ ...loaded, place, send: { abortSignal, requestTimeout: ms } }),
      );
    } catch (error) {
      throw storeError(error, this.#options, target);
    }
  }

  /**
   * An answer to HEAD has no body, so it cannot say whether it is the bucket that is missing, or what is wrong with
   * the credentials. A GET of one byte fails for the same reason and says so.
   */
  async #explainHead({ sdk, client, send }: Call, target: Target, error: unknown): Promise<never> {
    if (!UNEXPLAINED.has(readFailure(error).status ?? 0)) throw error;
    const command = new sdk.GetObjectCommand({ Bucket: target.bucket, Key: target.key, Range: 'bytes=0-0' });
    try {
      const { Body: body } = await client.send(command, send);
      if (body instanceof Readable) body.destroy();
    } catch (reason) {
      if (readFailure(reason).status !== 416) throw reason;
    }
    // The object has come into being in between; the answer to HEAD was right when it was given.
    throw error;
  }
}
