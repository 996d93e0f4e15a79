import assert from 'node:assert/strict';

import { type ErrorCode, S3BatchError } from '../../../lib/errors';
import {
  type EncodedObject,
  inflateIndex,
  joinIndexMembers,
  type ObjectFormat,
  OffsetIndex,
  openRange,
  readRecords,
  readTrailer,
  type StoredRecord,
} from '../../../lib/object';
import type { TestRecord } from '../../support/records';

/** A format as the layout of the weld records gives it. */
export const FORMAT: ObjectFormat = {
  framing: 'newline',
  compression: 'gzip',
  key: {
    template: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    timePosition: 3,
    timeFormat: 'yyyyMMdd HHmmss',
    timeZone: 'UTC',
  },
  batch: '01cqt4w8p0k3jx5m7n9q',
};

type Stored = Pick<EncodedObject, 'body' | 'sidecar'>;

/** The index's JSON, found from the object's end or in its sidecar, as a reader without attributes finds it. */
export async function indexBytesOf({ body, sidecar }: Stored): Promise<{ json: Buffer; dataLength: number }> {
  if (sidecar) {
    const size = sidecar.length >= 4 ? sidecar.readUInt32LE(sidecar.length - 4) : 0;
    return { json: await inflateIndex(sidecar, size), dataLength: body.length };
  }
  const trailer = readTrailer(body.subarray(-200), body.length);
  const members = body.subarray(trailer.offset, trailer.offset + trailer.length);
  const compressed = joinIndexMembers(members, trailer.checksum);
  return { json: await inflateIndex(compressed, trailer.size), dataLength: trailer.offset };
}

export async function indexOf(object: Stored): Promise<OffsetIndex> {
  const { json, dataLength } = await indexBytesOf(object);
  return new OffsetIndex(json, dataLength);
}

/** All records of an object, block by block. */
export async function readAll(body: Buffer, index: OffsetIndex): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (const block of index.blocks) {
    const bytes = body.subarray(block.offset, block.offset + block.length);
    const places = Array.from({ length: block.records }, (_, n) => block.first + n);
    records.push(...readRecords(index, block, await openRange(index.compression, block.size, bytes), places));
  }
  return records;
}

/** Records in the order that an object has to have: by series (UTF-8 bytes), time, arrival. */
export function inOrder(list: readonly TestRecord[]): TestRecord[] {
  return list
    .map((record, arrival) => ({ record, arrival, series: Buffer.from(record.series) }))
    .sort(
      (a, b) => Buffer.compare(a.series, b.series) || a.record.time - b.record.time || a.arrival - b.arrival,
    )
    .map(({ record }) => record);
}

export function isErrorWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof S3BatchError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

export function throwsWith(code: ErrorCode, work: () => unknown): void {
  assert.throws(work, isErrorWith(code));
}

export async function rejectsWith(code: ErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, isErrorWith(code));
}
