import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';

/** An open file. */
export interface JournalFile {
  /** Reads up to `length` bytes from `position` to `target` at `offset`; answers how many, 0 at the end. */
  read(target: Buffer, offset: number, length: number, position: number): Promise<number>;
  /** Writes at `position`; answers how many bytes were written, which may be fewer than all. */
  write(buffers: readonly Buffer[], position: number): Promise<number>;
  /** Returns once the file's data, and its length, are on disk. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export type OpenMode = 'read' | 'create' | 'create-synced' | 'change';

/** The port to the disk: what fails in the real one can be made to fail in tests. Failures are thrown as they come. */
export interface FileSystem {
  /** Makes the folder, which only its owner may enter, and those above it; false when it was there. */
  makeFolder(path: string): Promise<boolean>;
  /** Names in a folder. */
  list(folder: string): Promise<string[]>;
  /** Bytes of a file. */
  size(path: string): Promise<number>;
  /**
   * @param mode to read; to make it, empty, for its owner only; the same, and each write is to be synced: a system that can
   * do both in one step does; to change what is there
   */
  open(path: string, mode: OpenMode): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is removed already. */
  remove(path: string): Promise<void>;
  /** Makes what was added to or removed from a folder last; does nothing where the platform cannot. */
  syncFolder(folder: string): Promise<void>;
  /** Makes a file with this text: answers once the file is there, and `written` once its text is. Undefined when there is one. */
  createExclusive(path: string, text: string): Promise<{ written: Promise<void> } | undefined>;
  /** A file's text and when it was last changed or touched, ms since 1970; undefined when it is not there. */
  readText(path: string): Promise<{ text: string; modified: number } | undefined>;
  /** Sets when the file was last changed to now. */
  touch(path: string): Promise<void>;
}

const OWNER_ONLY = 0o600;
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
/** Others have no such flag, or, as macOS, leave with it what a power cut takes from the drive's cache. */
const CAN_WRITE_SYNCED = process.platform === 'linux';
const FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  create: CREATE,
  'create-synced': CAN_WRITE_SYNCED ? CREATE | constants.O_DSYNC : CREATE,
  change: constants.O_RDWR,
};

/** The `code` of what Node's file functions throw. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

class RealFile implements JournalFile {
  /** @param isSynced all that was written is on disk */
  constructor(
    private readonly handle: FileHandle,
    private isSynced: boolean,
  ) {}

  async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
    return (await this.handle.read(target, offset, length, position)).bytesRead;
  }

  async write(buffers: readonly Buffer[], position: number): Promise<number> {
    return (await this.handle.writev(buffers, position)).bytesWritten;
  }

  async sync(): Promise<void> {
    if (!this.isSynced) await this.handle.datasync();
  }

  truncate(length: number): Promise<void> {
    this.isSynced = false;
    return this.handle.truncate(length);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

async function writeAndClose(handle: FileHandle, text: string): Promise<void> {
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

export const nodeFileSystem: FileSystem = {
  async makeFolder(path) {
    return (await mkdir(path, { recursive: true, mode: 0o700 })) !== undefined;
  },
  list: (folder) => readdir(folder),
  size: async (path) => (await stat(path)).size,
  async open(path, mode) {
    const isSynced = mode === 'create-synced' && CAN_WRITE_SYNCED;
    return new RealFile(await open(path, FLAGS[mode], OWNER_ONLY), isSynced);
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncFolder(folder) {
    // Windows opens no folders, and makes such changes last by itself.
    if (process.platform === 'win32') return;
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } catch (error) {
      // Some network file systems know no sync of folders.
      if (systemCode(error) !== 'EINVAL') throw error;
    } finally {
      await handle.close();
    }
  },
  async createExclusive(path, text) {
    let handle: FileHandle;
    try {
      handle = await open(path, 'wx', OWNER_ONLY);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return undefined;
      throw error;
    }
    return { written: writeAndClose(handle, text) };
  },
  async readText(path) {
    try {
      const text = await readFile(path, 'utf8');
      return { text, modified: (await stat(path)).mtimeMs };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  async touch(path) {
    const now = new Date();
    await utimes(path, now, now);
  },
};
