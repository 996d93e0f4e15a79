import { setImmediate as nextTurn } from 'node:timers/promises';

import { crc32c } from '../crc32c';
import { HEAD_LENGTH, headCheck, isHead, kindOf, lengthOf } from './format';

/** Bytes that are checked between two turns of the event loop: about a millisecond. */
const SLICE = 512 * 1024;

/** Fills in the checks of the entries in `buffers`, which are to be written from `position` on. */
export async function fillInChecks(
  buffers: readonly Buffer[],
  seed: number,
  position: number,
): Promise<void> {
  let sinceTurn = 0;
  let base = position;
  for (const bytes of buffers) {
    for (let at = 0; at < bytes.length;) {
      const word = bytes.readUInt32LE(at);
      const end = at + HEAD_LENGTH + lengthOf(word);
      let check = 0;
      for (let from = at + HEAD_LENGTH; from < end; from += SLICE) {
        const to = Math.min(end, from + SLICE);
        check = crc32c(bytes, from, to, check);
        sinceTurn += to - from;
        if (sinceTurn < SLICE) continue;
        sinceTurn = 0;
        await nextTurn();
      }
      bytes.writeUInt32LE(headCheck(seed, base + at, word), at + 4);
      bytes.writeUInt32LE(check, at + 8);
      at = end;
    }
    base += bytes.length;
  }
}

/** What is found in a segment. Positions are bytes from its start. */
export interface EntryVisitor {
  /** An entry that is whole; its body is `bytes[body, end)`, until the visit ends. */
  entry(kind: number, bytes: Buffer, body: number, end: number, position: number): void;
  /** Bytes that are no entries, before one that is. */
  damage(from: number, to: number): void;
}

/** A file that can be read, as far as a scan needs it. */
interface Readable {
  read(target: Buffer, offset: number, length: number, position: number): Promise<number>;
}

/**
 * Visits all entries of a segment from `start` to `limit`, with turns of the event loop between. After damage it goes on
 * behind the damaged entry where that one's head is whole, else at the next place where an entry is whole. Memory is
 * bounded by the longest whole entry's length.
 * @param batch visit entries of this batch only; the bodies of others are neither read nor checked
 * @returns where the last whole entry ends
 */
export async function scanEntries(
  file: Readable,
  start: number,
  limit: number,
  seed: number,
  visitor: EntryVisitor,
  batch?: number,
): Promise<number> {
  const window = new Window(file, start, limit);
  let good = start;
  let searched = 0;
  while (window.holds(HEAD_LENGTH) || (await window.load(HEAD_LENGTH))) {
    const { bytes, at, position } = window;
    if (!isHead(bytes, at, seed, position, limit)) {
      window.skip(1);
      if (++searched % (SLICE / 4) === 0) await nextTurn();
      continue;
    }
    const length = HEAD_LENGTH + lengthOf(bytes.readUInt32LE(at));
    if (batch !== undefined) {
      if (!window.holds(HEAD_LENGTH + 4) && !(await window.load(HEAD_LENGTH + 4))) break;
      if (window.bytes.readUInt32LE(window.at + HEAD_LENGTH) !== batch) {
        window.skip(length);
        good = window.position;
        continue;
      }
    }
    if (!window.holds(length) && !(await window.load(length))) break;
    // A promise an entry would take longer than the check of a short one.
    const sum =
      length <= SLICE
        ? crc32c(window.bytes, window.at + HEAD_LENGTH, window.at + length)
        : await sumInTurns(window.bytes, window.at + HEAD_LENGTH, window.at + length);
    if (sum === window.bytes.readUInt32LE(window.at + 8)) {
      if (position > good) visitor.damage(good, position);
      good = position + length;
      const kind = kindOf(window.bytes.readUInt32LE(window.at));
      visitor.entry(kind, window.bytes, window.at + HEAD_LENGTH, window.at + length, position);
    }
    window.skip(length);
  }
  return good;
}

async function sumInTurns(bytes: Buffer, start: number, end: number): Promise<number> {
  let sum = 0;
  for (let from = start; from < end; from += SLICE) {
    sum = crc32c(bytes, from, Math.min(end, from + SLICE), sum);
    await nextTurn();
  }
  return sum;
}

/** The part of a file that is in memory, and a place in it. */
class Window {
  bytes = Buffer.allocUnsafe(SLICE);
  at = 0;
  #used = 0;

  constructor(
    private readonly file: Readable,
    /** Where in the file `at` is. */
    public position: number,
    private readonly limit: number,
  ) {}

  skip(length: number): void {
    this.at += length;
    this.position += length;
  }

  /** Whether `length` bytes are there from `at` on. */
  holds(length: number): boolean {
    return this.#used - this.at >= length;
  }

  /** Reads on until they are; false when the file, or its part, ends before. */
  async load(length: number): Promise<boolean> {
    if (this.position + length > this.limit) return false;
    const rest = this.bytes.subarray(Math.min(this.at, this.#used), this.#used);
    if (length > this.bytes.length || this.bytes.length > SLICE) {
      this.bytes = Buffer.allocUnsafe(Math.max(length, SLICE));
    }
    this.bytes.set(rest);
    this.#used = rest.length;
    this.at = 0;
    while (this.#used < length) {
      const position = this.position + this.#used;
      const wanted = Math.min(this.bytes.length - this.#used, this.limit - position);
      const read = await this.file.read(this.bytes, this.#used, wanted, position);
      if (read === 0) return false;
      this.#used += read;
    }
    return true;
  }
}
