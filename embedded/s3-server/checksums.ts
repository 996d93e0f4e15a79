import { createHash } from 'node:crypto';

/** What hashes a body piece by piece. */
export interface Hasher {
  update(bytes: Buffer): unknown;
  digest(encoding: 'base64'): string;
}

/** A CRC-32 by a table over one byte; `polynomial` is in reversed bit order. */
class Crc32 implements Hasher {
  readonly #table: Uint32Array;
  #value = 0xffffffff;

  constructor(polynomial: number) {
    this.#table = Uint32Array.from({ length: 256 }, (_, byte) => {
      let remainder = byte;
      for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? polynomial : 0);
      return remainder;
    });
  }

  update(bytes: Buffer): void {
    let value = this.#value;
    for (const byte of bytes) value = (value >>> 8) ^ (this.#table[(value ^ byte) & 0xff] ?? 0);
    this.#value = value >>> 0;
  }

  digest(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE((this.#value ^ 0xffffffff) >>> 0);
    return bytes.toString('base64');
  }
}

/** The checksum headers (or trailers) of S3 that are checked; others are taken as they come. */
export const CHECKSUMS: ReadonlyMap<string, () => Hasher> = new Map<string, () => Hasher>([
  ['x-amz-checksum-crc32', () => new Crc32(0xedb88320)],
  ['x-amz-checksum-crc32c', () => new Crc32(0x82f63b78)],
  ['x-amz-checksum-sha1', () => createHash('sha1')],
  ['x-amz-checksum-sha256', () => createHash('sha256')],
]);
