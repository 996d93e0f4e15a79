/** How far a query has come. */
export interface QueryProgress {
  /** Objects whose names were seen. */
  listed: number;
  /** Not asked further, since the name says that nothing can match. */
  skippedByName: number;
  /** Names under the prefix that the layout does not make. */
  foreignNames: number;
  /** Index not read, since the attributes say that nothing can match. */
  skippedByAttributes: number;
  /** Index read, nothing matched. */
  skippedByIndex: number;
  matching: number;
  /** Records that match. */
  records: number;
  /** Objects that could not be read. */
  failed: { bucket: string; key: string; code: string; message: string }[];
}

export function noProgress(): QueryProgress {
  return {
    listed: 0,
    skippedByName: 0,
    foreignNames: 0,
    skippedByAttributes: 0,
    skippedByIndex: 0,
    matching: 0,
    records: 0,
    failed: [],
  };
}
