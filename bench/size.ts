import { gzipSync } from 'node:zlib';

import { encodeObject } from '../lib/object';
import { weldRecords, recordsOf } from '../test/support/records';
import { round } from './measure';
import { weldingLayout } from './welding';

const COUNT = 10_000;
const DEVICES = 20;

/** Bytes of an object with its index beside those of the same lines in one gzip stream. */
export async function size(): Promise<Record<string, unknown>> {
  const list = weldRecords(COUNT, DEVICES);
  const lines = Buffer.concat(list.flatMap(({ payload }) => [payload, Buffer.from('\n')]));
  const plain = gzipSync(lines, { level: 6 }).length;
  const object = await encodeObject(recordsOf(list, 'newline'), {
    framing: 'newline',
    compression: 'gzip',
    batch: '01abcdefghijklmnopqr',
    key: weldingLayout().keyShape,
  });
  return {
    records: COUNT,
    lineBytes: lines.length,
    gzipBytes: plain,
    objectBytes: object.body.length,
    indexBytes: object.indexLength,
    objectRatio: round(object.body.length / plain, 4),
    indexBytesPerRecord: round(object.indexLength / COUNT, 4),
  };
}
