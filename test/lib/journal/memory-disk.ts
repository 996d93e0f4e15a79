import { basename } from 'node:path';

import type { FileSystem, JournalFile } from '../../../lib/journal';
import type { OpenMode } from '../../../lib/journal/file-system';

class DiskError extends Error {
  constructor(readonly code: string) {
    super(`${code}: a test's disk`);
  }
}

/** Which calls fail at present, and with which code. */
export type Faults = Partial<
  Record<'open' | 'write' | 'sync' | 'truncate' | 'remove' | 'syncFolder', string>
>;

/**
 * A folder in memory, whatever its path, that can be full, fail, and be copied at any moment as a crash would leave
 * it: what was written is there, synced or not.
 */
export class MemoryDisk implements FileSystem {
  readonly files = new Map<string, Buffer>();
  /** Bytes that can be written before the disk is full. */
  room = Infinity;
  faults: Faults = {};
  /** Changes of the disk so far. */
  changes = 0;
  /** Told before each change; `part` makes it as far as `bytes` go, for changes that are writes. */
  onChange: ((number: number, part: (bytes: number) => void) => void) | undefined;
  lastWritten = '';

  copy(): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [name, bytes] of this.files)
      if (!name.startsWith('lock.')) disk.files.set(name, Buffer.from(bytes));
    disk.lastWritten = this.lastWritten;
    return disk;
  }

  get segments(): string[] {
    return [...this.files.keys()].filter((name) => name.endsWith('.journal')).sort();
  }

  makeFolder(): Promise<boolean> {
    return Promise.resolve(false);
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.files.keys()]);
  }

  size(path: string): Promise<number> {
    return Promise.resolve(this.#get(path).length);
  }

  async open(path: string, mode: OpenMode): Promise<JournalFile> {
    const name = basename(path);
    await this.#turn();
    if (mode === 'create' || mode === 'create-synced') {
      this.#check('open');
      this.#change();
      this.files.set(name, Buffer.alloc(0));
    } else this.#get(path);
    return {
      read: async (target, offset, length, position) => {
        await this.#turn();
        const bytes = this.#get(path).subarray(position, position + length);
        target.set(bytes, offset);
        return bytes.length;
      },
      write: (buffers, position) => this.#write(name, Buffer.concat(buffers), position),
      sync: async () => {
        await this.#turn();
        this.#check('sync');
        this.#change();
      },
      truncate: async (length) => {
        await this.#turn();
        this.#check('truncate');
        this.#change();
        const bytes = this.#get(path);
        this.room += bytes.length - length;
        this.files.set(name, bytes.subarray(0, length));
      },
      close: () => Promise.resolve(),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn();
    this.#change();
    const bytes = this.#get(from);
    this.files.set(basename(to), bytes);
    this.files.delete(basename(from));
  }

  async remove(path: string): Promise<void> {
    await this.#turn();
    this.#check('remove');
    this.#change();
    this.room += this.files.get(basename(path))?.length ?? 0;
    this.files.delete(basename(path));
  }

  async syncFolder(): Promise<void> {
    await this.#turn();
    this.#check('syncFolder');
  }

  createExclusive(path: string, text: string): Promise<{ written: Promise<void> } | undefined> {
    if (this.files.has(basename(path))) return Promise.resolve(undefined);
    this.files.set(basename(path), Buffer.from(text));
    return Promise.resolve({ written: Promise.resolve() });
  }

  readText(path: string): Promise<{ text: string; modified: number } | undefined> {
    const bytes = this.files.get(basename(path));
    return Promise.resolve(bytes && { text: bytes.toString(), modified: 0 });
  }

  touch(): Promise<void> {
    return Promise.resolve();
  }

  async #write(name: string, bytes: Buffer, position: number): Promise<number> {
    await this.#turn();
    this.#check('write');
    const old = this.files.get(name) ?? Buffer.alloc(0);
    const put = (length: number) => {
      const end = Math.max(old.length, position + length);
      const file = Buffer.alloc(end);
      old.copy(file);
      bytes.copy(file, position, 0, length);
      this.files.set(name, file);
    };
    this.lastWritten = name;
    this.#change(put);
    const length = Math.min(bytes.length, this.room);
    if (length === 0 && bytes.length > 0) throw new DiskError('ENOSPC');
    put(length);
    this.room -= length;
    return length;
  }

  #change(part: (bytes: number) => void = () => undefined): void {
    this.onChange?.(this.changes++, part);
  }

  #check(call: keyof Faults): void {
    const code = this.faults[call];
    if (code !== undefined) throw new DiskError(code);
  }

  #get(path: string): Buffer {
    const bytes = this.files.get(basename(path));
    if (!bytes) throw new DiskError('ENOENT');
    return bytes;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
