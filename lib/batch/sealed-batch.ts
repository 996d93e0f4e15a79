import type { Compression, EncodedObject, Framing, KeyFormat } from '../object';
import type { BatchOnDisk } from './batch-on-disk';
import type { OpenBatch } from './open-batch';

/** What sealed a batch. */
export type Trigger =
  | 'count'
  | 'bytes'
  | 'age'
  | 'idle'
  | 'flush'
  /** The memory of all batches, their number, or the size of one batch's offset index came near its limit. */
  | 'memory'
  /** A broker sends nothing more before records of the batch are acknowledged. */
  | 'window'
  /** A former process left it open, and it cannot go on with the settings of now. */
  | 'recovered'
  /** The node was stopped, removed, or deployed with other settings. */
  | 'close';

/** A batch as its users see it once it is stored. */
export interface StoredObject {
  bucket: string;
  key: string;
  etag: string;
  /** Size of the object. */
  bytes: number;
  /** Bytes of its payloads with their frames, before compression. */
  payloadBytes: number;
  count: number;
  /** Earliest and latest record time, ms since 1970. */
  first: number;
  last: number;
  batch: string;
  trigger: Trigger;
}

/** A batch that takes no more records; its object's name is settled, so a repeated upload writes the same object. */
export interface SealedBatch {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  readonly payloadBytes: number;
  readonly trigger: Trigger;
  readonly framing: Framing;
  readonly compression: Compression;
  readonly keyFormat: KeyFormat;
  readonly blockSize: number;
  /** The records, until they are encoded or are on disk only. */
  records: OpenBatch | undefined;
  /** The object, once it is encoded, unless it is on disk only. */
  encoded?: EncodedObject;
  /** 8 bytes a record in the order of arrival, where the writer was asked for them. */
  digests?: Buffer;
  readonly onDisk?: BatchOnDisk;
}

/** Bytes of memory, measured, of a sealed batch besides its records; its attributes may take 2 KB of them. */
const MEMORY = 6 * 1024;

/** Bytes of memory that a sealed batch holds. */
export function heldBytes({ encoded, records, digests }: SealedBatch): number {
  const aside = MEMORY + (digests?.length ?? 0);
  if (encoded) return aside + encoded.body.length + (encoded.sidecar?.length ?? 0);
  return aside + (records?.allocated ?? 0);
}
