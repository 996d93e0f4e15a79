/** From messages to stored objects: batches by destination, the triggers that seal them, uploads that do not give up. */
export {
  BatchWriter,
  type BatchWriterSettings,
  type OpenBatchState,
  type SealLimits,
  type WriterCounts,
} from './batch-writer';
export type { Settled } from './open-batch';
export type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
export type { Upload, UploadEvents } from './upload-queue';
