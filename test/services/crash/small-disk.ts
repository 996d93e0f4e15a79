import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SIZE = 8 * 1024 * 1024;

/** A folder that can be without room for processes that write there; the kernel refuses, not a stand-in. */
export interface SmallDisk {
  readonly folder: string;
  /** No more room, for these processes at least. */
  fill(pids: readonly number[]): Promise<void>;
  free(pids: readonly number[]): Promise<void>;
  remove(): Promise<void>;
}

/** What this machine lets us do. */
export type Means = 'a file system of 8 MiB' | 'a limit of file sizes, since nothing may be mounted here';

/** To be asked when tests are named: they tell by what means. */
export function meansOfSmallDisk(): Means {
  const folder = mkdtempSync(path.join(tmpdir(), 's3-batch-mount-'));
  try {
    execFileSync('mount', mountArguments(folder), { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return 'a file system of 8 MiB';
  } catch {
    return 'a limit of file sizes, since nothing may be mounted here';
  } finally {
    rmdirSync(folder);
  }
}

export async function makeSmallDisk(means: Means): Promise<SmallDisk> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-disk-'));
  return means === 'a file system of 8 MiB' ? mounted(folder) : limited(folder);
}

async function mounted(folder: string): Promise<SmallDisk> {
  await run('mount', mountArguments(folder));
  const filler = path.join(folder, 'filler');
  return {
    folder,
    fill: () => writeUntilFull(filler),
    free: () => rm(filler),
    remove: async () => {
      await run('umount', [folder]);
      await rm(folder, { recursive: true });
    },
  };
}

function limited(folder: string): SmallDisk {
  const limit = async (pids: readonly number[], bytes: string): Promise<void> => {
    for (const pid of pids) await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
  };
  return {
    folder,
    fill: (pids) => limit(pids, '0'),
    free: (pids) => limit(pids, 'unlimited'),
    remove: () => rm(folder, { recursive: true }),
  };
}

function mountArguments(folder: string): string[] {
  return ['-t', 'tmpfs', '-o', `size=${SIZE}`, 's3-batch-test', folder];
}

async function writeUntilFull(file: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    // In small pieces at the end: nothing else may find room.
    for (const piece of [64 * 1024, 4096, 1]) {
      while (await hasRoom(handle.write(Buffer.alloc(piece))));
    }
  } finally {
    await handle.close();
  }
}

async function hasRoom(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
