import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import type { Fault } from './faults';
import type { Reply } from './reply';
import type { Stats } from './stats';

/** Pieces in which a slowed body goes out, a second. */
const SLOW_TICKS = 20;

async function* bodyOf(reply: Reply, length: number): AsyncGenerator<Buffer> {
  if (length === 0) return;
  if (reply.file === undefined) {
    yield reply.body?.subarray(0, length) ?? Buffer.alloc(0);
    return;
  }
  const { handle, start } = reply.file;
  const stream = handle.createReadStream({ start, end: start + length - 1, autoClose: false });
  for await (const piece of stream) yield piece as Buffer;
}

async function* slowed(pieces: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const step = Math.max(1, Math.floor(bytesPerSecond / SLOW_TICKS));
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += step) {
      await sleep((step / bytesPerSecond) * 1000);
      yield piece.subarray(at, at + step);
    }
  }
}

/** Writes with back-pressure; stops when the client is gone. */
async function write(out: Writable, pieces: AsyncIterable<Buffer>, stats: Stats): Promise<void> {
  for await (const piece of pieces) {
    if (out.destroyed) return;
    stats.bytesSent += piece.length;
    await new Promise<void>((resolve) => {
      out.once('close', resolve);
      out.write(piece, () => {
        out.off('close', resolve);
        resolve();
      });
    });
  }
}

/** Sends a reply and closes its file. HEAD gets the headers only. */
export async function send(
  response: ServerResponse,
  reply: Reply,
  options: { head: boolean; fault: Fault | undefined; stats: Stats },
): Promise<void> {
  const { head, fault, stats } = options;
  try {
    const length = reply.file?.length ?? reply.body?.length ?? 0;
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    if (reply.status !== 204 && reply.status !== 304) response.setHeader('content-length', length);
    if (fault?.kind === 'headers') {
      for (const [name, value] of Object.entries(fault.headers)) {
        if (value === undefined) response.removeHeader(name);
        else response.setHeader(name, value);
      }
    }
    response.writeHead(reply.status);
    if (head) {
      response.end();
      return;
    }
    if (fault?.kind === 'torn') {
      response.flushHeaders();
      await write(response, bodyOf(reply, Math.min(fault.bytes ?? length >>> 1, length)), stats);
      response.destroy();
      return;
    }
    const pieces = bodyOf(reply, length);
    await write(response, fault?.kind === 'slow' ? slowed(pieces, fault.bytesPerSecond) : pieces, stats);
    response.end();
  } finally {
    await reply.file?.handle.close();
  }
}
