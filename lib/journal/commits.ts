import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock, Timer } from '../clock';
import type { S3BatchError } from '../errors';
import { guarded } from '../guarded';
import { Pause } from '../pause';
import { CallsInTurns } from './calls-in-turns';
import { writeFailure } from './failure';
import type { Holdings } from './holdings';
import type { JournalEvents } from './journal';
import type { Lock } from './lock';
import type { Chunk, Pending } from './pending';
import type { SegmentOutput } from './segment-output';

/**
 * When what is appended is synced to disk: after so many ms, or once so many records wait. Sooner when somebody waits for
 * it: after a quarter of the time, or once half as many records wait. A broker whose acknowledgements are held sends no
 * more than its window before, and one half of that should come while the other is synced.
 */
export interface CommitLimits {
  /** 0: as soon as possible; groups then form by themselves while a sync is under way. */
  ms: number;
  records: number;
}

/** Most bytes that are committed together. */
const MAX_GROUP = 8 * 1024 * 1024;

interface Waiting {
  reject: (error: S3BatchError) => void;
}

/** Commits what is pending, one group at a time, and does not give up. */
export class Commits {
  error: S3BatchError | undefined;
  #timer: Timer | undefined;
  /** The timer is one of those for what somebody waits for. */
  #isHastened = false;
  #soon: NodeJS.Immediate | undefined;
  #retry: Timer | undefined;
  #work: Promise<void> | undefined;
  /** Something else is due since the work under way began. */
  #isDue = false;
  #mustDrop = false;
  #isDropping = false;
  /** Records of the group that is being written. */
  #underWay = 0;
  /** Another process has the folder: nothing may be written any more. */
  #isLost = false;
  readonly #pause = new Pause();
  readonly #calls = new CallsInTurns();
  readonly #waiting = new Set<Waiting>();

  /** @param committed called after each group */
  constructor(
    private readonly folder: string,
    private readonly clock: Clock,
    public limits: CommitLimits,
    private readonly pending: Pending,
    private readonly holdings: Holdings,
    private readonly output: SegmentOutput,
    private readonly lock: Pick<Lock, 'isOverdue' | 'check'>,
    private readonly events: Partial<JournalEvents>,
    private readonly committed: () => void,
  ) {}

