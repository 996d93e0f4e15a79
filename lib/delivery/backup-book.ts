import { DigestIndex } from './backup-index';
import { PAGE_ROWS, PageTable, RowState } from './backup-page';
import { BackupSlice, type SliceOnDisk } from './backup-slice';
import { DIGEST_LENGTH } from './digest';

/** Into how many slices a timeout is cut: rows are looked at once a slice, and wait up to a twentieth too long. */
const SLICES = 20;

/** Bytes of memory that a digest takes while it waits for its message. */
export const WAITING_MEMORY = 41;

/** A message that nobody announced in time. */
export interface Overdue {
  topic: string;
  payload: Buffer;
  /** ms since 1970. */
  arrival: number;
  /** To be called once it is stored. */
  stored: () => void;
}

/**
 * The messages that nobody has announced yet, and the announced digests whose messages have not come yet, each up to
 * a timeout. One digest stands for one copy of a message: the oldest is taken first. Its time is the backup's own: ms
 * that neither run backwards nor go on between two processes.
 */
export class BackupBook {
  readonly #table = new PageTable();
  readonly #held = new DigestIndex(this.#table);
  readonly #waiting = new DigestIndex(this.#table);
  /** Oldest first. */
  #slices: BackupSlice[] = [];
  readonly #touched = new Set<BackupSlice>();
  #current: BackupSlice | undefined;
  #settling: NodeJS.Immediate | undefined;
  /** Bytes of payloads that are held. */
  heldBytes = 0;
  /** Digests whose messages did not come in time. */
  expired = 0;

  /**
   * @param timeout ms
   * @param openOnDisk opens a slice on disk; undefined when it is to be in memory only
   */
  constructor(
    public timeout: number,
    private readonly openOnDisk: (opened: number) => SliceOnDisk | undefined,
  ) {}

  /** Messages that are held. */
  get held(): number {
    return this.#held.size;
  }

  /** Digests that wait for their messages. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Bytes of memory. */
  get allocated(): number {
    return this.#table.allocated + this.#held.allocated + this.#waiting.allocated;
  }

  /** Since when the oldest message is held; undefined when none is. */
  get heldSince(): number | undefined {
    return this.#slices.find((slice) => slice.held > 0)?.opened;
  }

  /** When the next rows are due; undefined when there are none. */
  get nextDue(): number | undefined {
    const next = this.#slices.find((slice) => slice.cursor < slice.count);
    return next && this.#dueAt(next);
  }

  /** Whether what is held is kept on disk. */
  get isAllOnDisk(): boolean {
    return this.#slices.every((slice) => slice.onDisk !== undefined || slice.open === 0);
  }

  /** Whether what comes now is kept on disk. */
  isOnDisk(now: number): boolean {
    return this.#sliceAt(now).onDisk !== undefined;
  }

  /** @returns false when it had been announced already, and need not be held */
  addMessage(now: number, digest: Buffer, topic: string, payload: Buffer, arrival: number): boolean {
    const announced = this.#waiting.take(highOf(digest, 0), lowOf(digest, 0));
    if (announced !== undefined) {
      this.#finish(announced);
      this.settle();
      return false;
    }
    this.#held.add(this.#sliceAt(now).addMessage(digest, topic, payload, arrival));
    this.heldBytes += payload.length;
    return true;
  }

  /**
   * Messages with these digests are in the store: so many copies of each need not be held any more. What has not come
   * yet is waited for.
   * @param room how many digests may be waited for
   * @param room how many more digests may wait; asked when the announced messages are gone
   * @returns how many messages are no longer held, and how many digests found no room
   */
  announce(now: number, digests: Buffer, room: () => number): { announced: number; left: number } {
    let announced = 0;
    let unknown = 0;
    const early = Buffer.allocUnsafe(digests.length);
    for (let at = 0; at < digests.length; at += DIGEST_LENGTH) {
      const id = this.#held.take(highOf(digests, at), lowOf(digests, at));
      if (id === undefined) {
        digests.copy(early, DIGEST_LENGTH * unknown++, at, at + DIGEST_LENGTH);
        continue;
      }
      this.heldBytes -= this.#lengthOf(id);
      this.#finish(id);
      announced++;
    }
    const kept = unknown === 0 ? 0 : Math.min(unknown, Math.max(0, room()));
    if (kept > 0) {
      const rows = this.#sliceAt(now).addWaiting(early.subarray(0, kept * DIGEST_LENGTH));
      for (const id of rows) this.#waiting.add(id);
    }
    this.settle();
    return { announced, left: unknown - kept };
  }

