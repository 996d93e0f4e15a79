import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';

import type { Clock, Timer } from '../clock';
import { S3BatchError } from '../errors';
import type { FileSystem } from './file-system';
import { type ProcessIdentity, self, stateOf } from './process-identity';

/** `lock.N`: who takes over a lock that was left behind makes the next number, which only one can make. */
const NAME = /^lock\.([1-9]\d{0,14})$/;
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

/** A lock in the folder. */
interface Found {
  number: number;
  text: string;
  /** When it was last touched, ms since 1970. */
  modified: number;
}

/**
 * The right to write to a folder: a file that tells who has it. Left behind by a crash, it is taken over once its
 * holder is known to be gone.
 */
export class Lock {
  #timer: Timer | undefined;
  #number = 0;
  /** Those that were there when it was last looked into. */
  #names: readonly string[] = [];
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
   * Makes the folder where there is none, and locks it. Messages wait meanwhile, and where they come in floods, each step
   * waits for a turn of the event loop that takes long: so there are few.
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
      await lock.#take(await fs.makeFolder(folder));
      lock.#beat();
      return lock;
    } catch (error) {
      held.delete(key);
      throw error;
    }
  }

  /** Names in the folder when the lock was taken. */
  get names(): readonly string[] {
    return this.#names;
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
    if (await this.#isOurs()) await this.fs.remove(this.#path(this.#number));
  }

  /** @param isNew the folder was made just now: nobody can have left a lock there */
  async #take(isNew: boolean): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stale = isNew && attempt === 0 ? [] : await this.#staleLocks();
      if (!stale) continue;
      this.#number = (stale.at(-1)?.number ?? 0) + 1;
      const made = await this.fs.createExclusive(this.#path(this.#number), this.text);
      if (!made) continue;
      // Who looked long ago may have made a number that is not the next one any more. Each looks again after it has
      // made its own: of two, at least one sees the other's, and gives way.
      const [others] = await Promise.all([this.#locks(this.#number), made.written]);
      if (others.every((other) => stale.some((one) => isSame(one, other)))) {
        for (const { number } of others) await this.fs.remove(this.#path(number));
        return;
      }
      await this.fs.remove(this.#path(this.#number));
    }
    throw locked(this.folder, 'another process', 'wait until it is gone');
  }

  /**
   * The locks in the folder, when all of them were left behind; undefined when that changes just now.
   * @throws JOURNAL_LOCKED when a holder lives
   */
  async #staleLocks(): Promise<Found[] | undefined> {
    const locks = await this.#locks();
    for (const lock of locks) if (!(await this.#isStale(lock))) return undefined;
    return locks;
  }

  /** @throws JOURNAL_LOCKED when the holder lives */
  async #isStale({ number, text, modified }: Found): Promise<boolean> {
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
      const later = await this.fs.readText(this.#path(number));
      if (later?.text !== text) return false;
      if (later.modified === modified) return true;
    }
    const remedy = `stop it, or choose another folder; if it is gone already, wait ${SILENCE / 1000} s`;
    throw locked(this.folder, who, remedy);
  }

  #path(number: number): string {
    return join(this.folder, `lock.${number}`);
  }

  /** The locks in the folder, by number, but for the one that is known to be ours. */
  async #locks(own?: number): Promise<Found[]> {
    this.#names = await this.fs.list(this.folder);
    const numbers = this.#names.map((name) => Number(NAME.exec(name)?.[1] ?? 0));
    const found: Found[] = [];
    for (const number of numbers.filter((one) => one > 0 && one !== own).sort((a, b) => a - b)) {
      const file = await this.fs.readText(this.#path(number));
      if (file) found.push({ number, ...file });
    }
    return found;
  }

  async #isOurs(): Promise<boolean> {
    return (await this.fs.readText(this.#path(this.#number)))?.text === this.text;
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
    if (await this.#isOurs()) await this.fs.touch(this.#path(this.#number));
    else {
      const last = (await this.#locks()).at(-1);
      if (last) {
        const holder = parse(last.text);
        const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
        this.lost(locked(this.folder, who, 'give each process its own folder'));
        return false;
      }
      // Somebody tidied up. Whoever was quicker is found by the next beat.
      const made = await this.fs.createExclusive(this.#path(this.#number), this.text);
      await made?.written;
    }
    this.#knownAt = this.clock.elapsed();
    return true;
  }
}

function isSame(one: Found, other: Found): boolean {
  return one.number === other.number && one.text === other.text;
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
