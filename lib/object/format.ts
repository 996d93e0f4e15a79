import { S3BatchError } from '../errors';
import type { Framing } from './framing';

/** Version of the object format; a reader refuses objects of a later one. */
export const FORMAT_VERSION = 1;

/**
 * Checks the format version that an object claims.
 * @throws OBJECT_VERSION when it is later than this reader, OBJECT_CORRUPT when there is no such version
 */
export function checkVersion(version: number): void {
  if (version > FORMAT_VERSION) {
    throw new S3BatchError(
      'OBJECT_VERSION',
      `the object has format version ${version}; this reader knows ${FORMAT_VERSION}: update it`,
    );
  }
  if (version < 1) throw new S3BatchError('OBJECT_CORRUPT', `there is no format version ${version}`);
}

/** The last millisecond that a record time may have, 9999-12-31T23:59:59.999Z; the first is 0. */
export const MAX_TIME = 253_402_300_799_999;

/** Added to the name of an object that is not compressed: the object that holds its offset index. */
export const SIDECAR_SUFFIX = '.index.gz';

/** Bytes of a block before compression, unless the writer is told otherwise. */
export const DEFAULT_BLOCK_SIZE = 128 * 1024;

export type Compression = 'gzip' | 'none';

/** How offset keys are put together from what an index holds. */
export interface KeyFormat {
  /** Names of the key's parts, joined by `/`, such as `DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp`. */
  template: string;
  /**
   * Which of the parts is the record time: from 0 on, or counted from the end, -1 being the last; undefined when
   * keys have no time.
   */
  timePosition: number | undefined;
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
