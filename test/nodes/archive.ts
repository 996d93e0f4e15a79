import { gunzipSync } from 'node:zlib';

import type { NodeMessage } from 'node-red';

import { SIDECAR_SUFFIX } from '../../lib/object';
import { EVERYTHING, fetchRecords, headObject, matchObject } from '../../lib/query';
import type { ObjectStore } from '../../lib/store/object-store';

/** A record as it lies in the store. */
export interface ArchivedRecord {
  object: string;
  topic: string;
  payload: Buffer;
  time: number;
  key: string;
  /** `RecordFlag` bits. */
  flags: number;
}

export interface ArchivedObject {
  key: string;
  bytes: Buffer;
  attributes: Record<string, string>;
}

/** All objects of a bucket, by name. */
export async function objectsIn(store: ObjectStore, bucket: string): Promise<ArchivedObject[]> {
  const found: ArchivedObject[] = [];
  for await (const page of store.list(bucket)) {
    for (const { key, size } of page.objects) {
      const { bytes, attributes } = await store.getRange(bucket, key, { offset: 0, length: size });
      found.push({ key, bytes, attributes });
    }
  }
  return found;
}

/** All records of all objects of a bucket, by their index. */
export async function recordsIn(store: ObjectStore, bucket: string): Promise<ArchivedRecord[]> {
  const found: ArchivedRecord[] = [];
  for (const { key: object } of await objectsIn(store, bucket)) {
    if (object.endsWith(SIDECAR_SUFFIX)) continue;
    const match = await matchObject(store, await headObject(store, bucket, object), EVERYTHING);
    for await (const records of fetchRecords(store, [match])) {
      for (const { topic, payload, time, key, flags } of records)
        found.push({ object, topic, payload, time, key, flags });
    }
  }
  return found;
}

/** The lines of an object as any tool for gzip and NDJSON reads them. */
export function linesOf({ bytes }: ArchivedObject): string[] {
  const text = gunzipSync(bytes).toString('utf8');
  return text.split('\n').slice(0, -1);
}

/** A weld message of a plant, welded at this time. */
export function weld(
  plant: string,
  device: string,
  time: string,
  more: object = {},
): { topic: string; payload: Buffer } {
  const payload = { weldspot: { Timestamp: time, Quality: 'OK', ...more } };
  return {
    topic: `ROOT/JSON/NONE/${plant}/${device}/WELD/1`,
    payload: Buffer.from(JSON.stringify(payload)),
  };
}

/** The payload of a message that s3-batch-out sends for a stored object. */
export interface StoredPayload {
  bucket: string;
  key: string;
  etag: string;
  bytes: number;
  payloadBytes: number;
  count: number;
  first: string;
  last: string;
  batch: string;
  trigger: string;
}

export function storedIn(message: NodeMessage | undefined): StoredPayload {
  return message?.payload as StoredPayload;
}
