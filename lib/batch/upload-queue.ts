import type { Clock, Timer } from '../clock';
import { type ErrorCode, messageOf, S3BatchError } from '../errors';
import { encodeObject } from '../object';
import type { ObjectStore } from '../store/object-store';
import { Pause } from '../pause';
import { heldBytes, type SealedBatch, type StoredObject } from './sealed-batch';
import { guarded } from '../guarded';
import type { BatchWriterSettings } from './settings';
import { StorePause } from './store-pause';
import { type Upload, upload, type UploadEvents } from './upload';

/** Failures that concern the store as a whole: trying the next object would only fail again. */
const STORE_WIDE: ReadonlySet<ErrorCode> = new Set([
  'STORE_UNREACHABLE',
  'STORE_TIMEOUT',
  'STORE_BUSY',
  'STORE_TLS',
  'CREDENTIALS_INVALID',
  'CLOCK_SKEWED',
] as const);

/** Batches encoded at a time: two keep libuv's four threads busy, and each takes memory of its own meanwhile. */
const ENCODED_AT_A_TIME = 2;

interface Entry extends Upload {
  readonly number: number;
  readonly pause: Pause;
  /** Bytes of memory that it holds. */
  held: number;
  /** Memory let go of it once: it is let go again while it waits. */
  spilled: boolean;
  /** How many objects had been stored when its first attempt began, or when its last one failed. */
  storedBefore?: number;
  resolve: (object: StoredObject | undefined) => void;
  timer?: Timer;
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
  /** Those whose records are on disk only. */
  #onDisk: Entry[] = [];
  #toEncode: Entry[] = [];
  #ready: Entry[] = [];
  readonly #active = new Set<Entry>();
  readonly #pausing = new Set<Entry>();
  /** Those that have an error, first failed first. */
  readonly #failing = new Set<Entry>();
  readonly #storePause: StorePause;
  #count = 0;
  #stored = 0;
  #held = 0;
  #stopped = false;

