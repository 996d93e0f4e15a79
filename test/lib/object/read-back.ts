import assert from 'node:assert/strict';

import { type ErrorCode, S3BatchError } from '../../../lib/errors';
import {
  type Directory,
  type EncodedObject,
  IndexPage,
  inflateIndex,
  joinIndexMembers,
  type ObjectFormat,
  openRange,
  parseDirectory,
  readRecords,
  readTrailer,
  type StoredRecord,
  type Trailer,
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

/** A page of an index before it is opened: its JSON, and where the blocks that it covers lie. */
export interface PageText {
  json: Buffer;
  offset: number;
  length?: number;
}

/** The directory, found from the object's end, as a reader without attributes finds it. */
export async function directoryOf(
  body: Buffer,
): Promise<{ directory: Directory; json: Buffer; trailer: Trailer }> {
  const trailer = readTrailer(body.subarray(-200), body.length);
  const end = trailer.offset + trailer.length;
  const compressed = joinIndexMembers(body.subarray(end - trailer.directoryLength, end), trailer.checksum);
  const json = await inflateIndex(compressed, trailer.directorySize);
  const directory = parseDirectory(json, trailer.offset, trailer.length - trailer.directoryLength);
  return { directory, json, trailer };
}

/** The pages of an object's index, found from its end or in its sidecar. */
export async function pageTextsOf({ body, sidecar }: Stored): Promise<PageText[]> {
  if (sidecar) {
    const size = sidecar.length >= 4 ? sidecar.readUInt32LE(sidecar.length - 4) : 0;
    const lines = (await inflateIndex(sidecar, size)).toString().split('\n').slice(0, -1);
    let offset = 0;
    return lines.map((line) => {
      const page = { json: Buffer.from(line), offset };
      offset = new IndexPage(page.json, page).end;
      return page;
    });
  }
  const { directory } = await directoryOf(body);
  return Promise.all(
    directory.pages.map(async ({ offset, length, records, indexOffset, indexLength, size }) => {
      const compressed = joinIndexMembers(body.subarray(indexOffset, indexOffset + indexLength));
      const json = await inflateIndex(compressed, size);
      if (new IndexPage(json, { offset, length }).count !== records) {
        throw new S3BatchError('OBJECT_CORRUPT', 'directory and page disagree');
      }
      return { json, offset, length };
    }),
  );
}

export async function indexOf(object: Stored): Promise<IndexPage[]> {
  return (await pageTextsOf(object)).map((page) => new IndexPage(page.json, page));
}

/** The one page of a small object's index. */
export async function pageOf(object: Stored): Promise<IndexPage> {
  const [page, ...others] = await indexOf(object);
  assert(page && others.length === 0);
  return page;
}

/** All records of an object, block by block. */
export async function readAll(body: Buffer, pages: readonly IndexPage[]): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (const page of pages) {
    for (const block of page.blocks) {
      const bytes = body.subarray(block.offset, block.offset + block.length);
      const places = Array.from({ length: block.records }, (_, n) => block.first + n);
      records.push(...readRecords(page, block, await openRange(page.compression, block.size, bytes), places));
    }
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
