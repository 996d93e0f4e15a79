import { S3BatchError } from '../errors';

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
  /** Every record that matched was a duplicate. */
  skippedAsDuplicates: number;
  matching: number;
  /** Records that match, without the duplicates that were left out. */
  records: number;
  /** Records that are like another one in everything but their content, which decides; 0 unless duplicates are dropped. */
  candidates: number;
  /** Records that were left out. */
  duplicates: number;
  /** Objects that could not be read; buckets that could not be listed, with an empty key. */
  failed: { bucket: string; key: string; code: string; message: string }[];
}

export function noProgress(): QueryProgress {
  return {
    listed: 0,
    skippedByName: 0,
    foreignNames: 0,
    skippedByAttributes: 0,
    skippedByIndex: 0,
    skippedAsDuplicates: 0,
    matching: 0,
    records: 0,
    candidates: 0,
    duplicates: 0,
    failed: [],
  };
}

/** Failures of one object, which do not end a query over many. */
const OF_ONE_OBJECT: ReadonlySet<string> = new Set([
  'OBJECT_FOREIGN',
  'OBJECT_VERSION',
  'OBJECT_CORRUPT',
  'OBJECT_TOO_LARGE',
  'OBJECT_CHANGED',
  'OBJECT_MISSING',
  'RANGE_INVALID',
]);

/** Whether an error is about one object only, so that the others can still be read. */
export function concernsOneObject(error: unknown): error is S3BatchError {
  return error instanceof S3BatchError && OF_ONE_OBJECT.has(error.code);
}

/** Failures of one bucket, which do not end a query over all of them: others may have buckets of this store, too. */
const OF_ONE_BUCKET: ReadonlySet<string> = new Set(['ACCESS_DENIED', 'BUCKET_MISSING', 'STORE_REFUSED']);

/** Whether an error is about one bucket only, so that the others can still be read. */
export function concernsOneBucket(error: unknown): error is S3BatchError {
  return error instanceof S3BatchError && OF_ONE_BUCKET.has(error.code);
}

export function tellFailure(
  progress: QueryProgress,
  { bucket, key }: { bucket: string; key: string },
  { code, message }: S3BatchError,
): void {
  progress.failed.push({ bucket, key, code, message });
}

/**
 * Does what concerns one object. A failure of this object alone is told in the progress; then there is no result.
 * @param isItsOwn whether a failure is such a one
 */
export async function attempt<T>(
  progress: QueryProgress,
  object: { bucket: string; key: string },
  work: () => Promise<T>,
  isItsOwn = concernsOneObject,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isItsOwn(error)) throw error;
    tellFailure(progress, object, error);
    return undefined;
  }
}
