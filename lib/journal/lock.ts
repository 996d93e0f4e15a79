import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';

import type { Clock, Timer } from '../clock';
import { S3BatchError } from '../errors';
import type { FileSystem } from './file-system';
import { type ProcessIdentity, self, stateOf } from './process-identity';

const NAME = 'lock';
/** The lock is touched so often. */
const HEARTBEAT = 2000;
/** A holder that cannot be asked is gone when its lock was not touched for so long. */
const SILENCE = 30_000;
/**
 * A container that was started again has the host name, but not the process numbers, of the one before: its own
 * former lock must not keep it out for long. Whoever lives touches the lock within this time.
 */
const WATCH = 2.5 * HEARTBEAT;
const ATTEMPTS = 5;

/** Folders that this process has locked. */
const held = new Set<string>();

interface Holder extends ProcessIdentity {
  /** Tells locks of one process apart. */
  token: string;
}

/**
 * The right to write to a folder: a file that tells who has it. Left behind by a crash, it is taken over once its
 * holder is known to be gone.
 */
export class Lock {
  #timer: Timer | undefined;
  /** When the lock was last known to be ours. */
  #knownAt: number;

  private constructor(
    private readonly fs: FileSystem,
    private readonly clock: Clock,
    private readonly folder: string,
    private readonly text: string,
    private readonly lost: (error: S3BatchError) => void,
  ) {
    this.#knownAt = clock.elapsed();
  }

  /**
   * @param lost called when another process has taken the folder all the same: this one must write no more
   * @throws JOURNAL_LOCKED when another process, or another journal of this one, has the folder
   */
  static async take(
    fs: FileSystem,
    clock: Clock,
    folder: string,
    lost: (error: S3BatchError) => void,
  ): Promise<Lock> {
    const key = resolve(folder);
    if (held.has(key)) throw locked(folder, 'another node of this Node-RED', 'give each node its own folder');
    held.add(key);
    try {
      const holder: Holder = { ...self, token: randomUUID() };
      const lock = new Lock(fs, clock, folder, JSON.stringify(holder), lost);
      await lock.#take();
      lock.#beat();
      return lock;
    } catch (error) {
      held.delete(key);
      throw error;
    }
  }

  /** The process was held up for so long that others may have taken it for gone: `check` before anything is written. */
  get isOverdue(): boolean {
    return this.clock.elapsed() - this.#knownAt > 3 * HEARTBEAT;
  }

  /** Touches the lock; tells when it is lost. */
  async check(): Promise<void> {
    await this.#touch();
  }

  async release(): Promise<void> {
    if (this.#timer) this.clock.clearTimer(this.#timer);
    held.delete(resolve(this.folder));
    const path = join(this.folder, NAME);
    if ((await this.fs.readText(path))?.text === this.text) await this.fs.remove(path);
  }

  async #take(): Promise<void> {
    const path = join(this.folder, NAME);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.fs.createExclusive(path, this.text)) return;
      const found = await this.fs.readText(path);
      if (found && (await this.#isStale(path, found))) await this.#moveAway(path, found.text);
    }
    throw locked(this.folder, 'another process', 'wait until it is gone');
  }

  /** @throws JOURNAL_LOCKED when the holder lives */
  async #isStale(path: string, { text, modified }: { text: string; modified: number }): Promise<boolean> {
    const holder = parse(text);
    const state = holder ? stateOf(holder) : 'unknown';
    if (state === 'ended') return true;
    const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
    if (state === 'self' || state === 'alive')
      throw locked(this.folder, who, 'stop it, or choose another folder');
    // Clocks of two machines differ, and may be set: what was touched long ago must not be touched now either, and
    // what was touched in the future is watched for as long as a silence is.
    const age = this.clock.now() - modified;
    const isNameless = !holder || holder.host === self.host;
    if (isNameless || age < 0 || age > SILENCE) {
      await new Promise<void>((over) => this.clock.setTimer(over, !isNameless && age < 0 ? SILENCE : WATCH));
      const later = await this.fs.readText(path);
      if (later?.text !== text) return false;
      if (later.modified === modified) return true;
    }
    const remedy = `stop it, or choose another folder; if it is gone already, wait ${SILENCE / 1000} s`;
    throw locked(this.folder, who, remedy);
  }

  /** Of several processes that find a stale lock at once, each must move away that one only. */
  async #moveAway(path: string, stale: string): Promise<void> {
    const aside = `${path}.${randomUUID()}`;
    try {
      await this.fs.rename(path, aside);
    } catch {
      return;
    }
    const moved = await this.fs.readText(aside);
    if (moved && moved.text !== stale) await this.fs.createExclusive(path, moved.text);
    await this.fs.remove(aside);
  }

  #beat(): void {
    this.#timer = this.clock.setTimer(() => {
      this.#touch().then(
        (isOurs) => {
          if (isOurs) this.#beat();
        },
        // A disk that fails now may work again; the next beat tries.
        () => this.#beat(),
      );
    }, HEARTBEAT);
    this.#timer.unref();
  }

  async #touch(): Promise<boolean> {
    const path = join(this.folder, NAME);
    const found = await this.fs.readText(path);
    if (!found) {
      // Somebody tidied up. Whoever was quicker is found by the next beat.
      await this.fs.createExclusive(path, this.text);
      this.#knownAt = this.clock.elapsed();
      return true;
    }
    if (found.text !== this.text) {
      const holder = parse(found.text);
      const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
      this.lost(locked(this.folder, who, 'give each process its own folder'));
      return false;
    }
    await this.fs.touch(path);
    this.#knownAt = this.clock.elapsed();
    return true;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    const isWhole =
      typeof holder?.host === 'string' &&
      typeof holder.pid === 'number' &&
      typeof holder.started === 'string' &&
      typeof holder.space === 'string';
    return isWhole ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function locked(folder: string, who: string, remedy: string): S3BatchError {
  return new S3BatchError('JOURNAL_LOCKED', `the journal in ${folder} is in use by ${who}: ${remedy}`);
}
