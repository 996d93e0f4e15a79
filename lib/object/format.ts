import type { Framing } from './framing';

/** Version of the object format; a reader refuses objects of a later one. */
export const FORMAT_VERSION = 1;

/** Added to the name of an object that is not compressed: the object that holds its offset index. */
export const SIDECAR_SUFFIX = '.index.gz';

/** Bytes of a block before compression, unless the writer is told otherwise. */
export const DEFAULT_BLOCK_SIZE = 128 * 1024;

export type Compression = 'gzip' | 'none';

/** How offset keys are put together from what an index holds. */
export interface KeyFormat {
  /** Names of the key's parts, joined by `/`, such as `DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp`. */
  template: string;
  /** Which of the parts (from 0) is the record time; -1: none. */
  timePart: number;
  /** Format of the time: `iso`, `epoch-s`, `epoch-ms` or a pattern of Unicode TR 35 letters. */
  timeFormat: string;
  /** IANA name of the time zone that the format is meant in. */
  timeZone: string;
}

/** What applies to every record of an object. */
export interface ObjectFormat {
  framing: Framing;
  compression: Compression;
  key: KeyFormat;
  /** Identity of the batch that the object was made from. */
  batch: string;
}

/** Ending of an object's name, by which tools know what it holds. */
export function extensionOf(framing: Framing, compression: Compression): string {
  return (framing === 'newline' ? '.ndjson' : '.bin') + (compression === 'gzip' ? '.gz' : '');
}

/** Content-Type of an object. There is never a Content-Encoding: with one, clients decompress ranges on their own. */
export function contentTypeOf(framing: Framing, compression: Compression): string {
  if (compression === 'gzip') return 'application/gzip';
  return framing === 'newline' ? 'application/x-ndjson' : 'application/octet-stream';
}
