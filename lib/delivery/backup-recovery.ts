import type { BatchJournal } from '../batch/batch-journal';
import { messageOf, S3BatchError } from '../errors';
import type { Damage, JournalBatch, RecoveredBatch } from '../journal';
import type { BackupBook } from './backup-book';
import type { KnownAnnouncements } from './backup-known';
import type { SliceOnDisk } from './backup-slice';

/** What the journal of a backup held when it was opened. */
export interface BackupRecovery {
  /** Messages that are held again. */
  records: number;
  damage: readonly Damage[];
  /** What could not be read, or not to its end. */
  unreadable: readonly S3BatchError[];
}

/** What a journal batch of a backup is; JSON in the journal. */
type Description = { kind: 'slice'; opened: number } | { kind: 'announcements' };

export const KNOWN_ANNOUNCEMENTS = JSON.stringify({ kind: 'announcements' } satisfies Description);

export function describeSlice(opened: number): string {
  return JSON.stringify({ kind: 'slice', opened } satisfies Description);
}

/** A slice's part of a journal. */
export function onDiskIn(journal: BatchJournal, batch: JournalBatch): SliceOnDisk {
  return {
    addSource: batch.addSource.bind(batch),
    append: batch.append.bind(batch),
    forget: () => {
      journal.forget(batch);
    },
  };
}

/** When the last slice that a journal holds was opened, in the time of the book that wrote it; undefined without one. */
export function lastOpened(batches: readonly RecoveredBatch[]): number | undefined {
  let last: number | undefined;
  for (const { description } of batches) {
    const known = parse(description);
    if (known?.kind === 'slice') last = Math.max(known.opened, last ?? 0);
  }
  return last;
}

/**
 * Gives what a former process held to the book.
 * @param now in the book's time, which goes on from the one that wrote the journal
 * @param held called when so many messages more are held
 * @returns what could not be read
 */
export async function recover(
  journal: BatchJournal,
  batches: readonly RecoveredBatch[],
  book: BackupBook,
  known: KnownAnnouncements,
  now: number,
  held: (messages: number) => void,
): Promise<S3BatchError[]> {
  const unreadable: S3BatchError[] = [];
  for (const batch of batches) {
    const description = parse(batch.description);
    try {
      if (description?.kind === 'announcements') await known.restore(batch);
      else if (description) await recoverSlice(journal, batch, book, description.opened, now, held);
      else unreadable.push(damaged(batch, 'this version cannot read what it is'));
    } catch (error) {
      unreadable.push(damaged(batch, messageOf(error), error));
    }
  }
  return unreadable;
}

async function recoverSlice(
  journal: BatchJournal,
  batch: RecoveredBatch,
  book: BackupBook,
  opened: number,
  now: number,
  held: (messages: number) => void,
): Promise<void> {
  const slice = book.newSlice(opened, onDiskIn(journal, batch));
  try {
    await batch.read({
      source: (topic) => {
        slice.restoreTopic(topic);
      },
      record: (time, source, flags, bytes) => {
        slice.restore(time, source, flags, bytes);
      },
    });
  } finally {
    // What could be read of it is held.
    held(book.adopt(slice, now));
  }
}

function parse(description: string): Description | undefined {
  let value: unknown;
  try {
    value = JSON.parse(description);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return undefined;
  if (value.kind === 'announcements') return { kind: 'announcements' };
  if (value.kind !== 'slice' || !('opened' in value) || typeof value.opened !== 'number') return undefined;
  return { kind: 'slice', opened: value.opened };
}

function damaged(batch: RecoveredBatch, why: string, cause?: unknown): S3BatchError {
  return new S3BatchError(
    'JOURNAL_DAMAGED',
    `a part of the journal with ${batch.count} entries could not be read (${why}); messages that only it held are lost to this backup`,
    { cause },
  );
}
