import type { Clock } from '../clock';
import { systemClock } from '../clock';
import { S3BatchError } from '../errors';
import { type Destination, type Layout, Placement } from '../layout';
import {
  type Compression,
  extensionOf,
  type FramedPayload,
  frameOverhead,
  type Framing,
  toLine,
} from '../object';
import { RecordFlag } from '../record';
import type { ObjectStore } from '../store/object-store';
import { newBatchId } from './batch-id';
import { OpenBatch, type Settled } from './open-batch';
import type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
import { SealTimers } from './seal-timers';
import { type Upload, type UploadEvents, UploadQueue } from './upload-queue';

/** When a batch is sealed, whichever comes first; 0 switches a limit off. */
export interface SealLimits {
  /** Records. */
  count: number;
  /** Bytes of records with their frames, before compression. */
  bytes: number;
  /** Milliseconds since the batch was opened. */
  age: number;
  /** Milliseconds since its last record. */
  idle: number;
}

export interface BatchWriterSettings {
  layout: Layout;
  store: ObjectStore;
  limits: SealLimits;
  framing: Framing;
  compression: Compression;
  /** Most bytes of a block before compression. */
  blockSize: number;
  /** Uploads at a time. */
  uploads: number;
  /** Most bytes of memory that open and unstored batches may hold together. */
  memory: number;
  /** Name of this writer for object names. */
  instance: string;
}

/** What a writer counts; records but where it says otherwise. */
export interface WriterCounts {
  /** Given to `append`: taken or refused. */
  received: number;
  refused: number;
  stored: number;
  storedObjects: number;
  /** Topic does not fit the layout. */
  unmatchedTopic: number;
  /** No usable time in the payload. */
  arrivalTime: number;
  notDecompressed: number;
  fieldMissing: number;
}

/** One open batch, for people to see. */
export interface OpenBatchState {
  batch: string;
  bucket: string;
  /** Name of the object as far as it is settled. */
  destination: string;
  count: number;
  bytes: number;
  /** ISO 8601. */
  first: string;
  last: string;
  ageSeconds: number;
}

/** More destinations than this at once are a mistake in a layout or a stranger's doing; the oldest are sealed. */
const MAX_OPEN = 1000;

/**
 * Batches records by destination, seals each batch when a limit is reached, and uploads it. Everything that
 * `append` took is held until it is stored.
 */
export class BatchWriter {
  readonly counts: WriterCounts = {
    received: 0,
    refused: 0,
    stored: 0,
    storedObjects: 0,
    unmatchedTopic: 0,
    arrivalTime: 0,
    notDecompressed: 0,
    fieldMissing: 0,
  };
  readonly #open = new Map<string, OpenBatch>();
  readonly #queue: UploadQueue;
  readonly #timers: SealTimers;
  readonly #clock: Clock;
  readonly #placement = new Placement();
  #settings: BatchWriterSettings;
  #openAllocated = 0;
  #closed = false;

  constructor(settings: BatchWriterSettings, events: UploadEvents, clock: Clock = systemClock) {
    this.#settings = settings;
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
    this.#queue = new UploadQueue(settings.store, settings.uploads, settle, clock);
  }

  /** Records taken and not stored yet. */
  get openRecords(): number {
    return this.counts.received - this.counts.refused - this.counts.stored;
  }

  /** Bytes of memory that open and unstored batches hold. */
  get heldBytes(): number {
    return this.#openAllocated + this.#queue.heldBytes;
  }

