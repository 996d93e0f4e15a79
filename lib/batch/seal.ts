import { extensionOf } from '../object';
import type { OpenBatch } from './open-batch';
import type { SealedBatch, Trigger } from './sealed-batch';
import type { ObjectSettings } from './settings';

/** The name that the object of a batch has when it is sealed as it is now. */
export function objectName(batch: OpenBatch, { framing, compression, instance }: ObjectSettings): string {
  return batch.layout.objectName(batch.destination, {
    first: batch.first,
    last: batch.last,
    count: batch.count,
    batch: batch.id,
    instance,
    extension: extensionOf(framing, compression),
  });
}

/** What is uploaded of a batch that takes no more records. */
export function seal(batch: OpenBatch, trigger: Trigger, objects: ObjectSettings): SealedBatch {
  const { framing, compression, blockSize } = objects;
  const { onDisk } = batch;
  return {
    id: batch.id,
    bucket: batch.destination.bucket,
    key: objectName(batch, objects),
    count: batch.count,
    first: batch.first,
    last: batch.last,
    payloadBytes: batch.bytes,
    trigger,
    framing,
    compression,
    blockSize,
    keyFormat: batch.layout.keyShape,
    records: batch,
    ...(onDisk && { onDisk }),
  };
}

/**
 * Whether a flush of a destination means an object.
 * @param destination a bucket, or a bucket and the beginning of the objects' names (`plant-7/dt=2018-10-01`); none: all
 */
export function isIn(destination: string | undefined, bucket: string, key: string): boolean {
  if (destination === undefined) return true;
  const [wantedBucket, ...beginning] = destination.split('/');
  return wantedBucket === bucket && key.startsWith(beginning.join('/'));
}
