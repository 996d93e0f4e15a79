import { batchOf, forgetEntry } from './entries';
import { HEAD_LENGTH, Kind, kindOf, lengthOf } from './format';

const MIN_CHUNK = 4 * 1024;
const MAX_CHUNK = 256 * 1024;

/** A run of entries that are not committed yet, and who wants to know when they are. */
export class Chunk {
  used = 0;
  /** Records among its entries. */
  records = 0;
  readonly callbacks: (() => void)[] = [];
  /** Per callback, the bytes of the chunk that it waits for. */
  readonly waitsFor: number[] = [];

  constructor(readonly bytes: Buffer) {}
}

/** Calls `visit` for each entry of `bytes[0, used)`: its kind, where it begins, where it ends. */
export function forEachEntry(
  bytes: Buffer,
  used: number,
  visit: (kind: number, start: number, end: number) => void,
): void {
  for (let at = 0; at < used;) {
    const word = bytes.readUInt32LE(at);
    const end = at + HEAD_LENGTH + lengthOf(word);
    visit(kindOf(word), at, end);
    at = end;
  }
}

/**
 * Entries in the order they were appended, one behind the other in chunks that grow with what is pending: no object
 * a record, and nothing is copied to grow. What is taken for a commit stays until it is committed.
 */
export class Pending {
  #chunks: Chunk[] = [];
  #current: Chunk | undefined;
  /** Bytes of the entries. */
  bytes = 0;
  records = 0;

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Chunks as they are now; of the last one, what comes later is beyond its present `used`. */
  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Makes room for an entry, to be written to the answered chunk from `used - length` on. */
  take(length: number, records: number): Chunk {
    let chunk = this.#current;
    if (!chunk || chunk.used + length > chunk.bytes.length) chunk = this.#grow(length);
    chunk.used += length;
    chunk.records += records;
    this.bytes += length;
    this.records += records;
    return chunk;
  }

  add(entry: Buffer): void {
    const chunk = this.take(entry.length, 0);
    entry.copy(chunk.bytes, chunk.used - entry.length);
  }

  /** Calls back when all entries so far are committed or dropped; false when there are none to wait for. */
  addCallback(callback: () => void): boolean {
    const chunk = this.#chunks.at(-1);
    if (!chunk) return false;
    chunk.callbacks.push(callback);
    chunk.waitsFor.push(chunk.used);
    return true;
  }

  /** The first chunks, up to `most` bytes but at least one; what is appended from now on is in none of them. */
  group(most: number): Chunk[] {
    this.#current = undefined;
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#chunks) {
      bytes += chunk.used;
      if (count > 0 && bytes > most) break;
      count++;
    }
    return this.#chunks.slice(0, count);
  }

  /** The first `count` chunks are committed. */
  remove(count: number): void {
    for (const chunk of this.#chunks.splice(0, count)) {
      this.bytes -= chunk.used;
      this.records -= chunk.records;
    }
  }

  /**
   * Drops entries of batches. Entries that forget come first from now on: they are what lets segments be deleted,
   * and the first that a disk which was full should take.
   * @param isDropped of a batch: whether its entries go
   * @param isKept of a batch: whether its forgetting matters on disk
   * @param nextTurn lets the event loop turn, after each chunk
   * @returns callbacks that have nothing to wait for any more
   */
  async drop(
    isDropped: (batch: number) => boolean,
    isKept: (batch: number) => boolean,
    nextTurn: () => Promise<unknown>,
  ): Promise<(() => void)[]> {
    this.#current = undefined;
    const old = this.#chunks.slice();
    const kept = new Pending();
    const forgets = new Set<number>();
    const due: (() => void)[] = [];
    const told = new Map<Chunk, number>();
    const tell = (chunk: Chunk, end: number) => {
      let callback = told.get(chunk) ?? 0;
      for (; (chunk.waitsFor[callback] ?? Infinity) <= end; callback++) {
        const call = chunk.callbacks[callback];
        if (call && !kept.addCallback(call)) due.push(call);
      }
      told.set(chunk, callback);
    };
    for (const chunk of old) {
      const { bytes } = chunk;
      forEachEntry(bytes, chunk.used, (kind, start, end) => {
        const batch = batchOf(bytes, start + HEAD_LENGTH);
        if (kind === Kind.FORGET) {
          if (isKept(batch)) forgets.add(batch);
        } else if (!isDropped(batch)) {
          const isRecord = kind === Kind.RECORD || kind === Kind.FOLDED;
          const copy = kept.take(end - start, isRecord ? 1 : 0);
          bytes.copy(copy.bytes, copy.used - (end - start), start, end);
        }
        tell(chunk, end);
      });
      await nextTurn();
    }
    // Callbacks may have come since, as long as nothing was appended after the last chunk.
    for (const chunk of old) tell(chunk, chunk.used);
    this.#replace(old.length, kept, forgets);
    return due;
  }

  #replace(count: number, kept: Pending, forgets: ReadonlySet<number>): void {
    this.remove(count);
    const first = new Pending();
    for (const batch of forgets) first.add(forgetEntry(batch));
    for (const { bytes, records, chunks } of [kept, first]) {
      this.#chunks.unshift(...chunks);
      this.bytes += bytes;
      this.records += records;
    }
  }

  #grow(length: number): Chunk {
    const ahead = Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, this.bytes));
    this.#current = new Chunk(Buffer.allocUnsafeSlow(Math.max(length, ahead)));
    this.#chunks.push(this.#current);
    return this.#current;
  }
}
