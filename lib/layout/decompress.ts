import { gunzipSync, inflateSync } from 'node:zlib';

/** How payloads come, by what their topic's level says; its letters' case does not matter. */
export type Compression = 'none' | 'gzip' | 'zlib';

export function compressionOf(level: string | undefined): Compression {
  const name = level?.toLowerCase();
  return name === 'gzip' || name === 'zlib' ? name : 'none';
}

/** The payload decompressed, or undefined when it is no such data or would be longer than `limit` bytes. */
export function decompress(payload: Buffer, compression: 'gzip' | 'zlib', limit: number): Buffer | undefined {
  try {
    const options = { maxOutputLength: limit };
    return compression === 'gzip' ? gunzipSync(payload, options) : inflateSync(payload, options);
  } catch {
    return undefined;
  }
}