  /**
   * Hands over messages that are due, oldest first, and drops digests that are. Each message stays on disk until its
   * `stored` is called.
   * @param most how many
   * @param give may throw: then that message and those behind it stay
   * @returns whether there may be more
   */
  handOver(now: number, most: number, give: (message: Overdue) => void): boolean {
    const slice = this.#slices.find((one) => one.cursor < one.count);
    if (!slice || this.#dueAt(slice) > now) return false;
    if (slice === this.#current) this.#closeCurrent(now);
    try {
      for (let given = 0; slice.cursor < slice.count; slice.cursor++) {
        const id = slice.idOf(slice.cursor);
        if (id === undefined) continue;
        if (this.#stateOf(id) === RowState.WAITING) {
          this.#waiting.remove(id);
          this.#finish(id);
          this.expired++;
          continue;
        }
        if (given === most) break;
        this.#give(slice, id, give);
        given++;
      }
    } finally {
      this.settle();
    }
    return true;
  }

  /**
   * Takes over what a former process held.
   * @returns how many messages more are held: of what it adopts, rows may announce others
   */
  adopt(slice: BackupSlice, now: number): number {
    const before = this.held;
    slice.close(Math.min(slice.opened + this.#sliceTime, now));
    for (let number = 0; number < slice.count; number++) {
      const id = slice.idOf(number);
      if (id !== undefined) this.#adoptRow(id);
    }
    this.#slices.push(slice);
    this.#slices.sort((a, b) => a.opened - b.opened);
    this.#touched.add(slice);
    this.settle();
    return this.held - before;
  }

  /** A slice to be filled with what a former process held. @param opened in this book's time */
  newSlice(opened: number, onDisk: SliceOnDisk | undefined): BackupSlice {
    return new BackupSlice(this.#table, opened, onDisk);
  }

  /** Its time goes on `ms` later. */
  shift(ms: number): void {
    for (const slice of this.#slices) {
      slice.opened += ms;
      if (slice.closed !== undefined) slice.closed += ms;
    }
  }

  /** What comes from now on is in another slice: it may be kept elsewhere. */
  closeCurrent(now: number): void {
    if (this.#current) this.#closeCurrent(now);
    this.settle();
  }

  /** Tells the disk what is gone, and releases slices that are over. */
  settle(): void {
    if (this.#settling) clearImmediate(this.#settling);
    this.#settling = undefined;
    for (const slice of this.#touched) {
      if (slice.settle()) this.#slices.splice(this.#slices.indexOf(slice), 1);
    }
    this.#touched.clear();
  }

  get #sliceTime(): number {
    return this.timeout / SLICES;
  }

  #dueAt(slice: BackupSlice): number {
    return (slice.closed ?? slice.opened + this.#sliceTime) + this.timeout;
  }

  #sliceAt(now: number): BackupSlice {
    let current = this.#current;
    if (current && (now - current.opened >= this.#sliceTime || current.isFull)) {
      this.#closeCurrent(now);
      current = undefined;
    }
    if (current?.onDisk) return current;
    const onDisk = this.openOnDisk(now);
    if (current && !onDisk) return current;
    if (current) this.#closeCurrent(now);
    this.#current = this.newSlice(now, onDisk);
    this.#slices.push(this.#current);
    return this.#current;
  }

  #closeCurrent(now: number): void {
    const current = this.#current;
    if (!current) return;
    current.close(Math.min(current.opened + this.#sliceTime, now));
    this.#current = undefined;
    this.#touched.add(current);
  }

  #adoptRow(id: number): void {
    const page = this.#table.get(id);
    const row = id % PAGE_ROWS;
    const isHeld = page.state[row] === RowState.HELD;
    const others = isHeld ? this.#waiting : this.#held;
    const match = others.take(page.high[row] ?? 0, page.low[row] ?? 0);
    if (match === undefined) {
      if (isHeld) this.heldBytes += page.length(row);
      (isHeld ? this.#held : this.#waiting).add(id);
      return;
    }
    if (!isHeld) this.heldBytes -= this.#lengthOf(match);
    this.#finish(match);
    this.#finish(id);
  }

  #give(slice: BackupSlice, id: number, give: (message: Overdue) => void): void {
    const page = this.#table.get(id);
    const row = id % PAGE_ROWS;
    const payload = Buffer.allocUnsafe(page.length(row));
    page.copyPayload(row, payload);
    const number = slice.cursor;
    give({
      topic: page.topic(row),
      payload,
      arrival: page.arrival(row),
      stored: () => {
        slice.finish(number);
        this.#touched.add(slice);
        // Many are stored together: the disk is told once.
        this.#settling ??= setImmediate(() => {
          this.settle();
        });
      },
    });
    this.#held.remove(id);
    this.heldBytes -= payload.length;
    slice.remove(id);
  }

  /** Nothing needs a row any more that is in no index. */
  #finish(id: number): void {
    const page = this.#table.get(id);
    const { slice } = page;
    slice.remove(id);
    slice.finish(page.first + (id % PAGE_ROWS));
    this.#touched.add(slice);
  }

  #stateOf(id: number): number {
    return this.#table.get(id).state[id % PAGE_ROWS] ?? RowState.GONE;
  }

  #lengthOf(id: number): number {
    return this.#table.get(id).length(id % PAGE_ROWS);
  }
}

function highOf(digests: Buffer, at: number): number {
  return digests.readUInt32BE(at);
}

function lowOf(digests: Buffer, at: number): number {
  return digests.readUInt32BE(at + DIGEST_LENGTH / 2);
}
