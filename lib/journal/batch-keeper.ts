import { S3BatchError } from '../errors';
import type { Batch, JournalVisitor } from './batch';
import type { Commits } from './commits';
import {
  forgetEntry,
  type JournalSource,
  openEntry,
  recordEntryLength,
  sealEntry,
  sourceEntry,
  writeRecord,
} from './entries';
import { HEAD_LENGTH, MAX_BODY } from './format';
import type { Pending } from './pending';

/** What batches hand their entries to. */
export class BatchKeeper {
  #isClosed = false;

  /** @param read shows what a batch holds */
  constructor(
    private readonly folder: string,
    private readonly pending: Pending,
    private readonly commits: Commits,
    private readonly read: (batch: Batch, visitor: JournalVisitor) => Promise<void>,
  ) {}

  open(batch: Batch): void {
    this.#add(openEntry(batch.number, batch.id, batch.description));
  }

  addSource(batch: Batch, number: number, source: JournalSource): void {
    this.#add(sourceEntry(batch.number, number, source));
  }

  append(
    batch: Batch,
    time: number,
    source: number,
    flags: number,
    bytes: Buffer,
    start: number,
    end: number,
    lineBreaks: readonly number[] | undefined,
  ): void {
    this.#mustBeOpen();
    const length = recordEntryLength(end - start, lineBreaks);
    if (length - HEAD_LENGTH > MAX_BODY) {
      throw new S3BatchError(
        'MESSAGE_TOO_LARGE',
        'the message is longer than 512 MiB, the most the journal takes',
      );
    }
    const chunk = this.pending.take(length, 1);
    const at = chunk.used - length;
    const { number, next } = batch;
    const to = writeRecord(chunk.bytes, at, length, number, next, source, flags, time, lineBreaks);
    bytes.copy(chunk.bytes, to, start, end);
    this.commits.appended();
  }

  seal(batch: Batch, description: string): void {
    this.#add(sealEntry(batch.number, batch.next, description));
  }

  forget(batch: Batch): void {
    // Too late for this process: the next one finds the batch again.
    if (this.#isClosed) return;
    this.#add(forgetEntry(batch.number));
    this.commits.forgotten();
  }

  /** Shows what a batch holds. */
  async show(batch: Batch, visitor: JournalVisitor): Promise<void> {
    this.#mustBeOpen();
    if (batch.isForgotten) throw new Error(`batch ${batch.id} is forgotten`);
    await this.read(batch, visitor);
  }

  /** Nothing is taken any more. */
  close(): void {
    this.#isClosed = true;
  }

  #add(entry: Buffer): void {
    this.#mustBeOpen();
    this.pending.add(entry);
    this.commits.appended();
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new S3BatchError('CLOSED', `the journal in ${this.folder} is closed`);
  }
}
