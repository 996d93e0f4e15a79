import type { Layout } from '../layout';
import type { Compression, Framing, Records } from '../object';
import type { ObjectStore } from '../store/object-store';
import type { JournalSettings } from './batch-journal';

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

/** What decides which objects a batch's records become: batches go on over a change of the rest. */
export interface ObjectSettings {
  layout: Layout;
  framing: Framing;
  compression: Compression;
  /** Most bytes of a block before compression. */
  blockSize: number;
  /** Name of this writer for object names. */
  instance: string;
}

export interface BatchWriterSettings extends ObjectSettings {
  store: ObjectStore;
  limits: SealLimits;
  /** Uploads at a time. */
  uploads: number;
  /** Most bytes of memory that open and unstored batches may hold together; what is on disk may go beyond it. */
  memory: number;
  /** Keeps batches on disk until they are stored; without it they are in memory only. */
  journal?: JournalSettings | undefined;
  /** Makes 8 bytes a record of each batch that is stored, in the order of arrival. */
  digest?: ((records: Records, framing: Framing) => Promise<Buffer>) | undefined;
}

/** Whether records become the same objects under both. */
export function makeSameObjects(a: ObjectSettings, b: ObjectSettings): boolean {
  return (
    a.layout.id === b.layout.id &&
    a.framing === b.framing &&
    a.compression === b.compression &&
    a.blockSize === b.blockSize &&
    a.instance === b.instance
  );
}