  /** Uploads that wait or run. */
  get uploads(): { pending: number; active: number; error: S3BatchError | undefined } {
    return { pending: this.#queue.size, active: this.#queue.active, error: this.#queue.error };
  }

  get openBatches(): OpenBatchState[] {
    const now = this.#clock.elapsed();
    return [...this.#open.values()].map((batch) => ({
      batch: batch.id,
      bucket: batch.destination.bucket,
      destination: batch.destination.id,
      count: batch.count,
      bytes: batch.bytes,
      first: new Date(batch.first).toISOString(),
      last: new Date(batch.last).toISOString(),
      ageSeconds: Math.round((now - batch.openedAt) / 1000),
    }));
  }

  /**
   * Takes one record into the batch of its destination.
   * @param arrival ms since 1970
   * @param settled called once its object is stored
   * @throws MESSAGE_TOO_LARGE, MEMORY_FULL, CLOSED: the record was not taken
   */
  append(topic: string, payload: Buffer, arrival: number, settled?: Settled): void {
    this.counts.received++;
    try {
      this.#append(topic, payload, arrival, settled);
    } catch (error) {
      this.counts.refused++;
      throw error;
    }
  }

  #append(topic: string, payload: Buffer, arrival: number, settled: Settled | undefined): void {
    const { layout, framing, limits } = this.#settings;
    const placement = this.#placement;
    layout.resolve(topic, payload, arrival, placement);
    const framed = frame(framing, placement);
    const length = framed.body.length + frameOverhead(framing);
    this.#checkRoom(length);
    if (placement.flags !== 0) this.#countFlags(placement.flags);

    let batch = this.#open.get(placement.destination.id);
    if (batch && limits.bytes > 0 && batch.bytes + length > limits.bytes) {
      this.#seal(batch, 'bytes');
      batch = undefined;
    }
    batch ??= this.#openBatch(placement.destination);
    const before = batch.allocated;
    batch.append(placement, framed, limits.idle > 0 ? this.#clock.elapsed() : 0);
    this.#openAllocated += batch.allocated - before;
    if (settled) batch.settled.push(settled);

    if (limits.count > 0 && batch.count >= limits.count) this.#seal(batch, 'count');
    else if (limits.bytes > 0 && batch.bytes >= limits.bytes) this.#seal(batch, 'bytes');
  }

  /**
   * Seals open batches and waits until they, and those that were sealed before them, are stored.
   * @param destination a bucket, or a bucket and the beginning of the objects' names (`plant-7/dt=2018-10-01`); none: all
   * @returns what was stored, oldest batch first
   */
  async flush(destination?: string): Promise<StoredObject[]> {
    for (const batch of [...this.#open.values()]) {
      if (isIn(destination, batch.destination.bucket, this.#nameOf(batch))) this.#seal(batch, 'flush');
    }
    const uploads = this.#queue.pending.filter(({ batch }) => isIn(destination, batch.bucket, batch.key));
    const stored = await Promise.all(uploads.map((upload) => upload.stored));
    return stored.filter((object) => object !== undefined);
  }

  /**
   * Goes on with other settings. Batches that are open keep their destination and name; they are sealed when the
   * new layout or format would make other objects of them. What was held because of the old connection is tried
   * again with the new one.
   */
  configure(settings: BatchWriterSettings): void {
    const old = this.#settings;
    const sameObjects =
      old.layout.id === settings.layout.id &&
      old.framing === settings.framing &&
      old.compression === settings.compression &&
      old.blockSize === settings.blockSize &&
      old.instance === settings.instance;
    if (!sameObjects) this.sealAll('close');
    this.#settings = settings;
    this.#queue.store = settings.store;
    this.#queue.parallel = settings.uploads;
    for (const batch of this.#open.values()) this.#timers.arm(batch, settings.limits);
    this.#queue.retryNow();
  }

  /** Seals all open batches. */
  sealAll(trigger: Trigger): void {
    for (const batch of [...this.#open.values()]) this.#seal(batch, trigger);
  }

  /**
   * Takes nothing more, seals what is open and tries for `ms` to store everything.
   * @returns what could not be stored: it is given up, its `settled` callbacks have been called with CLOSED
   */
  async close(ms: number): Promise<SealedBatch[]> {
    this.#closed = true;
    this.sealAll('close');
    this.#queue.retryNow();
    const uploads: Upload[] = this.#queue.pending;
    await Promise.race([Promise.all(uploads.map((upload) => upload.stored)), this.#wait(ms)]);
    return this.#queue.stop();
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.setTimer(resolve, ms).unref());
  }

  #checkRoom(length: number): void {
    const { memory } = this.#settings;
    if (this.#closed) throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
    if (length > memory) {
      throw new S3BatchError(
        'MESSAGE_TOO_LARGE',
        `the message takes ${length} bytes, more than the ${memory} bytes of memory that batches may hold: raise the memory limit`,
      );
    }
    if (this.heldBytes + length <= memory) {
      // Compressed, the largest batch takes a fraction of its memory.
      if (this.#openAllocated > memory / 2) this.#sealLargest();
      return;
    }
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

  #sealLargest(): void {
    let largest: OpenBatch | undefined;
    for (const batch of this.#open.values()) {
      if (!largest || batch.allocated > largest.allocated) largest = batch;
    }
    if (largest) this.#seal(largest, 'memory');
  }

  #openBatch(destination: Destination): OpenBatch {
    if (this.#open.size >= MAX_OPEN) {
      const [oldest] = this.#open.values();
      if (oldest) this.#seal(oldest, 'memory');
    }
    const { layout, framing, limits } = this.#settings;
    const id = newBatchId(this.#clock.now());
    const batch = new OpenBatch(id, layout, destination, framing, this.#clock.elapsed());
    this.#open.set(destination.id, batch);
    this.#timers.arm(batch, limits);
    return batch;
  }

  #seal(batch: OpenBatch, trigger: Trigger): void {
    this.#open.delete(batch.destination.id);
    this.#timers.disarm(batch);
    this.#openAllocated -= batch.allocated;
    const { framing, compression, blockSize } = this.#settings;
    const upload = this.#queue.add({
      id: batch.id,
      bucket: batch.destination.bucket,
      key: this.#nameOf(batch),
      count: batch.count,
      first: batch.first,
      last: batch.last,
      payloadBytes: batch.bytes,
      trigger,
      framing,
      compression,
      blockSize,
      keyFormat: batch.layout.keyShape,
      records: batch,
    });
    const { settled } = batch;
    if (settled.length > 0) {
      void upload.stored.then((object) => {
        settleInTurns(
          settled,
          object ? undefined : new S3BatchError('CLOSED', 'the process stopped before the object was stored'),
        );
      });
    }
  }

  #nameOf(batch: OpenBatch): string {
    const { framing, compression, instance } = this.#settings;
    return batch.layout.objectName(batch.destination, {
      first: batch.first,
      last: batch.last,
      count: batch.count,
      batch: batch.id,
      instance,
      extension: extensionOf(framing, compression),
    });
  }

  #countFlags(flags: number): void {
    if (flags & RecordFlag.UNMATCHED_TOPIC) this.counts.unmatchedTopic++;
    if (flags & RecordFlag.ARRIVAL_TIME) this.counts.arrivalTime++;
    if (flags & RecordFlag.NOT_DECOMPRESSED) this.counts.notDecompressed++;
    if (flags & RecordFlag.FIELD_MISSING) this.counts.fieldMissing++;
  }
}

function isIn(destination: string | undefined, bucket: string, key: string): boolean {
  return (
    destination === undefined ||
    destination === bucket ||
    `${bucket}/${key}`.startsWith(`${destination.replace(/\/+$/, '')}/`)
  );
}

function frame(framing: Framing, { bytes, json, lineBreaks }: Placement): FramedPayload {
  return framing === 'newline' ? toLine(bytes, json, lineBreaks) : { body: bytes, flags: 0 };
}

/** Callbacks at a time: each may run a user's flow, and ten thousand in one turn would hold the event loop. */
const SETTLED_A_TURN = 200;

function settleInTurns(settled: Settled[], error: Error | undefined, from = 0): void {
  for (const callback of settled.slice(from, from + SETTLED_A_TURN)) callback(error);
  const next = from + SETTLED_A_TURN;
  if (next < settled.length) setImmediate(settleInTurns, settled, error, next);
}
