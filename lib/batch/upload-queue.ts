import type { Clock, Timer } from '../clock';
import { type ErrorCode, messageOf, S3BatchError } from '../errors';
import { encodeObject, SIDECAR_SUFFIX } from '../object';
import type { ObjectStore } from '../store/object-store';
import { Pause } from './pause';
import { heldBytes, type SealedBatch, type StoredObject } from './sealed-batch';

/** Failures that concern the store as a whole: trying the next object would only fail again. */
const STORE_WIDE: ReadonlySet<ErrorCode> = new Set([
  'STORE_UNREACHABLE',
  'STORE_TIMEOUT',
  'STORE_BUSY',
  'STORE_TLS',
  'CREDENTIALS_INVALID',
  'CLOCK_SKEWED',
] as const);

/** One sealed batch on its way into the store. */
export interface Upload {
  readonly batch: SealedBatch;
  /** Resolves when it is stored; with undefined when this process gave it up. Never rejects. */
  readonly stored: Promise<StoredObject | undefined>;
  failures: number;
  /** Why the last attempt failed. */
  error?: S3BatchError;
}

interface Entry extends Upload {
  readonly number: number;
  readonly pause: Pause;
  /** Bytes of memory that it holds. */
  held: number;
  resolve: (object: StoredObject | undefined) => void;
  timer?: Timer;
}

export interface UploadEvents {
  stored(object: StoredObject, batch: SealedBatch): void;
  /** An attempt failed; it will be repeated after `pauseMs`. */
  failed(error: S3BatchError, upload: Upload, pauseMs: number): void;
}

/**
 * Uploads sealed batches, oldest first, several at a time, and holds each until it is stored, whatever the error:
 * there is no answer of a store that makes a batch worthless. A failure of the store as a whole pauses all but one
 * attempt; a failure of one object (its bucket is missing, say) pauses that object only.
 */
export class UploadQueue {
  readonly #events: UploadEvents;
  readonly #clock: Clock;
  readonly #encoding = new Set<Entry>();
  #toEncode: Entry[] = [];
  #ready: Entry[] = [];
  readonly #active = new Set<Entry>();
  readonly #pausing = new Set<Entry>();
  readonly #storePause: Pause;
  #storeTimer: Timer | undefined;
  #probe = false;
  #count = 0;
  #held = 0;
  #stopped = false;

  constructor(
    public store: ObjectStore,
    public parallel: number,
    events: UploadEvents,
    clock: Clock,
  ) {
    this.#events = events;
    this.#clock = clock;
    this.#storePause = new Pause();
  }

  add(batch: SealedBatch): Upload {
    let resolve: Entry['resolve'] = () => undefined;
    const stored = new Promise<StoredObject | undefined>((settle) => (resolve = settle));
    const entry: Entry = {
      batch,
      stored,
      failures: 0,
      number: this.#count++,
      pause: new Pause(),
      held: 0,
      resolve,
    };
    this.#hold(entry, heldBytes(batch));
    this.#toEncode.push(entry);
    this.#next();
    return entry;
  }

  /** Every batch that is not stored yet, oldest first. */
  get pending(): Upload[] {
    return [...this.#toEncode, ...this.#encoding, ...this.#ready, ...this.#active, ...this.#pausing].sort(
      (a, b) => a.number - b.number,
    );
  }

  get size(): number {
    return (
      this.#toEncode.length +
      this.#encoding.size +
      this.#ready.length +
      this.#active.size +
      this.#pausing.size
    );
  }

  /** Uploads under way at this moment. */
  get active(): number {
    return this.#active.size;
  }

  /** The failure that uploads are waiting out, if any. */
  get error(): S3BatchError | undefined {
    return this.pending.find((upload) => upload.error)?.error;
  }

  /** Bytes of memory that unstored batches hold. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Ends all pauses: after a change of settings, or when there is no time left to wait. */
  retryNow(): void {
    this.#endStorePause();
    this.#wake(() => true);
    this.#next();
  }

  /** Starts nothing more and gives up what is not stored; answers it. */
  stop(): SealedBatch[] {
    this.#stopped = true;
    this.#endStorePause();
    const given = this.pending as Entry[];
    for (const entry of given) {
      if (entry.timer) this.#clock.clearTimer(entry.timer);
      entry.resolve(undefined);
    }
    this.#toEncode = [];
    this.#ready = [];
    this.#pausing.clear();
    return given.map(({ batch }) => batch);
  }

