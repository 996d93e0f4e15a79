import type { BatchKeeper } from './batch-keeper';
import type { JournalSource } from './entries';
import type { Segment } from './segment';

/** Who is shown what a batch holds. */
export interface JournalVisitor {
  /** A source; they are numbered from 0 in the order of these calls. Each comes before its first record. */
  source(topic: string, series: string): void;
  /** A record. `bytes` is a view: valid until the call returns. */
  record(
    time: number,
    source: number,
    flags: number,
    bytes: Buffer,
    lineBreaks: readonly number[] | undefined,
  ): void;
}

/** A batch in the journal. Its texts mean nothing to the journal; they are kept as UTF-8. */
export interface JournalBatch {
  readonly id: string;
  readonly description: string;
  /** Records. */
  readonly count: number;
  /** Bytes of the records, as they were given. */
  readonly bytes: number;
  /** Adds a source; answers its number, counted from 0. */
  addSource(topic: string, series: string): number;
  /**
   * Adds the record `bytes[start, end)`, which is copied. Never throws for what a disk does.
   * @param time a number that means nothing to the journal, kept with all its bits
   * @param source number of a source of this batch
   * @param flags 32 bits
   * @param lineBreaks numbers below 2^32, kept as they are
   * @throws MESSAGE_TOO_LARGE from 512 MiB on
   */
  append(
    time: number,
    source: number,
    flags: number,
    bytes: Buffer,
    start: number,
    end: number,
    lineBreaks?: readonly number[],
  ): void;
  /** Takes no more records. `description` is kept with that. */
  seal(description: string): void;
  /** The batch is not needed any more. */
  forget(): void;
  /**
   * Shows sources and records in the order they were appended, up to those appended before the call, from disk and
   * from what is not committed yet, with turns of the event loop between.
   * @throws JOURNAL_DAMAGED when bytes on disk are no longer what was committed; some records were shown then
   */
  read(visitor: JournalVisitor): Promise<void>;
}

/** A batch that a former process left. */
export interface RecoveredBatch extends JournalBatch {
  /** What it was sealed with; undefined when it was not. */
  readonly sealed: string | undefined;
  /**
   * Records that are known to be lost through damage. An object of what is left must not take the place of one that
   * may have been stored before with all records.
   */
  readonly missing: number;
}

/** What was found of a batch when a journal was opened. */
export interface BatchState {
  count: number;
  bytes: number;
  /** Number of the next record: records that are lost had numbers too. */
  next: number;
  missing: number;
  /** Undefined when they are not needed in memory: sealed, and each is on disk before its first record. */
  sources: JournalSource[] | undefined;
  /** After damage to sources: their numbers on disk, which may then differ from their places. */
  numbers: number[] | undefined;
  /** Number on disk of the next source. */
  nextNumber: number;
  sealed: string | undefined;
}

export class Batch implements RecoveredBatch {
  count = 0;
  bytes = 0;
  next = 0;
  missing = 0;
  sealed: string | undefined;
  isForgotten = false;
  sources: JournalSource[] | undefined = [];
  /** Segments that have entries of it. */
  readonly segments = new Set<Segment>();
  #numbers: number[] | undefined;
  #nextNumber = 0;

  constructor(
    private readonly keeper: BatchKeeper,
    readonly number: number,
    readonly id: string,
    readonly description: string,
    state?: BatchState,
  ) {
    if (!state) return;
    this.count = state.count;
    this.bytes = state.bytes;
    this.next = state.next;
    this.missing = state.missing;
    this.sealed = state.sealed;
    this.sources = state.sources;
    this.#numbers = state.numbers;
    this.#nextNumber = state.nextNumber;
  }

  /** After damage to sources: the number on disk of each. */
  get numbers(): readonly number[] | undefined {
    return this.#numbers;
  }

  addSource(topic: string, series: string): number {
    this.#mustTake();
    const sources = (this.sources ??= []);
    const place = sources.push({ topic, series }) - 1;
    const number = this.#nextNumber++;
    this.#numbers?.push(number);
    this.keeper.addSource(this, number, { topic, series });
    return place;
  }

  append(
    time: number,
    source: number,
    flags: number,
    bytes: Buffer,
    start: number,
    end: number,
    lineBreaks?: readonly number[],
  ): void {
    this.#mustTake();
    if (!this.sources || source >= this.sources.length) {
      throw new RangeError(`batch ${this.id} has no source ${source}`);
    }
    const number = this.#numbers ? (this.#numbers[source] ?? source) : source;
    this.keeper.append(this, time, number, flags, bytes, start, end, lineBreaks);
    this.next++;
    this.count++;
    this.bytes += end - start;
  }

  seal(description: string): void {
    this.#mustTake();
    this.sealed = description;
    this.keeper.seal(this, description);
  }

  forget(): void {
    if (this.isForgotten) return;
    this.isForgotten = true;
    this.sources = undefined;
    this.keeper.forget(this);
  }

  read(visitor: JournalVisitor): Promise<void> {
    return this.keeper.show(this, visitor);
  }

  /** The seal is on disk: sources are read from there, unless damage to the disk needs them in memory. */
  letGoOfSources(): void {
    if (!this.#numbers) this.sources = undefined;
  }

  #mustTake(): void {
    if (this.isForgotten) throw new Error(`batch ${this.id} is forgotten`);
    if (this.sealed !== undefined) throw new Error(`batch ${this.id} is sealed`);
  }
}
