import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { S3BatchError } from '../errors';

/** Compresses off the main thread into one gzip member. */
export const gzip: (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer> = promisify(zlib.gzip);

/**
 * Compresses into one gzip member after another, off the main thread. What a compressor needs, 268 kB, is allocated once:
 * with a new one for each block, that took the main thread longer than gathering the block's bytes. The same members one after
 * another are the same bytes each time; a single one may be other bytes than those of `gzip`, for what was compressed before.
 */
export class GzipMembers {
  readonly #stream: zlib.Gzip & zlib.ZlibReset;
  #chunks: Buffer[] = [];

  constructor(options: zlib.ZlibOptions) {
    // Each write is a whole member. The types do not know that this stream, too, has `reset`.
    const whole = { ...options, flush: zlib.constants.Z_FINISH };
    this.#stream = zlib.createGzip(whole) as zlib.Gzip & zlib.ZlibReset;
    this.#stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    // The write that failed tells its caller; an error that nobody listens to would end the process.
    this.#stream.on('error', () => undefined);
  }

  /** One member at a time: the next one begins when this one is there. */
  async compress(bytes: Uint8Array): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    this.#stream.reset();
    const chunks = this.#chunks;
    this.#chunks = [];
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#stream.close();
  }
}

const gunzipAsync: (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer> = promisify(zlib.gunzip);

/**
 * Decompresses gzip members off the main thread to exactly `size` bytes.
 * @throws OBJECT_CORRUPT when they hold more, fewer, or no valid gzip data; no more than `size` bytes are ever taken.
 */
export async function gunzip(bytes: Uint8Array, size: number, what: string): Promise<Buffer> {
  let plain: Buffer;
  try {
    plain = await gunzipAsync(bytes, { maxOutputLength: Math.max(size, 1) });
  } catch (error) {
    throw new S3BatchError('OBJECT_CORRUPT', `${what} is not valid gzip of ${size} bytes`, { cause: error });
  }
  if (plain.length !== size) {
    throw new S3BatchError('OBJECT_CORRUPT', `${what} holds ${plain.length} bytes where ${size} are said`);
  }
  return plain;
}

/** Most bytes that one subfield of a gzip member's extra field can hold (XLEN is 16 bits, 4 go to its head). */
export const MAX_SUBFIELD = 65_531;

const HEAD = 16; // 10 fixed bytes, XLEN, then SI1 SI2 LEN
const TAIL = 10; // an empty final deflate block, CRC-32 and ISIZE of nothing
/** Bytes that an empty gzip member needs around its subfield's data. */
export const EMPTY_MEMBER_OVERHEAD = HEAD + TAIL;

/**
 * An empty gzip member (RFC 1952) that carries `data` in an extra subfield: decompressors read nothing from it,
 * so a file may hold it anywhere between other members.
 * @param id the two ASCII characters of the subfield
 */
export function emptyMember(id: string, data: Uint8Array): Buffer {
  if (data.length > MAX_SUBFIELD) throw new RangeError(`subfield of ${data.length} bytes`);
  const member = Buffer.alloc(HEAD + data.length + TAIL);
  member.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255]);
  member.writeUInt16LE(data.length + 4, 10);
  member.write(id, 12, 2, 'latin1');
  member.writeUInt16LE(data.length, 14);
  member.set(data, HEAD);
  member.set([3, 0], HEAD + data.length);
  return member;
}

/**
 * Takes apart an empty member that `emptyMember` made.
 * @returns its data and the offset behind it, or undefined when there is no such member at `offset`.
 */
export function readEmptyMember(
  bytes: Buffer,
  offset: number,
  id: string,
): { data: Buffer; end: number } | undefined {
  if (offset + EMPTY_MEMBER_OVERHEAD > bytes.length) return undefined;
  if (
    bytes.readUInt32BE(offset) !== 0x1f8b0804 ||
    bytes.toString('latin1', offset + 12, offset + 14) !== id
  ) {
    return undefined;
  }
  const length = bytes.readUInt16LE(offset + 14);
  const end = offset + HEAD + length + TAIL;
  if (bytes.readUInt16LE(offset + 10) !== length + 4 || end > bytes.length) return undefined;
  if (bytes[end - TAIL] !== 3 || bytes.subarray(end - TAIL + 1, end).some((byte) => byte !== 0))
    return undefined;
  return { data: bytes.subarray(offset + HEAD, offset + HEAD + length), end };
}
