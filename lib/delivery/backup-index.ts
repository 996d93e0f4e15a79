import { PAGE_ROWS, type PageTable } from './backup-page';

/** Many small tables instead of one, so that none takes long when it grows. */
const TABLES = 256;
const LEAST_SLOTS = 8;
const EMPTY = 0xffffffff;

/**
 * Finds rows by their digest: hash tables (open addressing, linear probing) with 4 bytes a slot that hold ids of
 * rows. Rows with one digest form a ring through their `next`; a slot has the youngest, whose next is the oldest.
 */
export class DigestIndex {
  readonly #pages: PageTable;
  readonly #tables = Array.from({ length: TABLES }, () => new Uint32Array(LEAST_SLOTS).fill(EMPTY));
  /** Slots in use by table. */
  readonly #used = new Uint32Array(TABLES);
  #slots = TABLES * LEAST_SLOTS;
  /** Rows. */
  size = 0;

  constructor(pages: PageTable) {
    this.#pages = pages;
  }

  /** Bytes of memory. */
  get allocated(): number {
    return 4 * this.#slots;
  }

  /** Adds a row as the youngest of its digest. */
  add(id: number): void {
    const page = this.#pages.get(id);
    const row = id % PAGE_ROWS;
    const high = page.high[row] ?? 0;
    const low = page.low[row] ?? 0;
    const number = high >>> 24;
    const table = this.#table(number);
    const slot = this.#find(table, high, low);
    const youngest = table[slot] ?? EMPTY;
    this.size++;
    table[slot] = id;
    if (youngest !== EMPTY) {
      page.next[row] = this.#next(youngest);
      this.#pages.get(youngest).next[youngest % PAGE_ROWS] = id;
      return;
    }
    page.next[row] = id;
    const used = (this.#used[number] ?? 0) + 1;
    this.#used[number] = used;
    if (used > table.length * 0.7) this.#resize(number, table.length * 2);
  }

  /** Takes the oldest row with a digest out; undefined when there is none. */
  take(high: number, low: number): number | undefined {
    const number = high >>> 24;
    const table = this.#table(number);
    const slot = this.#find(table, high, low);
    const youngest = table[slot] ?? EMPTY;
    if (youngest === EMPTY) return undefined;
    const oldest = this.#next(youngest);
    this.#takeAfter(number, slot, youngest, oldest);
    return oldest;
  }

  /** Takes a row out that is in it. The oldest of its digest takes no time; any other has to be looked for. */
  remove(id: number): void {
    const page = this.#pages.get(id);
    const high = page.high[id % PAGE_ROWS] ?? 0;
    const low = page.low[id % PAGE_ROWS] ?? 0;
    const number = high >>> 24;
    const table = this.#table(number);
    const slot = this.#find(table, high, low);
    let before = table[slot] ?? EMPTY;
    while (this.#next(before) !== id) before = this.#next(before);
    this.#takeAfter(number, slot, before, id);
  }

  /** Takes the row `id` out, which comes after `before` in the ring of a slot. */
  #takeAfter(number: number, slot: number, before: number, id: number): void {
    const table = this.#table(number);
    this.size--;
    if (before !== id) {
      this.#pages.get(before).next[before % PAGE_ROWS] = this.#next(id);
      if (table[slot] === id) table[slot] = before;
      return;
    }
    this.#vacate(table, slot);
    const used = (this.#used[number] ?? 0) - 1;
    this.#used[number] = used;
    if (table.length > LEAST_SLOTS && used < table.length * 0.15) this.#resize(number, table.length / 2);
  }

  /** The next younger row with the same digest; of the youngest the oldest. */
  #next(id: number): number {
    return this.#pages.get(id).next[id % PAGE_ROWS] ?? 0;
  }

  #table(number: number): Uint32Array {
    return this.#tables[number] ?? new Uint32Array(0);
  }

  /** The slot of a digest, or the one where it would go. */
  #find(table: Uint32Array, high: number, low: number): number {
    const mask = table.length - 1;
    let slot = low & mask;
    for (;;) {
      const id = table[slot] ?? EMPTY;
      if (id === EMPTY) return slot;
      const page = this.#pages.get(id);
      const row = id % PAGE_ROWS;
      if (page.low[row] === low && page.high[row] === high) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Empties a slot and moves those behind it up, as far as each may stand there. */
  #vacate(table: Uint32Array, slot: number): void {
    const mask = table.length - 1;
    let hole = slot;
    for (let at = (hole + 1) & mask; table[at] !== EMPTY; at = (at + 1) & mask) {
      const home = this.#lowOf(table[at] ?? 0) & mask;
      // Whether it has come as far from its home as the hole is, or farther.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[hole] = table[at] ?? EMPTY;
      hole = at;
    }
    table[hole] = EMPTY;
  }

  #resize(number: number, slots: number): void {
    const old = this.#table(number);
    const table = new Uint32Array(slots).fill(EMPTY);
    for (const id of old) {
      if (id === EMPTY) continue;
      let slot = this.#lowOf(id) & (slots - 1);
      while (table[slot] !== EMPTY) slot = (slot + 1) & (slots - 1);
      table[slot] = id;
    }
    this.#tables[number] = table;
    this.#slots += slots - old.length;
  }

  #lowOf(id: number): number {
    return this.#pages.get(id).low[id % PAGE_ROWS] ?? 0;
  }
}
