/** The object format: records to bytes and back. Pure: it knows no store. docs/object-format.md is its specification. */
export { type BlockEntry, type ObjectSummary, readAttributes } from './attributes';
export { encodeObject, type EncodedObject, type EncodeOptions } from './encode';
export {
  type Compression,
  contentTypeOf,
  DEFAULT_BLOCK_SIZE,
  extensionOf,
  FORMAT_VERSION,
  type KeyFormat,
  type ObjectFormat,
  SIDECAR_SUFFIX,
} from './format';
export {
  bodyStart,
  type FramedPayload,
  frameOverhead,
  type Framing,
  toLine,
  unframe,
  writeFrame,
} from './framing';
export { type Directory, type PageEntry, parseDirectory } from './directory';
export { type Block, DEFAULT_MAX_BLOCK, type IndexLimits, IndexPage } from './index-page';
export { openRange, readRecords, type StoredRecord } from './read-records';
export { type Records, type Source } from './records';
export {
  DEFAULT_MAX_INDEX,
  type IndexLocation,
  inflateIndex,
  joinIndexMembers,
  MAX_INDEX_RECORDS,
  readTrailer,
  type Trailer,
  TRAILER_LENGTH,
} from './tail';
