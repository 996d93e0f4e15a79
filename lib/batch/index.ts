/** From messages to stored objects: batches by destination, the triggers that seal them, uploads that do not give up. */
export { BatchWriter, type WriterEvents } from './batch-writer';
export type { JournalSettings } from './batch-journal';
export type { SafeAt } from './early-records';
export type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
export type { Settled } from './settled';
export type { BatchWriterSettings, ObjectSettings, SealLimits } from './settings';
export type { OpenBatchState, WriterCounts } from './state';
export type { Upload, UploadEvents } from './upload';
export type { Recovery } from './writer-journal';
