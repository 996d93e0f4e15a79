import { ByteChunks } from '../batch/byte-chunks';
import type { BackupSlice } from './backup-slice';
import { DIGEST_LENGTH } from './digest';

export const PAGE_ROWS = 512;

/** What a row of the backup's book is at present. */
export const RowState = {
  /** Nothing any more: announced, handed over for upload, or expired. */
  GONE: 0,
  /** A message that nobody has announced yet. */
  HELD: 1,
  /** A digest that was announced before its message came. */
  WAITING: 2,
} as const;

/** Bytes of memory, measured, of a page besides its columns and its payloads. */
const PAGE_MEMORY = 1500;
const BYTES_PER_ROW = 8 + 4 + 4 + 4 + 4 + 8 + 1;
/** Less than this is not worth copying what is left. */
const LEAST_TO_COMPACT = 16 * 1024;

/** 512 rows of the backup's book, 33 bytes of columns each, and the payloads of those that are held. */
export class BackupPage {
  /** The two halves of each row's digest. */
  readonly high = new Uint32Array(PAGE_ROWS);
  readonly low = new Uint32Array(PAGE_ROWS);
  /** The next younger row with the same digest; of the youngest the oldest. Kept by `DigestIndex`. */
  readonly next = new Uint32Array(PAGE_ROWS);
  readonly state = new Uint8Array(PAGE_ROWS);
  readonly #topic = new Uint32Array(PAGE_ROWS);
  readonly #arrival = new Float64Array(PAGE_ROWS);
  readonly #length = new Uint32Array(PAGE_ROWS);
  readonly #position = new Uint32Array(PAGE_ROWS);
  #bytes = new ByteChunks();
  #heldBytes = 0;
  count = 0;
  /** Rows that are not gone. */
  live = 0;

  /** @param first number of its first row in the slice */
  constructor(
    readonly slice: BackupSlice,
    readonly first: number,
  ) {}

  get isFull(): boolean {
    return this.count === PAGE_ROWS;
  }

  /** Bytes of memory. */
  get allocated(): number {
    return PAGE_MEMORY + PAGE_ROWS * BYTES_PER_ROW + this.#bytes.allocated;
  }

  /** Adds a digest that waits for its message. */
  addWaiting(digests: Buffer, at: number): number {
    return this.#add(RowState.WAITING, digests, at);
  }

  addMessage(digest: Buffer, topic: number, payload: Buffer, arrival: number): number {
    const row = this.#add(RowState.HELD, digest, 0);
    this.#topic[row] = topic;
    this.#arrival[row] = arrival;
    this.#length[row] = payload.length;
    this.#position[row] = this.#bytes.take(payload.length);
    this.#bytes.chunk.set(payload, this.#bytes.offset);
    this.#heldBytes += payload.length;
    return row;
  }

  /** Bytes of a held message's payload. */
  length(row: number): number {
    return this.#length[row] ?? 0;
  }

  topic(row: number): string {
    return this.slice.topics[this.#topic[row] ?? 0] ?? '';
  }

  /** When a held message came, ms since 1970. */
  arrival(row: number): number {
    return this.#arrival[row] ?? 0;
  }

  copyPayload(row: number, target: Buffer): void {
    this.#bytes.copy(this.#position[row] ?? 0, this.length(row), target, 0);
  }

  /** Makes a row gone. What it held is released as soon as half of the page's bytes are. */
  remove(row: number): void {
    if (this.state[row] === RowState.HELD) this.#heldBytes -= this.length(row);
    this.state[row] = RowState.GONE;
    this.live--;
    if (this.#bytes.allocated > Math.max(LEAST_TO_COMPACT, 2 * this.#heldBytes)) this.#compact();
  }

  #add(state: number, digests: Buffer, at: number): number {
    const row = this.count++;
    this.high[row] = digests.readUInt32BE(at);
    this.low[row] = digests.readUInt32BE(at + DIGEST_LENGTH / 2);
    this.state[row] = state;
    this.live++;
    return row;
  }

  #compact(): void {
    const bytes = new ByteChunks();
    for (let row = 0; row < this.count; row++) {
      if (this.state[row] !== RowState.HELD) continue;
      const length = this.length(row);
      const position = bytes.take(length);
      this.#bytes.copy(this.#position[row] ?? 0, length, bytes.chunk, bytes.offset);
      this.#position[row] = position;
    }
    this.#bytes = bytes;
  }
}

/** Pages by number. A row's id is its page's number times 512 plus its place in the page. */
export class PageTable {
  /** Bytes of memory of all pages and slices; kept by the slices. */
  allocated = 0;
  readonly #pages: (BackupPage | undefined)[] = [];
  readonly #free: number[] = [];

  /** @returns the id of the page's first row */
  add(page: BackupPage): number {
    const number = this.#free.pop() ?? this.#pages.length;
    this.#pages[number] = page;
    return number * PAGE_ROWS;
  }

  /** @param id of any of its rows */
  remove(id: number): void {
    const number = Math.floor(id / PAGE_ROWS);
    this.allocated -= this.#pages[number]?.allocated ?? 0;
    this.#pages[number] = undefined;
    this.#free.push(number);
  }

  /** The page of a row's id. */
  get(id: number): BackupPage {
    const page = this.#pages[Math.floor(id / PAGE_ROWS)];
    if (!page) throw new RangeError(`no page has row ${id}`);
    return page;
  }
}
