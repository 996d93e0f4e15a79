import type { Clock } from '../clock';
import { systemClock } from '../clock';
import { S3BatchError } from '../errors';
import { type Destination, Placement } from '../layout';
import { DEFAULT_MAX_INDEX, type FramedPayload, frameOverhead, type Framing, toLine } from '../object';
import { newBatchId } from './batch-id';
import { type EarlyRecord, refusal, type SafeAt } from './early-records';
import { describeSeal, type FormerBatch } from './journaled-batch';
import { OpenBatch } from './open-batch';
import { OpenBatches } from './open-batches';
import { checkSize, checkTopic } from './record-limits';
import { isIn, objectName, seal } from './seal';
import type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
import { SealTimers } from './seal-timers';
import { guarded } from '../guarded';
import { type Settled, settleInTurns } from './settled';
import { type BatchWriterSettings, makeSameObjects, type ObjectSettings } from './settings';
import { countFlags, noCounts, type OpenBatchState, stateOf } from './state';
import type { UploadEvents } from './upload';
import { UploadQueue } from './upload-queue';
import { type Recovery, WriterJournal } from './writer-journal';

/** More destinations than this at once are a mistake in a layout or a stranger's doing; the oldest are sealed. */
const MAX_OPEN = 1000;
/** However the limits are set: one buffer and one PUT take a batch, and readers take its index. */
const MAX_BATCH = 1024 ** 3;
const MAX_INDEX = DEFAULT_MAX_INDEX - 1024 ** 2;

export interface WriterEvents extends UploadEvents {
  /** Nothing is kept on disk at present: batches are in memory only. It is tried again after `pauseMs`. */
  journalFailed?(error: S3BatchError, pauseMs: number): void;
  journalRestored?(): void;
  recovered?(recovery: Recovery): void;
  /** A record that waited for the journal to open could not be taken after all. */
  refused?(error: S3BatchError): void;
}

/**
 * Batches records by destination, seals each batch when a limit is reached, and uploads it. Everything that
 * `append` took is held until it is stored: in memory, and in a journal on disk where the settings have one.
 */
export class BatchWriter {
  readonly counts = noCounts();
  readonly #open = new OpenBatches();
  readonly #queue: UploadQueue;
  readonly #timers: SealTimers;
  readonly #clock: Clock;
  readonly #events: WriterEvents;
  readonly #placement = new Placement();
  #settings: BatchWriterSettings;
  readonly #journal: WriterJournal;
  #closed = false;
  /** A broker sends nothing more before acknowledgements of what is not on disk yet; each time another object. */
  #awaited: object | undefined;

  constructor(settings: BatchWriterSettings, events: WriterEvents, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#events = events;
    this.#clock = clock;
    this.#timers = new SealTimers(clock, (batch, trigger) => this.#seal(batch, trigger));
    const settle: UploadEvents = {
      stored: (object, batch) => {
        this.counts.stored += object.count;
        this.counts.storedObjects++;
        events.stored(object, batch);
      },
      failed: events.failed.bind(events),
    };
    const { store, uploads, digest } = settings;
    this.#queue = new UploadQueue(store, Math.max(1, uploads), digest, settle, clock);
    this.#journal = new WriterJournal(
      settings.journal,
      {
        committed: (records) => {
          this.counts.journaled += records;
        },
        take: (record) => this.#appendEarly(record),
        takeUp: (batch) => this.#takeUp(batch),
        recovered: (recovery) => events.recovered?.(recovery),
        failed: (error, pauseMs) => {
          if (this.#awaited) this.#sealAwaited();
          this.#queue.proceed();
          guarded(() => events.journalFailed?.(error, pauseMs));
        },
        restored: () => {
          guarded(() => events.journalRestored?.());
        },
      },
      clock,
    );
  }

  /** Records taken and not stored yet. */
  get openRecords(): number {
    return this.counts.received - this.counts.refused - this.counts.stored;
  }

