import { type Clock, systemClock } from '../clock';
import { S3BatchError } from '../errors';
import { Batch, type JournalBatch, type RecoveredBatch } from './batch';
import { BatchKeeper } from './batch-keeper';
import { type CommitLimits, Commits } from './commits';
import { forgetEntry } from './entries';
import { tidyFailure, unusable } from './failure';
import { type FileSystem, nodeFileSystem, systemCode } from './file-system';
import { Holdings } from './holdings';
import { Housekeeping } from './housekeeping';
import { Lock } from './lock';
import { Pending } from './pending';
import { readBatch } from './read-batch';
import { type Damage, type Found, recover } from './recovery';
import { SegmentOutput } from './segment-output';

const SEGMENT_BYTES = 16 * 1024 * 1024;

export interface JournalOptions {
  /** Folder of this journal alone; made, with those above it, when it is not there. */
  folder: string;
  commit: CommitLimits;
  /** Size from which another segment is begun, bytes. */
  segmentBytes?: number;
  fs?: FileSystem;
  clock?: Clock;
  events?: Partial<JournalEvents>;
}

/** Told what is committed, when nothing can be, and when that is over. */
export interface JournalEvents {
  /** So many records more are on disk. */
  committed(records: number): void;
  /** Nothing can be committed; it is tried again after `pauseMs`, Infinity for never. */
  failed(error: S3BatchError, pauseMs: number): void;
  restored(): void;
  /** What is not needed any more cannot be deleted; a warning of the process where nobody listens. */
  untidy(error: S3BatchError): void;
}

export interface OpenedJournal {
  journal: Journal;
  /** Batches that former processes did not forget, in the order they were opened. */
  batches: RecoveredBatch[];
  /** What could not be read. */
  damage: Damage[];
}

/**
 * Batches on disk until they are forgotten: an append-only log in segments (docs/journal-format.md). What is appended
 * is copied, and committed in groups: one write and one sync for all that came together.
 */
export class Journal {
  readonly #keeper: BatchKeeper;
  readonly #pending = new Pending();
  readonly #holdings: Holdings;
  readonly #commits: Commits;
  readonly #housekeeping: Housekeeping;
  readonly #lock: Lock;
  #nextBatch: number;
  #closing: Promise<void> | undefined;

  /**
   * @throws JOURNAL_LOCKED when another process, or another journal of this one, has the folder
   * @throws JOURNAL_UNUSABLE when the folder cannot be read and written, or a newer version wrote it
   */
  static async open(options: JournalOptions): Promise<OpenedJournal> {
    const { folder, fs = nodeFileSystem, clock = systemClock } = options;
    let opened: Journal | undefined;
    let lock: Lock | undefined;
    try {
      lock = await Lock.take(fs, clock, folder, (error) => {
        if (opened) opened.#commits.lose(error);
      });
      const found = await recover(fs, folder, lock.names);
      const holdings = new Holdings();
      opened = new Journal(options, fs, clock, lock, holdings, found);
      const batches = opened.#restore(found);
      opened.#housekeeping.wake();
      return { journal: opened, batches, damage: found.damage };
    } catch (error) {
      await lock?.release().catch(() => undefined);
      // What no disk did is a mistake of this code, and stays what it is.
      throw error instanceof S3BatchError || systemCode(error) === undefined
        ? error
        : unusable(folder, error);
    }
  }

  private constructor(
    { folder, commit, segmentBytes = SEGMENT_BYTES, events = {} }: JournalOptions,
    fs: FileSystem,
    clock: Clock,
    lock: Lock,
    holdings: Holdings,
    { salt, nextSegment, nextBatch }: Found,
  ) {
    this.#lock = lock;
    this.#holdings = holdings;
    this.#nextBatch = nextBatch;
    const next = () => this.#nextBatch;
    const output = new SegmentOutput(fs, folder, segmentBytes, holdings, salt, nextSegment, next);
    this.#housekeeping = new Housekeeping(
      fs,
      clock,
      folder,
      salt,
      segmentBytes,
      holdings,
      () => output.segment,
      next,
      () => this.#commits,
      (error) => {
        const failure = tidyFailure(folder, error);
        if (events.untidy) events.untidy(failure);
        else process.emitWarning(failure);
      },
      (batches, committed) => {
        for (const number of batches) this.#pending.add(forgetEntry(number));
        this.#commits.afterCommit(committed);
        this.#commits.appended();
      },
    );
    this.#commits = new Commits(folder, clock, commit, this.#pending, holdings, output, lock, events, () =>
      this.#housekeeping.wake(),
    );
    this.#keeper = new BatchKeeper(folder, this.#pending, this.#commits, (batch, visitor) =>
      this.#housekeeping.whileReading(
        () => [...batch.segments],
        () => readBatch(fs, folder, salt, batch, this.#pending.chunks, visitor),
      ),
    );
  }

  /** Why nothing is committed at present. */
  get error(): S3BatchError | undefined {
    return this.#commits.error;
  }

  /** Bytes of memory that wait to be written. */
  get pendingBytes(): number {
    return this.#pending.bytes;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#holdings.bytes;
  }

  /** When what is appended is synced to disk; may be changed at any time. */
  get commitLimits(): CommitLimits {
    return this.#commits.limits;
  }

  set commitLimits(limits: CommitLimits) {
    this.#commits.limits = limits;
  }

  /** Begins a batch. Both texts mean nothing to the journal. */
  openBatch(id: string, description: string): JournalBatch {
    const batch = new Batch(this.#keeper, this.#nextBatch, id, description);
    this.#keeper.open(batch);
    this.#nextBatch++;
    this.#holdings.batches.set(batch.number, batch);
    return batch;
  }

  /** Calls back once, in order, when everything appended so far is on disk or its batch was forgotten. */
  afterCommit(callback: () => void): void {
    this.#commits.afterCommit(callback);
  }

  /**
   * Commits now; returns when everything appended so far is on disk.
   * @throws JOURNAL_FAILED when that fails; it is tried again all the same
   */
  commit(): Promise<void> {
    return this.#commits.commit();
  }

  /** Commits, and lets others have the folder. What cannot be committed is lost with this process: `error` tells why. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#keeper.close();
    await this.#housekeeping.close();
    await this.#commits.close();
    await this.#housekeeping.deleteUnneeded();
    await this.#lock.release();
  }

  #restore({ segments, batches, forgets }: Found): RecoveredBatch[] {
    this.#holdings.segments = segments;
    const restored: Batch[] = [];
    for (const found of batches) {
      const { number, id = '', description, isForgotten } = found;
      const batch = new Batch(this.#keeper, number, id, description, found.state);
      for (const segment of found.segments) batch.segments.add(segment);
      this.#holdings.batches.set(number, batch);
      if (!isForgotten) restored.push(batch);
    }
    for (const [number, segment] of forgets) this.#holdings.forget(number, segment);
    return restored;
  }
}
