import type { Clock } from '../clock';
import type { S3BatchError } from '../errors';
import { guarded } from '../guarded';
import type { Damage, RecoveredBatch } from '../journal';
import type { Layout } from '../layout';
import { BatchJournal, type JournalSettings } from './batch-journal';
import { BatchOnDisk } from './batch-on-disk';
import { type EarlyRecord, EarlyRecords, refusal } from './early-records';
import { describeBatch, type FormerBatch, formerBatch, readRecords } from './journaled-batch';
import type { OpenBatch } from './open-batch';
import type { ObjectSettings } from './settings';

/** What a journal held when it was opened. */
export interface Recovery {
  records: number;
  batches: number;
  /** Bytes that could not be read, and where. */
  damage: readonly Damage[];
  /** Batches that stay on disk, since this version cannot read what they are. */
  unreadable: readonly S3BatchError[];
}

/** The writer that has a journal, as the journal sees it. */
export interface JournalUser {
  /** So many records more are on disk. */
  committed(records: number): void;
  /** Takes a record that came before the journal was open. */
  take(record: EarlyRecord): void;
  /** Goes on with a batch of a former process. */
  takeUp(batch: FormerBatch): Promise<void>;
  recovered(recovery: Recovery): void;
  /** Nothing is kept on disk at present: batches are in memory only. */
  failed(error: S3BatchError, pauseMs: number): void;
  restored(): void;
}

/**
 * The journal of a writer's settings, over changes of them: records wait while it is opened, and a journal that the
 * settings no longer name goes on until its batches are stored.
 */
export class WriterJournal {
  readonly #user: JournalUser;
  readonly #clock: Clock;
  #journal: BatchJournal | undefined;
  #early: EarlyRecords | undefined;

  constructor(settings: JournalSettings | undefined, user: JournalUser, clock: Clock) {
    this.#user = user;
    this.#clock = clock;
    if (settings) this.#open(settings);
  }

  /** Where records wait while the journal is opened. */
  get early(): EarlyRecords | undefined {
    return this.#early;
  }

  /** Undefined when the settings name none. */
  get current(): BatchJournal | undefined {
    return this.#journal;
  }

  /** Bytes of memory that it holds. */
  get heldBytes(): number {
    return (this.#journal?.pendingBytes ?? 0) + (this.#early?.heldBytes ?? 0);
  }

  /** Whether open batches cannot go on in the journal of these settings. */
  differsFrom(settings: JournalSettings | undefined): boolean {
    return this.#journal?.settings.folder !== settings?.folder;
  }

  /** Goes on with other settings; batches that are open must have been sealed where they differ. */
  change(settings: JournalSettings | undefined): void {
    if (!this.differsFrom(settings)) {
      if (settings) this.#journal?.changeSettings(settings);
      return;
    }
    this.#journal?.retire();
    this.#journal = undefined;
    this.#takeEarly();
    if (settings) this.#open(settings);
  }

  /** Keeps an open batch that has no records yet on disk, if there is a journal that works. */
  keep(batch: OpenBatch, objects: ObjectSettings): void {
    const journal = this.#journal;
    const { layout, destination, framing } = batch;
    const entry = journal?.openBatch(batch.id, describeBatch(batch, objects, this.#clock.now()));
    if (!journal || !entry) return;
    batch.onDisk = new BatchOnDisk(journal, entry, (openedAt) =>
      readRecords(entry, layout, destination, framing, openedAt),
    );
  }

  #open(settings: JournalSettings): void {
    const user = this.#user;
    const journal = new BatchJournal(settings, this.#clock, {
      opened: (batches, damage) => void this.#recover(journal, batches, damage),
      committed: (records) => {
        user.committed(records);
      },
      failed: (error, pauseMs) => {
        this.#takeEarly();
        user.failed(error, pauseMs);
      },
      restored: () => {
        user.restored();
      },
    });
    this.#journal = journal;
    this.#early ??= new EarlyRecords();
  }

  /** The journal is open, or will not be soon: what came before that is taken. */
  #takeEarly(): void {
    this.#early?.drain(
      (record) => {
        this.#user.take(record);
      },
      () => (this.#early = undefined),
    );
  }

  async #recover(
    journal: BatchJournal,
    batches: readonly RecoveredBatch[],
    damage: readonly Damage[],
  ): Promise<void> {
    const layouts = new Map<string, Layout>();
    const unreadable: S3BatchError[] = [];
    const recovery: Recovery = { records: 0, batches: 0, damage, unreadable };
    for (const batch of batches) {
      try {
        const former = formerBatch(journal, batch, layouts);
        if (batch.count === 0) {
          former.onDisk.forget();
          continue;
        }
        await this.#user.takeUp(former);
        recovery.records += batch.count;
        recovery.batches++;
      } catch (error) {
        unreadable.push(refusal(error));
      }
    }
    guarded(() => {
      this.#user.recovered(recovery);
    });
    this.#takeEarly();
  }
}
