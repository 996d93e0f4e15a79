import { BatchWriter, type BatchWriterSettings, type SealedBatch, type StoredObject } from '../batch';
import type { Clock, Timer } from '../clock';
import { messageOf, S3BatchError } from '../errors';
import { guarded } from '../guarded';
import type { BackupBook, Overdue } from './backup-book';
import type { BackupEvents } from './backup-settings';

/** Messages handed over between two turns of the event loop. */
const A_TURN = 128;
/** When the writer takes no more at present, ms. */
const TRY_AGAIN = 1000;

/** Stores the messages of a book that nobody announced in time. */
export class BackupUploads {
  readonly #book: BackupBook;
  readonly #events: BackupEvents;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #writer: BatchWriter;
  readonly counts = { uploaded: 0, uploadedObjects: 0 };
  /** Messages that are handed over and not stored yet. */
  uploading = 0;
  /** In the book's time, ms: nothing is handed over before. */
  notBefore = 0;
  /** Whether everything is handed over, however long it has been held. */
  allIsDue = false;
  /** Nothing is handed over while it is on. */
  isHalted = false;
  /** Objects that are stored, and how many of their messages the book does not know of yet. */
  readonly #untold: [StoredObject, SealedBatch][] = [];
  #toSettle = 0;
  #whenIdle: (() => void)[] = [];
  #timer: Timer | undefined;
  /** Whether the next turn of the event loop looks after what is due. */
  #isSoon = false;

  /**
   * @param now the book's time
   * @param refused a message could not be handed over, and is no longer held in memory
   */
  constructor(
    book: BackupBook,
    settings: BatchWriterSettings,
    events: BackupEvents,
    clock: Clock,
    now: () => number,
    private readonly refused: () => void,
  ) {
    this.#book = book;
    this.#events = events;
    this.#clock = clock;
    this.#now = now;
    this.#writer = new BatchWriter(
      settings,
      {
        stored: (object, batch) => {
          this.counts.uploadedObjects++;
          this.#toSettle += object.count;
          this.#untold.push([object, batch]);
          this.handOverSoon();
        },
        failed: events.failed.bind(events),
      },
      clock,
    );
  }

  get heldBytes(): number {
    return this.#writer.heldBytes;
  }

  get state(): BatchWriter['uploads'] {
    return this.#writer.uploads;
  }

  configure(settings: BatchWriterSettings): void {
    this.allIsDue = false;
    this.#writer.configure(settings);
    this.handOverSoon();
  }

  /** Hands everything over, and seals all batches. */
  sealAll(): void {
    this.allIsDue = true;
    this.#writer.sealAll('close');
    this.handOverSoon();
  }

  /** Stores what was handed over so far. */
  async flush(): Promise<void> {
    await this.#writer.flush();
  }

  /** Resolves once everything is handed over and stored; to be asked after `sealAll`. */
  async allStored(): Promise<void> {
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Hands nothing over any more, and tries for `ms` to store what was. */
  async close(ms: number): Promise<void> {
    this.isHalted = true;
    this.#disarm();
    await this.#writer.close(ms);
  }

  /** Looks after what is due, in another turn of the event loop. */
  handOverSoon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      this.#handOver();
    });
  }

  /** There is something new that will be due. @param least ms until it is looked at */
  arm(least = 0): void {
    if (this.#timer || this.isHalted) return;
    const { nextDue } = this.#book;
    if (nextDue === undefined) return;
    const wait = this.allIsDue ? 0 : Math.max(nextDue, this.notBefore) - this.#now();
    this.#timer = this.#clock.setTimer(
      () => {
        this.#timer = undefined;
        this.handOverSoon();
      },
      Math.max(wait, least),
    );
  }

  #disarm(): void {
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #handOver(): void {
    if (this.isHalted) return;
    this.#disarm();
    const now = this.#now();
    const until = this.allIsDue ? Infinity : now < this.notBefore ? -Infinity : now;
    let isMore: boolean;
    try {
      isMore = this.#book.handOver(until, A_TURN, (message) => {
        this.#upload(message);
      });
    } catch (error) {
      // The writer has no room, and tells why; it is tried again when something is stored, or then.
      if (!(error instanceof S3BatchError)) process.emitWarning(messageOf(error));
      this.arm(TRY_AGAIN);
      return;
    }
    if (isMore) {
      this.handOverSoon();
      return;
    }
    if (this.allIsDue) this.#writer.sealAll('close');
    this.arm();
    this.#tellIdle();
  }

  get #isIdle(): boolean {
    return this.#book.held === 0 && this.uploading === 0;
  }

  #tellIdle(): void {
    if (!this.#isIdle) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #upload({ topic, payload, arrival, stored }: Overdue): void {
    try {
      this.#writer.append(topic, payload, arrival, (error) => {
        if (error) return;
        stored();
        this.#settled();
      });
      this.uploading++;
    } catch (error) {
      if (!(error instanceof S3BatchError) || error.code !== 'MESSAGE_TOO_LARGE') throw error;
      // The settings had more memory when it came: it stays on disk for others, and must not hold up the rest.
      this.refused();
      guarded(() => this.#events.refused?.(error));
    }
  }

  /** Objects are told when the books are balanced: who hears of the last one may close all. */
  #settled(): void {
    this.uploading--;
    this.counts.uploaded++;
    if (--this.#toSettle > 0) return;
    for (const [object, batch] of this.#untold.splice(0)) {
      guarded(() => {
        this.#events.stored(object, batch);
      });
    }
    this.#tellIdle();
  }
}
