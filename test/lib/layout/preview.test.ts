import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import { type LayoutPreview, type LayoutSettings, previewOf } from '../../../lib/layout';
import { S3BatchError } from '../../../lib/errors';
import { BATCH, WELD_TEXT, WELD_TOPIC, WELDING } from './welding';

const ARRIVAL = Date.UTC(2020, 0, 2, 3, 4, 5);

function preview(
  settings: Partial<LayoutSettings>,
  topic: string,
  payload: string | Buffer = WELD_TEXT,
): LayoutPreview {
  return previewOf(settings, { topic, payload: Buffer.from(payload) }, ARRIVAL, BATCH);
}

describe('the preview of a layout', () => {
  it('tells the place of a message', () => {
    assert.deepEqual(preview(WELDING, WELD_TOPIC), {
      bucket: 'plant-7',
      bucketRow: 1,
      objectName: 'dt=2018-10-01/20181001T171035Z-20181001T171035Z-01J9Z.ndjson.gz',
      series: 'WELDING-STATION-12/WELD/1',
      time: '2018-10-01T17:10:35.000Z',
      key: 'WELDING-STATION-12/WELD/1/20181001 171035',
      levels: {
        ROOT: 'ACME',
        FORMAT: 'JSON',
        COMPRESSED: 'NONE',
        'PLANT-ID': 'PLANT-7',
        'DEVICE-ID': 'WELDING-STATION-12',
        'MSG-TYPE': 'WELD',
        'MSG-VERSION': '1',
      },
      notes: [],
    });
  });

  it('tells which row decides, and when none does', () => {
    const buckets = [
      { topic: 'a/#', bucket: 'first-bucket' },
      { topic: '+/b', bucket: '{{topic}}' },
    ];
    assert.equal(preview({ buckets }, 'a/b').bucketRow, 1);
    assert.equal(preview({ buckets }, 'x/b').bucketRow, 2);
    const byTopic = preview({ buckets }, 'x/y/Z');
    assert.equal(byTopic.bucketRow, undefined);
    assert.equal(byTopic.bucket, 'x-y-z');
    assert.deepEqual(byTopic.notes, []);
  });

  it('tells what is out of the ordinary', () => {
    assert.deepEqual(preview(WELDING, 'other').notes, ['unmatchedBucket']);
    assert.equal(preview(WELDING, 'other').bucket, 'unmatched');
    const fixed = { ...WELDING, buckets: [{ topic: '#', bucket: 'one-bucket' }] };
    assert.deepEqual(preview(fixed, 'other').notes, ['unmatchedTopic']);

    const timeless = preview(WELDING, WELD_TOPIC, '{}');
    assert.deepEqual(timeless.notes, ['arrivalTime']);
    assert.equal(timeless.time, '2020-01-02T03:04:05.000Z');
    assert.deepEqual(preview(WELDING, WELD_TOPIC, 'x').notes, ['notJson', 'arrivalTime']);
    const byField = { ...WELDING, key: 'payload.line/time' };
    assert.deepEqual(preview(byField, WELD_TOPIC).notes, ['fieldMissing']);

    const zipped = WELD_TOPIC.replace('NONE', 'GZIP');
    assert.deepEqual(preview(WELDING, zipped, gzipSync(WELD_TEXT)).notes, ['decompressed']);
    assert.deepEqual(preview(WELDING, zipped, WELD_TEXT).notes, ['notDecompressed']);
  });

  it('tells a bucket that had to be changed, by its topic or by a payload field', () => {
    assert.deepEqual(preview({}, 'a b/c').notes, ['bucketChanged']);
    const buckets = [{ topic: '#', bucket: 'line-{{payload.line}}' }];
    const changed = preview({ buckets }, 't', '{"line":"ü"}');
    assert.deepEqual(changed.notes, ['bucketChanged']);
    assert.match(changed.bucket, /^line-[0-9a-f]{8}$/);
    assert.deepEqual(preview({ buckets }, 't', '{"line":"L 1"}').notes, ['bucketChanged']);
    assert.deepEqual(preview({ buckets }, 't', '{"line":"L1"}').notes, []);
  });

  it('refuses settings as the layout does', () => {
    assert.throws(
      () => preview({ objectName: 'x' }, 't'),
      (error) => error instanceof S3BatchError && error.code === 'LAYOUT_INVALID',
    );
  });
});