  /** Of these, the ones that a crash would lose: they are in memory, and not or not yet on disk. */
  get unsafeRecords(): number {
    const onDisk = this.#queue.pending.filter(({ batch }) => batch.onDisk?.isCommitted === true);
    return this.openRecords - onDisk.reduce((sum, { batch }) => sum + batch.count, 0);
  }

  /** Bytes of memory that open and unstored batches hold. */
  get heldBytes(): number {
    return this.#open.allocated + this.#queue.heldBytes + this.#journal.heldBytes;
  }

  /** Resolves when the journal is open, or will not be soon, and what came before that is taken. */
  get opened(): Promise<void> {
    return this.#journal.early?.taken ?? Promise.resolve();
  }

  /** The journal of the settings: its bytes on disk, and why it keeps nothing at present. */
  get journal(): { bytes: number; error: S3BatchError | undefined } | undefined {
    const { current } = this.#journal;
    return current && { bytes: current.bytes, error: current.error };
  }

  /** Uploads that wait or run. */
  get uploads(): { pending: number; active: number; error: S3BatchError | undefined } {
    return { pending: this.#queue.size, active: this.#queue.active, error: this.#queue.error };
  }

  get openBatches(): OpenBatchState[] {
    const now = this.#clock.elapsed();
    return this.#open.all.map((batch) => stateOf(batch, now));
  }

  /**
   * Takes one record into the batch of its destination.
   * @param arrival ms since 1970
   * @param settled called once when the record is safe
   * @param safeAt when that is; without a journal, when its object is stored
   * @throws MESSAGE_TOO_LARGE, MEMORY_FULL, CLOSED: the record was not taken
   */
  append(
    topic: string,
    payload: Buffer,
    arrival: number,
    settled?: Settled,
    safeAt: SafeAt = 'stored',
  ): void {
    this.counts.received++;
    try {
      if (this.#closed) throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
      // Before anything is made of them that could be larger still.
      checkTopic(topic);
      checkSize(payload.length, this.#settings.memory);
      const { early } = this.#journal;
      if (early) {
        this.#makeRoom(payload.length);
        early.add({ topic, payload, arrival, settled, safeAt });
      } else this.#append(topic, payload, arrival, settled, safeAt);
    } catch (error) {
      this.counts.refused++;
      throw error;
    }
  }

  /** Counts a record that could not even be given to `append`. */
  refused(): void {
    this.counts.received++;
    this.counts.refused++;
  }

  #append(
    topic: string,
    payload: Buffer,
    arrival: number,
    settled: Settled | undefined,
    safeAt: SafeAt,
  ): void {
    const { layout, framing, limits, memory } = this.#settings;
    const placement = this.#placement;
    layout.resolve(topic, payload, arrival, placement);
    const framed = frame(framing, placement);
    const length = framed.body.length + frameOverhead(framing);
    checkSize(length, memory);
    this.#makeRoom(length);
    if (placement.flags !== 0) countFlags(this.counts, placement.flags);

    let batch = this.#open.get(placement.destination.id);
    if (batch && batch.bytes + length > Math.min(limits.bytes || MAX_BATCH, MAX_BATCH)) {
      this.#seal(batch, 'bytes');
      batch = undefined;
    }
    batch ??= this.#openBatch(placement.destination);
    const { onDisk } = batch;
    const isSafeOnDisk = onDisk !== undefined && safeAt === 'journaled';
    const before = batch.allocated;
    const now = limits.idle > 0 ? this.#clock.elapsed() : batch.appendedAt;
    batch.append(placement, framed, now, isSafeOnDisk ? undefined : settled);
    this.#open.allocated += batch.allocated - before;
    if (settled && isSafeOnDisk) {
      onDisk.journal.afterCommit(() => {
        this.counts.acknowledged++;
        settled();
      });
    }
    this.#sealIfFull(batch);
  }

  #sealIfFull(batch: OpenBatch): void {
    const { count, bytes } = this.#settings.limits;
    if (count > 0 && batch.count >= count) this.#seal(batch, 'count');
    else if (bytes > 0 && batch.bytes >= bytes) this.#seal(batch, 'bytes');
    else if (batch.indexBytes >= MAX_INDEX) this.#seal(batch, 'memory');
  }

  /**
   * Seals open batches and waits until they, and those that were sealed before them, are stored.
   * @param destination a bucket, or a bucket and the beginning of the objects' names (`plant-7/dt=2018-10-01`); none: all
   * @returns what was stored, oldest batch first
   */
  async flush(destination?: string): Promise<StoredObject[]> {
    if (this.#journal.early) await this.opened;
    for (const batch of this.#open.all) {
      if (isIn(destination, batch.destination.bucket, objectName(batch, this.#settings))) {
        this.#seal(batch, 'flush');
      }
    }
    // Who asks for it now need not wait out the pauses of failures.
    this.#queue.retryNow();
    // Only the promises are kept: while one object is waited for, the bytes of the others can go.
    const uploads = this.#queue.pending
      .filter(({ batch }) => isIn(destination, batch.bucket, batch.key))
      .map((upload) => upload.stored);
    const stored = await Promise.all(uploads);
    return stored.filter((object) => object !== undefined);
  }

  /**
   * Goes on with other settings. Batches that are open keep their destination and name; they are sealed when the
   * new layout or format would make other objects of them. What was held because of the old connection is tried
   * again with the new one.
   */
  configure(settings: BatchWriterSettings): void {
    const old = this.#settings;
    if (!makeSameObjects(old, settings) || this.#journal.differsFrom(settings.journal)) this.sealAll('close');
    // What waited for the old journal is taken now, and must not go into a batch of the old settings.
    this.#settings = settings;
    this.#journal.change(settings.journal);
    this.#queue.digest = settings.digest;
    this.#queue.store = settings.store;
    this.#queue.parallel = Math.max(1, settings.uploads);
    for (const batch of this.#open.all) {
      // Without a limit on it, nobody noted when the last record came.
      if (old.limits.idle === 0) batch.appendedAt = this.#clock.elapsed();
      this.#timers.arm(batch, settings.limits);
      this.#sealIfFull(batch);
    }
    this.#queue.retryNow();
  }

  /** Seals the batches whose records someone waits for to be stored: a broker sends nothing more before. */
  sealAwaited(): void {
    const awaited = (this.#awaited = {});
    // Other records than those that are waited for may come to disk before.
    this.#journal.current?.whenCommitted(() => {
      if (this.#awaited === awaited) this.#awaited = undefined;
    });
    // Nobody asks a second time for what waits for the journal, and is in no batch yet.
    if (this.#journal.early) void this.opened.then(() => this.#sealAwaited());
    this.#sealAwaited();
  }

  #sealAwaited(): void {
    for (const batch of this.#open.all) {
      // What waits for a disk that fails is safe only once it is stored.
      const isDiskAwaited = batch.onDisk?.journal.error !== undefined;
      if (batch.settled.length > 0 || isDiskAwaited) this.#seal(batch, 'window');
    }
  }

  /**
   * Resolves when what was taken so far is on disk; at once where there is no journal.
   * @throws JOURNAL_FAILED when the disk does not take it; it is tried again all the same
   */
  async commit(): Promise<void> {
    await this.#journal.current?.commit();
  }

  /** Seals all open batches. */
  sealAll(trigger: Trigger): void {
    for (const batch of this.#open.all) this.#seal(batch, trigger);
  }

  /**
   * Takes nothing more, seals what is open and tries for `ms` to store everything.
   * @returns what could not be stored: it is left to the journal, or given up where there is none; its `settled`
   * callbacks have been called with CLOSED
   */
  async close(ms: number): Promise<SealedBatch[]> {
    this.#closed = true;
    if (this.#journal.early) await this.opened;
    this.sealAll('close');
    this.#queue.retryNow();
    const allStored = Promise.all(this.#queue.pending.map((upload) => upload.stored));
    await new Promise<void>((resolve) => {
      const deadline = this.#clock.setTimer(resolve, ms);
      void allStored.then(() => {
        this.#clock.clearTimer(deadline);
        resolve();
      });
    });
    const left = this.#queue.stop();
    await this.#journal.current?.end();
    return left;
  }

  #makeRoom(length: number): void {
    const { memory } = this.#settings;
    const over = this.heldBytes + length - memory;
    // Compressed, the largest batch takes a fraction of its memory. When all is full, nothing else may ever make room.
    if (this.#open.allocated > memory / 2 || (over > 0 && !this.#queue.isEncoding)) {
      const { largest } = this.#open;
      if (largest) this.#seal(largest, 'memory');
    }
    if (over <= 0) return;
    // More than is needed now, so that not every record has to look for room.
    this.#queue.spill(over + memory / 16);
    if (this.heldBytes + length <= memory) return;
    const { error } = this.uploads;
    throw new S3BatchError(
      'MEMORY_FULL',
      `batches hold ${this.heldBytes} of ${memory} bytes and wait to be stored: ` +
        (error
          ? `uploads fail (${error.message})`
          : 'uploads are slower than messages come; raise the memory limit or the number of uploads'),
      { cause: error },
    );
  }

  #openBatch(destination: Destination): OpenBatch {
    if (this.#open.size >= MAX_OPEN) {
      const { oldest } = this.#open;
      if (oldest) this.#seal(oldest, 'memory');
    }
    const { layout, framing, limits } = this.#settings;
    const id = newBatchId(this.#clock.now());
    const batch = new OpenBatch(id, layout, destination, framing, this.#clock.elapsed());
    this.#journal.keep(batch, this.#settings);
    this.#open.add(batch);
    this.#timers.arm(batch, limits);
    return batch;
  }

  #seal(batch: OpenBatch, trigger: Trigger, objects: ObjectSettings = this.#settings): void {
    this.#open.remove(batch);
    this.#timers.disarm(batch);
    const { onDisk, settled } = batch;
    const sealed = seal(batch, trigger, objects);
    this.counts.sealed += batch.count;
    if (onDisk) {
      onDisk.batch.seal(describeSeal(sealed));
      onDisk.journal.afterCommit(() => {
        onDisk.isCommitted = true;
        this.#queue.proceed();
      });
    }
    const upload = this.#queue.add(sealed);
    if (settled.length > 0) {
      void upload.stored.then((object) => {
        if (object) this.counts.acknowledged += settled.length;
        settleInTurns(settled, object !== undefined);
      });
    }
  }

  #appendEarly({ topic, payload, arrival, settled, safeAt }: EarlyRecord): void {
    try {
      this.#append(topic, payload, arrival, settled, safeAt);
    } catch (error) {
      this.counts.refused++;
      const told = refusal(error);
      guarded(() => (settled ? settled(told) : this.#events.refused?.(told)));
    }
  }

  #countRecovered(records: number): void {
    this.counts.received += records;
    this.counts.recovered += records;
    this.counts.journaled += records;
  }

  async #takeUp({ onDisk, objects, opened, sealed }: FormerBatch): Promise<void> {
    const { count } = onDisk.batch;
    if (sealed) {
      this.#countRecovered(count);
      this.counts.sealed += count;
      this.#queue.add(sealed);
      return;
    }
    // The wall clock may have been set back since.
    const age = Math.max(0, this.#clock.now() - opened);
    const batch = await onDisk.load(this.#clock.elapsed() - age);
    batch.onDisk = onDisk;
    this.#countRecovered(count);
    const isTaken = this.#open.get(batch.destination.id) !== undefined;
    if (isTaken || this.#closed || !makeSameObjects(objects, this.#settings)) {
      this.#seal(batch, 'recovered', objects);
      return;
    }
    this.#open.add(batch);
    this.#timers.arm(batch, this.#settings.limits);
    this.#sealIfFull(batch);
  }
}

function frame(framing: Framing, { bytes, json, lineBreaks }: Placement): FramedPayload {
  return framing === 'newline' ? toLine(bytes, json, lineBreaks) : { body: bytes, flags: 0 };
}
