const MIN_CHUNK = 4 * 1024;
const MAX_CHUNK = 256 * 1024;

/**
 * Bytes of records one behind the other, in chunks that grow with what is held: no more than about an eighth is
 * allocated ahead, and nothing is ever copied to grow. A record lies in one chunk; its position counts allocated
 * bytes from the first chunk on.
 */
export class ByteChunks {
  readonly #chunks: Buffer[] = [];
  /** Position of each chunk's first byte. */
  readonly #starts: number[] = [];
  #allocated = 0;
  #current: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Bytes allocated. */
  get allocated(): number {
    return this.#allocated;
  }

  /**
   * Takes `length` bytes; they are then to be written to `chunk` from `offset`.
   * @returns their position
   */
  take(length: number): number {
    if (this.#used + length > this.#current.length) this.#grow(length);
    this.offset = this.#used;
    this.#used += length;
    return this.#allocated - this.#current.length + this.offset;
  }

  /** Where the bytes last taken begin in `chunk`. */
  offset = 0;

  /** The chunk that the bytes last taken lie in. */
  get chunk(): Buffer {
    return this.#current;
  }

  /** Copies `length` bytes from `position`, which must lie in one chunk as they were taken. */
  copy(position: number, length: number, target: Buffer, at: number): void {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    const from = position - (this.#starts[low] ?? 0);
    this.#chunks[low]?.copy(target, at, from, from + length);
  }

  #grow(length: number): void {
    const ahead = Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, this.#allocated >>> 3));
    this.#current = Buffer.allocUnsafeSlow(Math.max(length, ahead));
    this.#chunks.push(this.#current);
    this.#starts.push(this.#allocated);
    this.#allocated += this.#current.length;
    this.#used = 0;
  }
}
