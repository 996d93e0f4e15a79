/**
 * What is remembered of a record besides its bytes, its topic and its time: a set of these bits, kept in the
 * batch and written to the offset index (docs/object-format.md gives the same numbers).
 */
export const RecordFlag = {
  /** The line is a JSON string that holds the payload's UTF-8 text. */
  TEXT: 1,
  /** The line is a JSON string that holds the payload's bytes in base64. */
  BASE64: 2,
  /** Line breaks between the payload's JSON tokens were replaced by spaces; the index keeps where they were. */
  FOLDED: 4,
  /** The payload gave no usable time, so the record has the time of its arrival. */
  ARRIVAL_TIME: 8,
  /** The topic does not fit the layout; the record was stored under the fallback name. */
  UNMATCHED_TOPIC: 16,
  /** The payload came as gzip and is stored decompressed. */
  GUNZIPPED: 32,
  /** The payload came in the zlib format and is stored decompressed. */
  INFLATED: 64,
  /** The topic says that the payload is compressed, but it could not be decompressed; stored as it came. */
  NOT_DECOMPRESSED: 128,
  /** A payload field that the key or the object name asks for is missing; its place is empty. */
  FIELD_MISSING: 256,
} as const;
