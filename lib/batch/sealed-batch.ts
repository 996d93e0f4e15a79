import type { Compression, EncodedObject, Framing, KeyFormat } from '../object';
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
  /** The records, until they are encoded. */
  records: OpenBatch | undefined;
  /** The object, once it is encoded. */
  encoded?: EncodedObject;
}

/** Bytes of memory, measured, of a sealed batch besides its records; its attributes may take 2 KB of them. */
const MEMORY = 6 * 1024;

/** Bytes of memory that a sealed batch holds. */
export function heldBytes({ encoded, records }: SealedBatch): number {
  if (encoded) return MEMORY + encoded.body.length + (encoded.sidecar?.length ?? 0);
  return MEMORY + (records?.allocated ?? 0);
}
