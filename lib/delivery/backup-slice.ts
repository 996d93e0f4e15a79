import type { JournalBatch } from '../journal';
import { BackupPage, PAGE_ROWS, type PageTable, RowState } from './backup-page';
import { DIGEST_LENGTH } from './digest';

/** What an entry of a slice's journal batch is: the `flags` of its journal record. */
const EntryKind = {
  /** A row: a message. Its bytes: digest, payload. */
  MESSAGE: 0,
  /** Rows: digests that wait for their messages. Its bytes: the digests. */
  WAITING: 1,
  /** Rows are gone. Its bytes: their numbers in the slice, unsigned 32 bits, big-endian. */
  GONE: 2,
} as const;

/** What a slice is on disk. */
export type SliceOnDisk = Pick<JournalBatch, 'addSource' | 'append' | 'forget'>;

/** Bytes of memory, measured, of a topic besides its characters, and of a slice besides its pages. */
const TOPIC_MEMORY = 150;
const SLICE_MEMORY = 2000;
/** A slice that has as much takes no more, so that what is over of it is soon released. */
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_ROWS = 32 * 1024;

/**
 * What came to the backup in a span of time, as rows in the order of arrival: messages, and digests that wait for
 * their messages. What it has on disk makes it again, and is forgotten when nothing is left.
 */
export class BackupSlice {
  readonly topics: string[] = [];
  /** Ids of the first rows of its pages; undefined where the page is released. */
  readonly #pages: (number | undefined)[] = [];
  readonly #topicNumbers = new Map<string, number>();
  readonly #table: PageTable;
  #page: BackupPage | undefined;
  #bytes = 0;
  #gone: number[] = [];
  #topicMemory = SLICE_MEMORY;
  /** Rows that it ever had. */
  count = 0;
  /** Messages that nobody announced yet. */
  held = 0;
  /** Rows that still need it: held, waiting, or handed over and not stored yet. */
  open = 0;
  /** Rows before this one have been handed over or have expired. */
  cursor = 0;
  /** When it was closed, in the book's time, ms; undefined while it takes rows. */
  closed: number | undefined;

  /** @param opened in the book's time, ms */
  constructor(
    table: PageTable,
    public opened: number,
    readonly onDisk: SliceOnDisk | undefined,
  ) {
    this.#table = table;
    table.allocated += SLICE_MEMORY;
  }

  get isFull(): boolean {
    return this.#bytes >= MOST_BYTES || this.count >= MOST_ROWS;
  }

  /** @returns the row's id */
  addMessage(digest: Buffer, topic: string, payload: Buffer, arrival: number): number {
    let number = this.#topicNumbers.get(topic);
    if (number === undefined) {
      number = this.restoreTopic(topic);
      this.onDisk?.addSource(topic, '');
    }
    const id = this.#addMessage(digest, number, payload, arrival);
    if (this.onDisk) {
      const entry = Buffer.concat([digest, payload]);
      this.onDisk.append(arrival, number, EntryKind.MESSAGE, entry, 0, entry.length);
    }
    return id;
  }

  /** @returns the ids of the rows */
  addWaiting(digests: Buffer): number[] {
    this.#journalEntry(EntryKind.WAITING, digests);
    return this.#addWaiting(digests);
  }

  restoreTopic(topic: string): number {
    const number = this.topics.push(topic) - 1;
    this.#topicNumbers.set(topic, number);
    this.#topicMemory += TOPIC_MEMORY + topic.length;
    this.#table.allocated += TOPIC_MEMORY + topic.length;
    return number;
  }

  /** Makes again what an entry of a former process made. */
  restore(arrival: number, topic: number, kind: number, bytes: Buffer): void {
    if (kind === EntryKind.MESSAGE) {
      this.#addMessage(bytes, topic, bytes.subarray(DIGEST_LENGTH), arrival);
    } else if (kind === EntryKind.WAITING) {
      this.#addWaiting(bytes);
    } else {
      for (let at = 0; at < bytes.length; at += 4) {
        const id = this.idOf(bytes.readUInt32BE(at));
        if (id === undefined) continue;
        this.remove(id);
        this.open--;
      }
    }
  }

  /** The id of the row of a number in the slice; undefined when it is gone. */
  idOf(number: number): number | undefined {
    const first = this.#pages[Math.floor(number / PAGE_ROWS)];
    if (first === undefined) return undefined;
    const id = first + (number % PAGE_ROWS);
    return this.#table.get(id).state[id % PAGE_ROWS] === RowState.GONE ? undefined : id;
  }

  /** Releases a row's memory; its number is then to be given to `finish`, when nothing needs it on disk either. */
  remove(id: number): void {
    const page = this.#table.get(id);
    const before = page.allocated;
    if (page.state[id % PAGE_ROWS] === RowState.HELD) this.held--;
    page.remove(id % PAGE_ROWS);
    this.#table.allocated += page.allocated - before;
    if (page.live > 0 || !page.isFull) return;
    this.#pages[page.first / PAGE_ROWS] = undefined;
    this.#table.remove(id);
  }

  /** Nothing needs this row any more. The disk is told with the next `settle`. */
  finish(number: number): void {
    this.open--;
    this.#gone.push(number);
  }

  /** Takes no more rows. */
  close(now: number): void {
    this.closed = now;
    this.#topicNumbers.clear();
  }

  /**
   * Tells the disk what is gone since the last time; when nothing is left, forgets and releases all.
   * @returns whether the slice is over
   */
  settle(): boolean {
    const gone = this.#gone;
    this.#gone = [];
    if (this.closed !== undefined && this.open === 0) {
      this.onDisk?.forget();
      this.#release();
      return true;
    }
    const bytes = Buffer.allocUnsafe(4 * gone.length);
    gone.forEach((number, at) => bytes.writeUInt32BE(number, 4 * at));
    this.#journalEntry(EntryKind.GONE, bytes);
    return false;
  }

  #release(): void {
    for (const id of this.#pages) if (id !== undefined) this.#table.remove(id);
    this.#pages.length = 0;
    this.#table.allocated -= this.#topicMemory;
  }

  #addMessage(digest: Buffer, topic: number, payload: Buffer, arrival: number): number {
    this.#bytes += payload.length;
    this.held++;
    return this.#addRow((page) => page.addMessage(digest, topic, payload, arrival));
  }

  #addWaiting(digests: Buffer): number[] {
    const ids: number[] = [];
    for (let at = 0; at < digests.length; at += DIGEST_LENGTH) {
      ids.push(this.#addRow((page) => page.addWaiting(digests, at)));
    }
    return ids;
  }

  #addRow(add: (page: BackupPage) => number): number {
    let page = this.#page;
    let before = page?.allocated ?? 0;
    if (!page || page.isFull) {
      page = this.#page = new BackupPage(this, this.count);
      this.#pages.push(this.#table.add(page));
      before = 0;
    }
    this.count++;
    this.open++;
    const row = add(page);
    this.#table.allocated += page.allocated - before;
    return (this.#pages[page.first / PAGE_ROWS] ?? 0) + row;
  }

  /** Every entry of a journal has a source; these have the first topic, or an empty one. */
  #journalEntry(kind: number, bytes: Buffer): void {
    if (!this.onDisk || bytes.length === 0) return;
    if (this.topics.length === 0) {
      this.restoreTopic('');
      this.onDisk.addSource('', '');
    }
    this.onDisk.append(0, 0, kind, bytes, 0, bytes.length);
  }
}
