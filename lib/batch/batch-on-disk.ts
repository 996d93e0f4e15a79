import type { JournalBatch } from '../journal';
import type { BatchJournal } from './batch-journal';
import type { OpenBatch } from './open-batch';

/** What a batch is in the journal. */
export class BatchOnDisk {
  /** Whether all its records and its seal are synced to disk, so that memory may let go of them. */
  isCommitted = false;

  /** @param load makes a batch of the records again, opened then by the clock that never runs backwards */
  constructor(
    readonly journal: BatchJournal,
    readonly batch: JournalBatch,
    readonly load: (openedAt: number) => Promise<OpenBatch>,
  ) {}

  /**
   * A batch is uploaded once its seal is on disk: else a crash could open it again, and store it under another name.
   * While the disk fails, an object that may be stored twice is better than one that is not stored.
   */
  get mayUpload(): boolean {
    return this.isCommitted || this.journal.error !== undefined;
  }

  forget(): void {
    this.journal.forget(this.batch);
  }
}
