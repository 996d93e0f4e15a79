/** The product without Node-RED: batches into object storage, and single records back out of it. */
export * from './batch';
export * from './errors';
export * from './layout';
export * from './object';
export * from './query';
export { RecordFlag } from './record';
export type * from './store/object-store';
export { S3Store, type S3StoreOptions } from './store/s3-store';