  /** Something was appended. */
  appended(): void {
    if (this.error) {
      if (!this.#retry && !this.#work && !this.#isLost) this.#begin();
    } else if (this.pending.records - this.#underWay >= this.limits.records) this.#begin();
    else if (this.limits.ms === 0) this.#soon ??= setImmediate(() => this.#begin());
    else this.#timer ??= this.clock.setTimer(() => this.#begin(), this.limits.ms);
  }

  /** Nothing can be committed, and nothing of batches that are forgotten is pending any more. */
  get hasDropped(): boolean {
    return this.error !== undefined && !this.#mustDrop && !this.#isDropping;
  }

  /** A batch was forgotten: while nothing can be committed, what is pending of it need not be. */
  forgotten(): void {
    if (!this.error) return;
    this.#mustDrop = true;
    this.#work ??= this.#run();
  }

  afterCommit(callback: () => void): void {
    if (this.pending.addCallback(callback)) this.#hasten();
    else this.#calls.add([callback]);
  }

  /** @throws JOURNAL_FAILED when it fails; it is tried again all the same */
  commit(): Promise<void> {
    if (this.#isLost && this.error) return Promise.reject(this.error);
    return new Promise((resolve, reject) => {
      const waiting = { reject };
      this.#waiting.add(waiting);
      this.afterCommit(() => {
        this.#waiting.delete(waiting);
        // Nobody may be left to wait for because all was dropped; that is not on disk for that.
        if (this.error) reject(this.error);
        else resolve();
      });
      this.#begin();
    });
  }

  /** Nothing is written any more. */
  lose(error: S3BatchError): void {
    this.#isLost = true;
    this.#fail(error, Infinity);
  }

  async close(): Promise<void> {
    try {
      await this.commit();
    } catch {
      // `error` tells, as it did before.
    }
    await this.#work;
    this.#isLost = true;
    this.#clearTimers();
    await this.output.close();
  }

  /** Somebody waits for what is pending. */
  #hasten(): void {
    if (this.#timer === undefined) return;
    if (2 * (this.pending.records - this.#underWay) >= this.limits.records) this.#begin();
    else if (!this.#isHastened) {
      this.#isHastened = true;
      this.clock.clearTimer(this.#timer);
      this.#timer = this.clock.setTimer(() => this.#begin(), this.limits.ms / 4);
    }
  }

  #begin(): void {
    this.#clearTimers();
    this.#isDue = true;
    this.#work ??= this.#run();
  }

  #clearTimers(): void {
    for (const timer of [this.#timer, this.#retry]) if (timer) this.clock.clearTimer(timer);
    if (this.#soon) clearImmediate(this.#soon);
    this.#timer = undefined;
    this.#isHastened = false;
    this.#retry = undefined;
    this.#soon = undefined;
  }

  async #run(): Promise<void> {
    while (this.#isDue || this.#mustDrop) {
      if (this.#mustDrop) {
        this.#mustDrop = false;
        await this.#drop();
        continue;
      }
      this.#isDue = false;
      await this.#commitPending();
    }
    this.#work = undefined;
  }

  /** Commits what is pending now, and what comes meanwhile only as far as it is due. */
  async #commitPending(): Promise<void> {
    let rest = this.pending.bytes;
    if (this.lock.isOverdue) await this.#checkLock();
    // After a failure, a new segment with nothing in it tells whether the disk works again.
    while ((rest > 0 || this.error) && !this.#isLost && !this.#mustDrop) {
      // A disk that is full may still take the entries that forget, which come first: they make room.
      const group = this.pending.group(this.error ? 1 : MAX_GROUP);
      const bytes = group.reduce((sum, { used }) => sum + used, 0);
      this.#underWay = group.reduce((sum, { records }) => sum + records, 0);
      try {
        await this.output.write(group);
      } catch (error) {
        this.#underWay = 0;
        this.#retryLater(error);
        return;
      }
      this.#underWay = 0;
      rest -= bytes;
      this.#succeed(group);
    }
    if (rest > 0) this.#isDue = !this.#isLost;
  }

  async #checkLock(): Promise<void> {
    try {
      await this.lock.check();
    } catch {
      // The disk fails: writing will tell.
    }
  }

  #succeed(group: readonly Chunk[]): void {
    this.pending.remove(group.length);
    const records = group.reduce((sum, chunk) => sum + chunk.records, 0);
    if (records > 0) guarded(() => this.events.committed?.(records));
    for (const { callbacks } of group) this.#calls.add(callbacks);
    if (this.error) {
      this.error = undefined;
      this.#pause.reset();
      guarded(() => this.events.restored?.());
    }
    this.committed();
  }

  #retryLater(error: unknown): void {
    const pause = this.#pause.next();
    this.#retry = this.clock.setTimer(() => this.#begin(), pause);
    this.#fail(writeFailure(this.folder, error), pause);
    this.#mustDrop = [...this.holdings.batches.values()].some(({ isForgotten }) => isForgotten);
  }

  #fail(error: S3BatchError, pause: number): void {
    this.error = error;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
    guarded(() => this.events.failed?.(error, pause));
  }

  async #drop(): Promise<void> {
    const isForgotten = (number: number) => this.holdings.batches.get(number)?.isForgotten ?? true;
    const isOnDisk = (number: number) => this.holdings.mayBeOnDisk(number);
    this.#isDropping = true;
    this.#calls.add(await this.pending.drop(isForgotten, isOnDisk, nextTurn));
    this.#isDropping = false;
    this.holdings.dropUnwritten();
    this.committed();
  }
}
