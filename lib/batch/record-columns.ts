const ROWS = 256;

/** Columns of 256 records: what is kept of a record besides its bytes. */
interface Page {
  time: Float64Array;
  length: Uint32Array;
  source: Uint32Array;
  position: Uint32Array;
  flags: Uint16Array;
}

const BYTES_PER_ROW = 8 + 4 + 4 + 4 + 2;

/** One row a record in typed arrays, 22 bytes each, in pages, so that growing copies nothing. */
export class RecordColumns {
  readonly #pages: Page[] = [];
  #current: Page | undefined;
  count = 0;

  /** Bytes allocated. */
  get allocated(): number {
    return this.#pages.length * ROWS * BYTES_PER_ROW;
  }

  add(time: number, length: number, source: number, position: number, flags: number): number {
    const row = this.count & (ROWS - 1);
    const page = row === 0 || !this.#current ? this.#addPage() : this.#current;
    page.time[row] = time;
    page.length[row] = length;
    page.source[row] = source;
    page.position[row] = position;
    page.flags[row] = flags;
    return this.count++;
  }

  // A method a column: with the column's name as a parameter, each access looks it up anew.

  time(record: number): number {
    return this.#pages[record >>> 8]?.time[record & (ROWS - 1)] ?? 0;
  }

  length(record: number): number {
    return this.#pages[record >>> 8]?.length[record & (ROWS - 1)] ?? 0;
  }

  source(record: number): number {
    return this.#pages[record >>> 8]?.source[record & (ROWS - 1)] ?? 0;
  }

  position(record: number): number {
    return this.#pages[record >>> 8]?.position[record & (ROWS - 1)] ?? 0;
  }

  flags(record: number): number {
    return this.#pages[record >>> 8]?.flags[record & (ROWS - 1)] ?? 0;
  }

  #addPage(): Page {
    // One piece of memory for all columns: getting five takes longer than filling them.
    const memory = new ArrayBuffer(ROWS * BYTES_PER_ROW);
    const page = {
      time: new Float64Array(memory, 0, ROWS),
      length: new Uint32Array(memory, ROWS * 8, ROWS),
      source: new Uint32Array(memory, ROWS * 12, ROWS),
      position: new Uint32Array(memory, ROWS * 16, ROWS),
      flags: new Uint16Array(memory, ROWS * 20, ROWS),
    };
    this.#current = page;
    this.#pages.push(page);
    return page;
  }
}
