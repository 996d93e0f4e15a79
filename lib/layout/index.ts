export { type BatchName, MAX_NAME_BYTES } from './object-name';
export {
  type BucketRow,
  DEFAULT_LAYOUT,
  type LayoutSettings,
  type PartitionUnit,
  type TimeSettings,
} from './settings';
export { bucketName } from './bucket-name';
export { isBucketName } from './bucket-rules';
export { type Destination, Placement, type TopicInfo } from './placement';
export { type KeyShape, offsetKey } from './offset-key';
export { Layout } from './layout';
export { MAX_JSON_DEPTH } from './json-scanner';
export { MAX_PARTITIONS, type NamePrefix, type QueryFields } from './layout-query';
export { MAX_TIME } from './calendar';
export type { ParsedName } from './object-name-parser';
export { type Partition, partitionAt } from './partition';
export type { LayoutPreview, PreviewNote } from './layout-preview';
export { previewOf } from './preview';
export type { TimeSpan } from './time-span';
export { TopicFilter } from './topic-filter';
