import type { Layout } from '../layout';
import type { Compression, Framing } from '../object';
import type { ObjectStore } from '../store/object-store';

/** When a batch is sealed, whichever comes first; 0 switches a limit off. */
export interface SealLimits {
  /** Records. */
  count: number;
  /** Bytes of records with their frames, before compression. */
  bytes: number;
  /** Milliseconds since the batch was opened. */
  age: number;
  /** Milliseconds since its last record. */
  idle: number;
}

export interface BatchWriterSettings {
  layout: Layout;
  store: ObjectStore;
  limits: SealLimits;
  framing: Framing;
  compression: Compression;
  /** Most bytes of a block before compression. */
  blockSize: number;
  /** Uploads at a time. */
  uploads: number;
  /** Most bytes of memory that open and unstored batches may hold together. */
  memory: number;
  /** Name of this writer for object names. */
  instance: string;
}
