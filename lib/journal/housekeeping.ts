import type { Clock } from '../clock';
import type { S3BatchError } from '../errors';
import { copyTogether, worthCopying } from './compaction';
import type { FileSystem } from './file-system';
import type { Holdings } from './holdings';
import { Pause } from '../pause';
import type { Segment } from './segment';

/** How writing goes. */
interface WritingState {
  /** Why nothing can be committed at present. */
  readonly error: S3BatchError | undefined;
  /** Nothing can be committed, and nothing is pending of batches that are forgotten. */
  readonly hasDropped: boolean;
}

/** Deletes segments that nobody needs, and copies together what long-held batches keep from being deleted. */
export class Housekeeping {
  #work: Promise<void> | undefined;
  #again = false;
  #isClosed = false;
  /** After a failure, not before this time. */
  #notBefore = -Infinity;
  readonly #pause = new Pause();
  /** Forgettings that are on their way to the newest segment. */
  readonly #carried = new Set<number>();
  /** While segments change places. */
  #exchange: Promise<void> | undefined;
  #readEnded: (() => void) | undefined;

  /**
   * @param newest the segment that is written to
   * @param untidy told of the first failure of several
   * @param forgetAgain appends entries that forget these batches, and calls back once they are committed
   */
  constructor(
    private readonly fs: FileSystem,
    private readonly clock: Clock,
    private readonly folder: string,
    private readonly salt: number,
    private readonly segmentBytes: number,
    private readonly holdings: Holdings,
    private readonly newest: () => Segment | undefined,
    private readonly nextBatch: () => number,
    private readonly state: () => WritingState,
    private readonly untidy: (error: unknown) => void,
    private readonly forgetAgain: (batches: readonly number[], committed: () => void) => void,
  ) {}

  /** There may be something to do. */
  wake(): void {
    if (this.#isClosed || this.clock.elapsed() < this.#notBefore) return;
    this.#again = true;
    this.#work ??= this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
  }

  /** At the very end, when nothing is written any more: deletes all segments, if nothing in any of them is needed. */
  async deleteUnneeded(): Promise<void> {
    const { segments } = this.holdings;
    if (!segments.every((segment) => this.holdings.isDead(segment, false))) return;
    try {
      for (const segment of segments) await this.#delete(segment);
    } catch (error) {
      // Someone else has tidied up.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.untidy(error);
    }
  }

  /** Calls `read` with segments that stay where they are until it is done. */
  async whileReading<T>(segmentsOf: () => readonly Segment[], read: () => Promise<T>): Promise<T> {
    while (this.#exchange) await this.#exchange;
    const segments = segmentsOf();
    for (const segment of segments) segment.readers++;
    try {
      return await read();
    } finally {
      for (const segment of segments) segment.readers--;
      this.#readEnded?.();
      this.wake();
    }
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#isClosed) {
      this.#again = false;
      try {
        await this.#deleteDead();
        if (!this.state().error) await this.#copy();
        this.#pause.reset();
      } catch (error) {
        // Nothing is lost by a segment that stays; a commit after the pause tries again.
        this.#notBefore = this.clock.elapsed() + this.#pause.next();
        if (this.#pause.failures > 1) break;
        this.untidy(error);
        break;
      }
    }
    this.#work = undefined;
  }

  async #deleteDead(): Promise<void> {
    const newest = this.newest();
    for (const segment of this.holdings.segments) {
      if (
        segment === newest ||
        segment.readers > 0 ||
        !this.holdings.isDead(segment, this.state().hasDropped)
      )
        continue;
      const needed = this.holdings.neededForgets(new Set([segment]));
      if (needed.length > 0) {
        this.#carry(needed);
        continue;
      }
      await this.#delete(segment);
    }
  }

  async #delete(segment: Segment): Promise<void> {
    const path = segment.path(this.folder);
    if (segment.isDamaged) await this.fs.rename(path, `${path}.damaged`);
    else await this.fs.remove(path);
    // What forgets its batches may be deleted only after this is sure to last.
    await this.fs.syncFolder(this.folder);
    this.holdings.remove(segment);
  }

  #carry(needed: readonly number[]): void {
    const batches = needed.filter((number) => !this.#carried.has(number));
    if (batches.length === 0) return;
    for (const number of batches) this.#carried.add(number);
    this.forgetAgain(batches, () => {
      for (const number of batches) this.#carried.delete(number);
      this.wake();
    });
  }

  async #copy(): Promise<void> {
    const { holdings, fs, folder } = this;
    const newest = this.newest();
    const full = holdings.segments.filter((segment) => segment !== newest);
    const run = worthCopying(holdings, full, this.segmentBytes);
    if (run.length === 0) return;
    this.#again = true;
    const copied = await copyTogether(fs, folder, this.salt, this.nextBatch(), holdings, run);
    if (!copied) return;
    const replaced = new Set(run);
    let done: () => void = () => undefined;
    this.#exchange = new Promise((resolve) => (done = resolve));
    try {
      while (run.some(({ readers }) => readers > 0)) {
        await new Promise<void>((resolve) => (this.#readEnded = resolve));
      }
      await fs.rename(copied.path, copied.segment.path(folder));
      await fs.syncFolder(folder);
      holdings.replace(replaced, copied.segment, copied.shares);
    } finally {
      this.#exchange = undefined;
      done();
    }
  }
}
