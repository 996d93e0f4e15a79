import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Makes a folder's entries durable. Windows cannot open folders, and needs no such thing. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a new file and makes its content durable; its name is durable after `syncFolder`. */
export async function writeDurably(file: string, content: string | AsyncIterable<Buffer>): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    if (typeof content === 'string') await handle.writeFile(content);
    else for await (const piece of content) await handle.writeFile(piece);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(file, { force: true });
    throw error;
  }
  await handle.close();
}

/** Replaces a file: after a crash there is the old content or the new one, never a part. */
export async function replaceDurably(file: string, content: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeDurably(temporary, content);
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}
