import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { loadClient, type LoadedClient, type TrialOptions } from '../s3-client';
import { secretsOf } from '../s3-errors';
import { readFailure, withoutSecrets, type Failure } from '../s3-failure';
import type { CheckedOptions } from '../s3-options';
import { S3Store } from '../s3-store';
import type { BetterSettings } from './finding';

/** Where the doctor puts its objects: a name that tells a person who finds one what it is. */
export const PREFIX = 's3-batch-connection-doctor/';

/** How long after an upload without an answer it can still take effect, as far as we wait for it, in ms. */
const DOUBT_MS = 1000;

/** An object that was tried to be written, with what deletes it for good. */
interface Written {
  /** Of a bucket that keeps versions. */
  versions: Set<string>;
  /** An upload ended without an answer: it may have taken effect, or still do so. */
  inDoubt: boolean;
}

/**
 * What the checks of one examination share: the settings that are tried, connections with them, and every object that
 * was written, so that none is left behind.
 */
export class Trial {
  readonly bucket: string;
  /** Of the names of all objects of this examination. */
  readonly prefix = `${PREFIX}${randomUUID()}/`;
  readonly createBucket: boolean;
  /** Actions of S3 that were denied, and those that were allowed. */
  readonly denied = new Set<string>();
  readonly allowed = new Set<string>();
  #options: CheckedOptions;
  readonly #better: BetterSettings = {};
  readonly #clients = new Map<string, Promise<LoadedClient>>();
  #store: S3Store | undefined;
  readonly #written = new Map<string, Written>();

  constructor(options: CheckedOptions, { bucket, createBucket }: { bucket: string; createBucket: boolean }) {
    this.#options = options;
    this.bucket = bucket;
    this.createBucket = createBucket;
  }

  /** The settings that are tried now. */
  get options(): CheckedOptions {
    return this.#options;
  }

  /** Settings that were found to work where those of the form do not. */
  get better(): BetterSettings {
    return { ...this.#better };
  }

  /** Goes on with other settings than those of the form. */
  adopt(settings: Omit<BetterSettings, 'endpoint'>): void {
    this.suggest(settings);
    this.#options = { ...this.#options, ...settings };
    this.#close();
  }

  /** Remembers settings that the form should have, without going on with them. */
  suggest(settings: BetterSettings): void {
    Object.assign(this.#better, settings);
  }

  /** A client with the settings that are tried now, or with others beside them. */
  async client(other: { pathStyle?: boolean } & TrialOptions = {}): Promise<LoadedClient> {
    const { pathStyle = this.#options.pathStyle, ...trial } = other;
    const key = `${pathStyle} ${trial.checksums ?? ''}`;
    const client =
      this.#clients.get(key) ?? loadClient({ ...this.#options, pathStyle }, { attempts: 2, ...trial });
    this.#clients.set(key, client);
    return client;
  }

  /** The store as the nodes use it, with the settings that are tried now. */
  get store(): S3Store {
    const { endpoint, ...rest } = this.#options;
    this.#store ??= new S3Store({ ...rest, ...(endpoint && { endpoint: endpoint.origin }) });
    return this.#store;
  }

  key(name: string): string {
    return this.prefix + name;
  }

  /** Writes an object, and remembers that it did, whatever becomes of it. @throws what the SDK throws */
  async put(
    name: string,
    body: Buffer,
    signal: AbortSignal,
    more: Partial<PutObjectCommandInput> = {},
    client = this.client(),
  ): Promise<{ etag: string | undefined }> {
    const key = this.key(name);
    const written = this.#written.get(key) ?? { versions: new Set<string>(), inDoubt: false };
    const { inDoubt } = written;
    written.inDoubt = true;
    this.#written.set(key, written);
    try {
      const { sdk, client: s3 } = await client;
      const command = new sdk.PutObjectCommand({
        Bucket: this.bucket,
        Key: key,
        Body: body,
        ContentLength: body.length,
        ContentType: 'application/octet-stream',
        ...more,
      });
      const { ETag: etag, VersionId: version } = await s3.send(command, { abortSignal: signal });
      written.inDoubt = inDoubt;
      written.versions.add(version ?? '');
      return { etag };
    } catch (error) {
      // What was refused has not been stored.
      if ((readFailure(error).status ?? 500) < 500) {
        written.inDoubt = inDoubt;
        if (!inDoubt && written.versions.size === 0) this.#written.delete(key);
      }
      throw error;
    }
  }

  /** Takes note that an object was deleted for good. */
  forget(name: string): void {
    this.#written.delete(this.key(name));
  }

  /** The versions of an object that were written; an empty text stands for one without a version. */
  versionsOf(name: string): string[] {
    return [...(this.#written.get(this.key(name))?.versions ?? [])];
  }

  /** Deletes everything that was written. Answers how many objects are gone, and the names of those that are not. */
  async cleanUp(signal: AbortSignal): Promise<{ gone: number; left: string[]; failure?: Failure }> {
    const doubtful = [...this.#written.values()].some(({ inDoubt }) => inDoubt);
    const all = this.#written.size;
    let failure = await this.#deleteAll(signal);
    if (doubtful && failure === undefined) {
      // An upload that was given up may be stored a moment later.
      await sleep(DOUBT_MS, undefined, { signal }).catch(() => undefined);
      failure = await this.#deleteAll(signal);
    }
    if (failure === undefined) this.#written.clear();
    const left = [...this.#written.keys()];
    return { gone: all - left.length, left, ...(failure && { failure }) };
  }

  /** Deletes each of the objects, also of those that an earlier call has deleted; answers the last failure. */
  async #deleteAll(signal: AbortSignal): Promise<Failure | undefined> {
    let failure: Failure | undefined;
    for (const [key, { versions, inDoubt }] of this.#written) {
      try {
        for (const version of inDoubt ? new Set([...versions, '']) : versions) {
          await this.delete(key, version, signal);
        }
        if (!inDoubt) this.#written.delete(key);
      } catch (error) {
        failure = readFailure(error);
      }
    }
    return failure;
  }

  /** Deletes one version of an object; an empty `version`: the object. @throws what the SDK throws */
  async delete(key: string, version: string, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.client();
    const command = new sdk.DeleteObjectCommand({
      Bucket: this.bucket,
      Key: key,
      ...(version !== '' && { VersionId: version }),
    });
    await client.send(command, { abortSignal: signal });
  }

  /** The store's own words about a failure, fit to be shown. */
  wordsOf({ name, code, status, message }: Failure): string {
    const known = [code ?? name, message, status === undefined ? '' : `HTTP ${status}`];
    const secrets = secretsOf(this.#options);
    const shown = known.map((part) => withoutSecrets(part, secrets));
    return shown
      .filter(
        (part, index) =>
          part !== '' && !/^(?:Error|Unknown|UnknownError)$/.test(part) && shown.indexOf(part) === index,
      )
      .join(' · ');
  }

  /** Ends all connections. */
  close(): void {
    this.#close();
  }

  #close(): void {
    this.#store?.destroy();
    this.#store = undefined;
    for (const loading of this.#clients.values()) {
      loading.then(({ client }) => client.destroy()).catch(() => undefined);
    }
    this.#clients.clear();
  }
}