  #next(): void {
    if (this.#stopped) return;
    while (this.#encoding.size < this.parallel) {
      const entry = this.#toEncode.shift();
      if (!entry) break;
      this.#encoding.add(entry);
      void this.#encode(entry);
    }
    while (this.#ready.length > 0 && this.#mayUpload()) {
      const entry = takeOldest(this.#ready);
      if (!entry) break;
      this.#active.add(entry);
      void this.#upload(entry);
    }
  }

  #mayUpload(): boolean {
    if (this.#storePause.failures > 0) return this.#probe && this.#active.size === 0;
    return this.#active.size < this.parallel;
  }

  async #encode(entry: Entry): Promise<void> {
    const { batch } = entry;
    try {
      if (!batch.encoded && batch.records) {
        batch.encoded = await encodeObject(
          batch.records,
          { framing: batch.framing, compression: batch.compression, key: batch.keyFormat, batch: batch.id },
          { blockSize: batch.blockSize },
        );
        batch.records = undefined;
        this.#hold(entry, heldBytes(batch));
      }
      this.#encoding.delete(entry);
      this.#ready.push(entry);
    } catch (error) {
      this.#encoding.delete(entry);
      const failure = new S3BatchError('STORE_REFUSED', `the batch cannot be encoded: ${messageOf(error)}`, {
        cause: error,
      });
      this.#pauseOne(entry, failure, this.#toEncode);
    }
    this.#next();
  }

  async #upload(entry: Entry): Promise<void> {
    const { batch } = entry;
    let object: StoredObject;
    try {
      object = await put(this.store, batch);
    } catch (error) {
      this.#active.delete(entry);
      const failure = asFailure(error);
      if (STORE_WIDE.has(failure.code)) this.#pauseStore(entry, failure);
      else {
        // The store answered, if not to our liking: the others may go on.
        this.#endStorePause();
        this.#pauseOne(entry, failure, this.#ready);
      }
      this.#next();
      return;
    }
    this.#active.delete(entry);
    this.#hold(entry, 0);
    this.#endStorePause();
    this.#wake((other) => other.batch.bucket === batch.bucket);
    this.#next();
    entry.resolve(object);
    this.#events.stored(object, batch);
  }

  #hold(entry: Entry, bytes: number): void {
    this.#held += bytes - entry.held;
    entry.held = bytes;
  }

  #pauseOne(entry: Entry, error: S3BatchError, backTo: Entry[]): void {
    entry.error = error;
    entry.failures++;
    if (this.#stopped) return;
    const pause = entry.pause.next();
    this.#pausing.add(entry);
    entry.timer = this.#clock.setTimer(() => {
      this.#pausing.delete(entry);
      backTo.push(entry);
      this.#next();
    }, pause);
    this.#events.failed(error, entry, pause);
  }

  #pauseStore(entry: Entry, error: S3BatchError): void {
    entry.error = error;
    entry.failures++;
    this.#ready.push(entry);
    // Uploads that were under way together fail together: that is one failure of the store.
    if (this.#stopped || this.#storeTimer) return;
    this.#probe = false;
    const pause = this.#storePause.next();
    this.#storeTimer = this.#clock.setTimer(() => {
      this.#storeTimer = undefined;
      this.#probe = true;
      this.#next();
    }, pause);
    this.#events.failed(error, entry, pause);
  }

  #endStorePause(): void {
    if (this.#storeTimer) this.#clock.clearTimer(this.#storeTimer);
    this.#storeTimer = undefined;
    this.#probe = false;
    this.#storePause.reset();
    for (const entry of this.#ready) delete entry.error;
  }

  #wake(which: (entry: Entry) => boolean): void {
    for (const entry of this.#pausing) {
      if (!which(entry)) continue;
      this.#pausing.delete(entry);
      if (entry.timer) this.#clock.clearTimer(entry.timer);
      (entry.batch.encoded ? this.#ready : this.#toEncode).push(entry);
    }
  }
}

async function put(store: ObjectStore, batch: SealedBatch): Promise<StoredObject> {
  const { encoded, bucket, key } = batch;
  if (!encoded) throw new Error('not encoded');
  // The index goes first: an object that can be seen has its index.
  if (encoded.sidecar) {
    await store.put(bucket, key + SIDECAR_SUFFIX, encoded.sidecar, {
      contentType: 'application/gzip',
      attributes: {},
    });
  }
  const { contentType, attributes } = encoded;
  const { etag } = await store.put(bucket, key, encoded.body, { contentType, attributes });
  return {
    bucket,
    key,
    etag,
    bytes: encoded.body.length,
    payloadBytes: batch.payloadBytes,
    count: batch.count,
    first: batch.first,
    last: batch.last,
    batch: batch.id,
    trigger: batch.trigger,
  };
}

function takeOldest(entries: Entry[]): Entry | undefined {
  let oldest = 0;
  for (let at = 1; at < entries.length; at++) {
    if ((entries[at]?.number ?? 0) < (entries[oldest]?.number ?? 0)) oldest = at;
  }
  return entries.splice(oldest, 1)[0];
}

function asFailure(error: unknown): S3BatchError {
  return error instanceof S3BatchError
    ? error
    : new S3BatchError('STORE_REFUSED', `the upload failed: ${messageOf(error)}`, { cause: error });
}