  constructor(
    public store: ObjectStore,
    public parallel: number,
    public digest: BatchWriterSettings['digest'],
    events: UploadEvents,
    clock: Clock,
  ) {
    this.#events = events;
    this.#clock = clock;
    this.#storePause = new StorePause(clock, () => {
      this.#next();
    });
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
      spilled: batch.records === undefined,
      resolve,
    };
    this.#hold(entry, heldBytes(batch));
    this.#wait(entry);
    this.#next();
    return entry;
  }

  /** Every batch that is not stored yet, oldest first. */
  get pending(): Upload[] {
    return [
      ...this.#onDisk,
      ...this.#toEncode,
      ...this.#encoding,
      ...this.#ready,
      ...this.#active,
      ...this.#pausing,
    ].sort((a, b) => a.number - b.number);
  }

  get size(): number {
    return (
      this.#onDisk.length +
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

  /** Whether a batch is being encoded, and will soon hold less memory. */
  get isEncoding(): boolean {
    return this.#encoding.size > 0;
  }

  /** The failure that uploads are waiting out, if any. */
  get error(): S3BatchError | undefined {
    const [first] = this.#failing;
    return first?.error;
  }

  /** Bytes of memory that unstored batches hold. */
  get heldBytes(): number {
    return this.#held;
  }

  /**
   * Lets go of what is on disk as well, youngest first, since the oldest are uploaded first.
   * @param bytes how many bytes of memory to make free; fewer, when there are no more
   */
  spill(bytes: number): void {
    const wanted = this.#held - bytes;
    const idle = [...this.#toEncode, ...this.#ready, ...this.#pausing].sort((a, b) => b.number - a.number);
    for (const entry of idle) {
      if (this.#held <= wanted) break;
      this.#spill(entry);
    }
    const isOnDisk = ({ batch }: Entry): boolean => !batch.records && !batch.encoded;
    this.#onDisk.push(...this.#toEncode.filter(isOnDisk), ...this.#ready.filter(isOnDisk));
    this.#toEncode = this.#toEncode.filter((entry) => !isOnDisk(entry));
    this.#ready = this.#ready.filter((entry) => !isOnDisk(entry));
    this.#onDisk.sort((a, b) => a.number - b.number);
  }

  /** Goes on with what may be uploaded by now: a seal came to disk, or the disk fails. */
  proceed(): void {
    this.#next();
  }

  /** Ends all pauses: after a change of settings, or when there is no time left to wait. */
  retryNow(): void {
    this.#storeAnswers();
    for (const entry of this.#pausing) entry.pause.reset();
    this.#wake(() => true);
    this.#next();
  }

  /** Starts nothing more and gives up what is not stored; answers it. */
  stop(): SealedBatch[] {
    this.#stopped = true;
    this.#storePause.end();
    const given = this.pending as Entry[];
    for (const entry of given) {
      if (entry.timer) this.#clock.clearTimer(entry.timer);
      entry.resolve(undefined);
    }
    this.#onDisk = [];
    this.#toEncode = [];
    this.#ready = [];
    this.#pausing.clear();
    return given.map(({ batch }) => batch);
  }

  #next(): void {
    if (this.#stopped) return;
    while (this.#encoding.size < Math.min(this.parallel, ENCODED_AT_A_TIME)) {
      const entry = this.#takeToEncode();
      if (!entry) break;
      this.#encoding.add(entry);
      void this.#encode(entry);
    }
    while (this.#ready.length > 0 && this.#mayUpload()) {
      const entry = this.#takeReady();
      if (!entry) break;
      this.#active.add(entry);
      void this.#upload(entry);
    }
  }

  /** The oldest; from disk only as many as are uploaded at a time. */
  #takeToEncode(): Entry | undefined {
    const [inMemory] = this.#toEncode;
    const isRoom = this.#encoding.size + this.#ready.length + this.#active.size < this.parallel;
    const onDisk = isRoom ? this.#onDisk[0] : undefined;
    if (onDisk && (!inMemory || onDisk.number < inMemory.number)) return this.#onDisk.shift();
    return this.#toEncode.shift();
  }

  #mayUpload(): boolean {
    if (this.#storePause.isOn) return this.#storePause.mayProbe && this.#active.size === 0;
    return this.#active.size < this.parallel;
  }

  /** The oldest; as a probe the one that failed least, lest one object that always fails holds up all others. */
  #takeReady(): Entry | undefined {
    const rank = (entry: Entry): number => (this.#storePause.isOn ? entry.failures : 0);
    const isBefore = (a: Entry, b: Entry): boolean =>
      rank(a) - rank(b) < 0 || (rank(a) === rank(b) && a.number < b.number);
    let best: Entry | undefined;
    for (const entry of this.#ready) {
      if (entry.batch.onDisk?.mayUpload === false) continue;
      if (!best || isBefore(entry, best)) best = entry;
    }
    if (best) this.#ready.splice(this.#ready.indexOf(best), 1);
    return best;
  }

  async #encode(entry: Entry): Promise<void> {
    try {
      await this.#encodeBatch(entry);
      this.#encoding.delete(entry);
      this.#ready.push(entry);
    } catch (error) {
      this.#encoding.delete(entry);
      if (this.#stopped) return;
      const failure = new S3BatchError('STORE_REFUSED', `the batch cannot be encoded: ${messageOf(error)}`, {
        cause: error,
      });
      this.#pauseOne(entry, failure);
    }
    this.#next();
  }

  async #encodeBatch(entry: Entry): Promise<void> {
    const { batch } = entry;
    if (batch.encoded) return;
    const records = batch.records ?? (await batch.onDisk?.load(0));
    if (!records) throw new Error('its records are gone');
    batch.records = records;
    this.#hold(entry, heldBytes(batch));
    const { framing, compression, keyFormat: key, blockSize } = batch;
    if (this.digest) batch.digests = await this.digest(records, framing);
    batch.encoded = await encodeObject(
      records,
      { framing, compression, key, batch: batch.id },
      { blockSize },
    );
    batch.records = undefined;
    this.#hold(entry, heldBytes(batch));
  }

  async #upload(entry: Entry): Promise<void> {
    const { store } = this;
    entry.storedBefore ??= this.#stored;
    let object: StoredObject;
    try {
      object = await upload(store, entry.batch);
    } catch (error) {
      this.#fail(entry, error as S3BatchError, store);
      return;
    }
    this.#succeed(entry, object);
  }

  #succeed(entry: Entry, object: StoredObject): void {
    const { batch } = entry;
    batch.onDisk?.forget();
    this.#active.delete(entry);
    this.#clearError(entry);
    this.#hold(entry, 0);
    this.#stored++;
    this.#storeAnswers();
    this.#wake((other) => other.error?.code === 'BUCKET_MISSING' && other.batch.bucket === batch.bucket);
    this.#next();
    entry.resolve(object);
    guarded(() => {
      this.#events.stored(object, batch);
    });
  }

  #fail(entry: Entry, failure: S3BatchError, store: ObjectStore): void {
    this.#active.delete(entry);
    if (this.#stopped) return;
    const storedMeanwhile = this.#stored > (entry.storedBefore ?? 0);
    entry.storedBefore = this.#stored;
    // What the store of old settings says tells nothing of the one that is used now.
    if (store !== this.store) this.#ready.push(entry);
    else if (!STORE_WIDE.has(failure.code)) {
      // The store answered, if not to our liking: the others may go on.
      this.#storeAnswers();
      this.#pauseOne(entry, failure);
    } else if (storedMeanwhile && !this.#storePause.isOn) this.#pauseOne(entry, failure);
    else this.#pauseStore(entry, failure);
    this.#next();
  }

  #hold(entry: Entry, bytes: number): void {
    this.#held += bytes - entry.held;
    entry.held = bytes;
  }

  #pauseOne(entry: Entry, error: S3BatchError): void {
    this.#setError(entry, error);
    if (entry.spilled) this.#spill(entry);
    const pause = entry.pause.next();
    this.#pausing.add(entry);
    entry.timer = this.#clock.setTimer(() => {
      this.#resume(entry);
      this.#next();
    }, pause);
    this.#tellFailure(error, entry, pause);
  }

  #pauseStore(entry: Entry, error: S3BatchError): void {
    this.#setError(entry, error);
    this.#ready.push(entry);
    const pause = this.#storePause.begin();
    if (pause !== undefined) this.#tellFailure(error, entry, pause);
  }

  #tellFailure(error: S3BatchError, entry: Entry, pause: number): void {
    guarded(() => {
      this.#events.failed(error, entry, pause);
    });
  }

  /** Ends the pause of the store as a whole, and of what failed because of that. */
  #storeAnswers(): void {
    if (!this.#storePause.isOn) return;
    this.#storePause.end();
    for (const entry of this.#ready) this.#clearError(entry);
    this.#wake(({ error }) => error !== undefined && STORE_WIDE.has(error.code));
  }

  #wake(which: (entry: Entry) => boolean): void {
    for (const entry of this.#pausing) {
      if (!which(entry)) continue;
      if (entry.timer) this.#clock.clearTimer(entry.timer);
      this.#clearError(entry);
      this.#resume(entry);
    }
  }

  #resume(entry: Entry): void {
    this.#pausing.delete(entry);
    this.#wait(entry);
  }

  #wait(entry: Entry): void {
    const { encoded, records } = entry.batch;
    if (encoded) this.#ready.push(entry);
    else if (records) this.#toEncode.push(entry);
    else {
      this.#onDisk.push(entry);
      this.#onDisk.sort((a, b) => a.number - b.number);
    }
  }

  #spill(entry: Entry): void {
    const { batch } = entry;
    if (batch.onDisk?.isCommitted !== true) return;
    batch.records = undefined;
    delete batch.encoded;
    delete batch.digests;
    entry.spilled = true;
    this.#hold(entry, heldBytes(batch));
  }

  #setError(entry: Entry, error: S3BatchError): void {
    entry.error = error;
    entry.failures++;
    this.#failing.add(entry);
  }

  #clearError(entry: Entry): void {
    delete entry.error;
    this.#failing.delete(entry);
  }
}
