import { messageOf, S3BatchError } from '../errors';
import { SIDECAR_SUFFIX } from '../object';
import type { ObjectStore } from '../store/object-store';
import type { SealedBatch, StoredObject } from './sealed-batch';

/** One sealed batch on its way into the store. */
export interface Upload {
  readonly batch: SealedBatch;
  /** Resolves when it is stored; with undefined when this process gave it up. Never rejects. */
  readonly stored: Promise<StoredObject | undefined>;
  failures: number;
  /** Why the last attempt failed. */
  error?: S3BatchError;
}

export interface UploadEvents {
  stored(object: StoredObject, batch: SealedBatch): void;
  /** An attempt failed; it will be repeated after `pauseMs`. */
  failed(error: S3BatchError, upload: Upload, pauseMs: number): void;
}

/**
 * Stores a sealed and encoded batch.
 * @throws S3BatchError
 */
export async function upload(store: ObjectStore, batch: SealedBatch): Promise<StoredObject> {
  try {
    return await put(store, batch);
  } catch (error) {
    if (error instanceof S3BatchError) throw error;
    throw new S3BatchError('STORE_REFUSED', `the upload failed: ${messageOf(error)}`, { cause: error });
  }
}

async function put(store: ObjectStore, batch: SealedBatch): Promise<StoredObject> {
  const { encoded, bucket, key } = batch;
  if (!encoded) throw new Error('not encoded');
  // The index goes first: an object that can be seen has its index.
  if (encoded.sidecar) {
    await store.put(bucket, key + SIDECAR_SUFFIX, encoded.sidecar, {
      contentType: 'application/gzip',
      attributes: {},
    });
  }
  const { contentType, attributes } = encoded;
  const { etag } = await store.put(bucket, key, encoded.body, { contentType, attributes });
  return {
    bucket,
    key,
    etag,
    bytes: encoded.body.length,
    payloadBytes: batch.payloadBytes,
    count: batch.count,
    first: batch.first,
    last: batch.last,
    batch: batch.id,
    trigger: batch.trigger,
  };
}
