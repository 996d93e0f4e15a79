/** From a question to records: which objects, which byte ranges, in how many requests; and fetching them. */
export { AttributeCache, attributeCacheOf } from './attribute-cache';
export {
  type FetchedRecord,
  fetchRecords,
  type FetchOptions,
  type FetchProgress,
  planRequests,
  type RangeRequest,
} from './fetch';
export { findObject, findObjects, type FindOptions, matchObject } from './find-objects';
export { type Entry, type MatchedBlock, type ObjectMatch } from './match';
export { noProgress, type QueryProgress } from './progress';
export { ALL_BUCKETS, EVERYTHING, filterOf, type Query, type QueryFilter } from './query';
export { DEFAULT_MERGE, type MergeLimits } from './ranges';
export { headObject, type HeadedObject, readIndex } from './read-index';
export { counted, noTraffic, requestsOf, type Traffic } from './traffic';
export { turnEvery } from './turns';
