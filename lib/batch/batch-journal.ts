import { rmdir } from 'node:fs/promises';

import type { Clock, Timer } from '../clock';
import { messageOf, S3BatchError } from '../errors';
import { type Damage, Journal, type JournalBatch, type RecoveredBatch } from '../journal';
import { Pause } from '../pause';

export interface JournalSettings {
  /** Folder of this writer alone; made when it is not there. */
  folder: string;
  /** What is taken is synced to disk after so many ms, or once so many records wait; 0 ms: as soon as possible. */
  commit: { ms: number; records: number };
}

export interface BatchJournalEvents {
  /** It is open: these batches of former processes are not stored yet, oldest first. */
  opened(batches: readonly RecoveredBatch[], damage: readonly Damage[]): void;
  /** So many records more were synced to disk. */
  committed(records: number): void;
  /** Nothing is kept on disk at present; it is tried again after `pauseMs`. */
  failed(error: S3BatchError, pauseMs: number): void;
  restored(): void;
}

/**
 * A writer's journal, from before it is open to after it is given up. A journal that cannot be opened (another
 * process has it, its folder cannot be written) is tried again for ever; meanwhile batches are in memory only.
 */
export class BatchJournal {
  readonly #clock: Clock;
  readonly #events: BatchJournalEvents;
  readonly #pause = new Pause();
  readonly #living = new Set<JournalBatch>();
  #journal: Journal | undefined;
  #error: S3BatchError | undefined;
  #timer: Timer | undefined;
  #retired = false;

  constructor(
    public settings: JournalSettings,
    clock: Clock,
    events: BatchJournalEvents,
  ) {
    this.#clock = clock;
    this.#events = events;
    void this.#open();
  }

  /** Why nothing is kept on disk at present. */
  get error(): S3BatchError | undefined {
    return this.#journal ? this.#journal.error : this.#error;
  }

  /** Bytes of memory that wait to be written. */
  get pendingBytes(): number {
    return this.#journal?.pendingBytes ?? 0;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#journal?.bytes ?? 0;
  }

  /** Undefined while it is not open: the batch is in memory only. */
  openBatch(id: string, description: string): JournalBatch | undefined {
    const batch = this.#journal?.openBatch(id, description);
    if (batch) this.#living.add(batch);
    return batch;
  }

  forget(batch: JournalBatch): void {
    batch.forget();
    this.#living.delete(batch);
    if (this.#retired && this.#living.size === 0) this.#close();
  }

  /** Calls back once all that was appended so far is on disk. */
  afterCommit(callback: () => void): void {
    if (!this.#journal) throw new Error('the journal is not open');
    this.#journal.afterCommit(callback);
  }

  /** As `afterCommit`, but does nothing while the journal is not open. */
  whenCommitted(callback: () => void): void {
    this.#journal?.afterCommit(callback);
  }

  async commit(): Promise<void> {
    await this.#journal?.commit();
  }

  changeSettings(settings: JournalSettings): void {
    this.settings = settings;
    if (this.#journal) this.#journal.commitLimits = settings.commit;
  }

  /** Takes no more batches, and is closed once those that it has are stored. */
  retire(): void {
    this.#retired = true;
    if (this.#living.size === 0) this.#close();
  }

  /** Ends it; what is not stored stays on disk for the next process. */
  async end(): Promise<void> {
    this.#retired = true;
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.close();
    // Empty when all is stored: a node that is gone leaves nothing behind.
    await rmdir(this.settings.folder).catch(() => undefined);
  }

  #close(): void {
    this.end().catch((error: unknown) => {
      process.emitWarning(`the journal in ${this.settings.folder} could not be closed: ${messageOf(error)}`);
    });
  }

  async #open(): Promise<void> {
    const { folder, commit } = this.settings;
    try {
      const { journal, batches, damage } = await Journal.open({
        folder,
        commit,
        clock: this.#clock,
        events: this.#events,
      });
      if (this.#retired) {
        await journal.close();
        return;
      }
      journal.commitLimits = this.settings.commit;
      this.#journal = journal;
      if (this.#error) this.#events.restored();
      this.#error = undefined;
      for (const batch of batches) this.#living.add(batch);
      this.#events.opened(batches, damage);
    } catch (error) {
      if (this.#retired) return;
      this.#error =
        error instanceof S3BatchError
          ? error
          : new S3BatchError(
              'JOURNAL_FAILED',
              `the journal in ${folder} cannot be used: ${messageOf(error)}`,
              {
                cause: error,
              },
            );
      const pause = this.#pause.next();
      this.#timer = this.#clock.setTimer(() => void this.#open(), pause);
      this.#events.failed(this.#error, pause);
    }
  }
}
