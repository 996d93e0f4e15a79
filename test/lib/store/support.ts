import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { Fault } from '../../../embedded/s3-server';
import type { ErrorCode } from '../../../lib/errors';
import type { ListedObject, ListPage, ObjectPart, PutOptions } from '../../../lib/store/object-store';
import { S3Store, type S3StoreOptions } from '../../../lib/store/s3-store';
import { BUCKET, CREDENTIALS, startEmbedded, type Embedded } from './embedded';

export const PLAIN: PutOptions = { contentType: 'application/octet-stream', attributes: {} };

export async function collect(pages: AsyncIterable<ListPage>): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const page of pages) objects.push(...page.objects);
  return objects;
}

/** Fails when an error shows, however deep, what a log must not have. */
export function assertNoSecrets(error: unknown, ...secrets: string[]): void {
  const shown = inspect(error, { depth: 20, showHidden: true });
  for (const secret of [CREDENTIALS.secretAccessKey, ...secrets]) assert.ok(!shown.includes(secret), shown);
  assert.doesNotMatch(shown, /Signature=|AWS4-HMAC|authorization'?:|x-amz-security-token|[0-9a-f]{64}/i);
}

/** An embedded server with one object `o`, and a new store on it for each test. */
export class EmbeddedFixture {
  readonly content = randomBytes(1_000_000);
  embedded!: Embedded;
  store!: S3Store;
  /** Entity tag of the object. */
  etag!: string;
  readonly #stores: S3Store[] = [];

  async start(): Promise<void> {
    this.embedded = await startEmbedded();
    ({ etag: this.etag } = await this.connect().put(BUCKET, 'o', this.content, PLAIN));
  }

  renew(): void {
    // The SDK tries less often after many failures, so that one test would change the next one's.
    this.store = this.connect();
    this.embedded.server.stats.reset();
  }

  async stop(): Promise<void> {
    for (const store of this.#stores) store.destroy();
    await this.embedded.stop();
  }

  readonly connect = (options: Partial<S3StoreOptions> = {}): S3Store => {
    const store = new S3Store({ ...this.embedded.options, ...options });
    this.#stores.push(store);
    return store;
  };

  readonly fault = (fault: Fault): unknown => this.embedded.server.faults.add(fault);

  readonly range = (): Promise<ObjectPart> =>
    this.store.getRange(BUCKET, 'o', { offset: 0, length: 100_000 });

  /** Waits for a call to fail: with this code, and without a secret in the error. */
  readonly failure = (call: Promise<unknown>, code: ErrorCode, message = /./): Promise<void> =>
    assert.rejects(call, (error: { code: string; message: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assertNoSecrets(error);
      return true;
    });
}

/** Starts and stops a fixture around the tests of a `describe`. */
export function useEmbedded(): EmbeddedFixture {
  const fixture = new EmbeddedFixture();
  before(() => fixture.start());
  beforeEach(() => fixture.renew());
  afterEach(() => fixture.embedded.server.faults.clear());
  after(() => fixture.stop());
  return fixture;
}
