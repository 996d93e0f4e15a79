/** From messages to stored objects: batches by destination, the triggers that seal them, uploads that do not give up. */
export { BatchWriter } from './batch-writer';
export type { SealedBatch, StoredObject, Trigger } from './sealed-batch';
export type { Settled } from './settled';
export type { BatchWriterSettings, SealLimits } from './settings';
export type { OpenBatchState, WriterCounts } from './state';
export type { Upload, UploadEvents } from './upload';
