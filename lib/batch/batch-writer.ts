import type { Clock } from '../clock';
import { systemClock } from '../clock';
import { S3BatchError } from '../errors';
import { type Destination, Placement } from '../layout';
import {
  DEFAULT_MAX_BLOCK,
  DEFAULT_MAX_INDEX,
  extensionOf,
  type FramedPayload,
  frameOverhead,
  type Framing,
  toLine,
} from '../object';
import { newBatchId } from './batch-id';
import { OpenBatch } from './open-batch';
import type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
import { SealTimers } from './seal-timers';
import { type Settled, settleInTurns } from './settled';
import type { BatchWriterSettings } from './settings';
import { countFlags, noCounts, type OpenBatchState, stateOf } from './state';
import type { UploadEvents } from './upload';
import { UploadQueue } from './upload-queue';

/** More destinations than this at once are a mistake in a layout or a stranger's doing; the oldest are sealed. */
const MAX_OPEN = 1000;
/** Longest topic that MQTT has, in bytes. */
const MAX_TOPIC = 65_535;
/** However the limits are set: one buffer and one PUT take a batch, and readers take its index. */
const MAX_BATCH = 1024 ** 3;
const MAX_INDEX = DEFAULT_MAX_INDEX - 1024 ** 2;

/**
 * Batches records by destination, seals each batch when a limit is reached, and uploads it. Everything that
 * `append` took is held until it is stored.
 */
export class BatchWriter {
  readonly counts = noCounts();
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
    this.#queue = new UploadQueue(settings.store, Math.max(1, settings.uploads), settle, clock);
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
    return [...this.#open.values()].map((batch) => stateOf(batch, now));
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
    if (this.#closed) throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
    // Before anything is made of them that could be larger still.
    checkTopic(topic);
    this.#checkSize(payload.length);
    const { layout, framing, limits } = this.#settings;
    const placement = this.#placement;
    layout.resolve(topic, payload, arrival, placement);
    const framed = frame(framing, placement);
    const length = framed.body.length + frameOverhead(framing);
    this.#checkSize(length);
    this.#makeRoom(length);
    if (placement.flags !== 0) countFlags(this.counts, placement.flags);

    let batch = this.#open.get(placement.destination.id);
    if (batch && batch.bytes + length > Math.min(limits.bytes || MAX_BATCH, MAX_BATCH)) {
      this.#seal(batch, 'bytes');
      batch = undefined;
    }
    batch ??= this.#openBatch(placement.destination);
    const before = batch.allocated;
    batch.append(placement, framed, limits.idle > 0 ? this.#clock.elapsed() : batch.appendedAt, settled);
    this.#openAllocated += batch.allocated - before;
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
    for (const batch of [...this.#open.values()]) {
      if (isIn(destination, batch.destination.bucket, this.#nameOf(batch))) this.#seal(batch, 'flush');
    }
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
    const sameObjects =
      old.layout.id === settings.layout.id &&
      old.framing === settings.framing &&
      old.compression === settings.compression &&
      old.blockSize === settings.blockSize &&
      old.instance === settings.instance;
    if (!sameObjects) this.sealAll('close');
    this.#settings = settings;
    this.#queue.store = settings.store;
    this.#queue.parallel = Math.max(1, settings.uploads);
    for (const batch of [...this.#open.values()]) {
      // Without a limit on it, nobody noted when the last record came.
      if (old.limits.idle === 0) batch.appendedAt = this.#clock.elapsed();
      this.#timers.arm(batch, settings.limits);
      this.#sealIfFull(batch);
    }
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
    const allStored = Promise.all(this.#queue.pending.map((upload) => upload.stored));
    await new Promise<void>((resolve) => {
      const deadline = this.#clock.setTimer(resolve, ms);
      void allStored.then(() => {
        this.#clock.clearTimer(deadline);
        resolve();
      });
    });
    return this.#queue.stop();
  }

  #checkSize(length: number): void {
    const { memory } = this.#settings;
    if (length <= memory && length <= DEFAULT_MAX_BLOCK) return;
    throw new S3BatchError(
      'MESSAGE_TOO_LARGE',
      memory < DEFAULT_MAX_BLOCK
        ? `the message takes ${length} bytes, more than the ${memory} bytes of memory that batches may hold: raise the memory limit`
        : `the message takes ${length} bytes, more than the ${DEFAULT_MAX_BLOCK} that can be read back: send it in parts`,
    );
  }

  #makeRoom(length: number): void {
    const { memory } = this.#settings;
    const isFull = this.heldBytes + length > memory;
    // Compressed, the largest batch takes a fraction of its memory. When all is full, nothing else may ever make room.
    if (this.#openAllocated > memory / 2 || (isFull && !this.#queue.isEncoding)) this.#sealLargest();
    if (!isFull) return;
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
        settleInTurns(settled, object !== undefined);
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
}

function isIn(destination: string | undefined, bucket: string, key: string): boolean {
  if (destination === undefined) return true;
  const [wantedBucket, ...beginning] = destination.split('/');
  return wantedBucket === bucket && key.startsWith(beginning.join('/'));
}

function frame(framing: Framing, { bytes, json, lineBreaks }: Placement): FramedPayload {
  return framing === 'newline' ? toLine(bytes, json, lineBreaks) : { body: bytes, flags: 0 };
}

function checkTopic(topic: string): void {
  if (topic.length <= MAX_TOPIC) return;
  throw new S3BatchError(
    'MESSAGE_TOO_LARGE',
    `the topic has ${topic.length} characters, more than the ${MAX_TOPIC} bytes that MQTT takes: shorten it`,
  );
}
