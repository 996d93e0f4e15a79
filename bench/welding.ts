import { BatchWriter, type BatchWriterSettings, type UploadEvents } from '../lib/batch';
import { Layout } from '../lib/layout';
import type { ObjectStore } from '../lib/store/object-store';

/** The welding plant's layout: key and record time from the payload, a bucket per plant. */
export const WELDING_LAYOUT = {
  topic: 'ROOT/FORMAT/COMPRESSED/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION',
  key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
  timeField: 'weldspot.Timestamp',
  timeFormat: 'yyyyMMdd HHmmss',
  buckets: [{ topic: 'ROOT/#', bucket: '{{PLANT-ID}}' }],
};

export function weldingLayout(): Layout {
  const { topic, key, timeField, timeFormat, buckets } = WELDING_LAYOUT;
  return new Layout({
    topic,
    key,
    buckets,
    time: { source: 'field', field: timeField, format: timeFormat, zone: 'UTC' },
  });
}

/** The nodes' defaults, but sealed by count alone. */
export function weldingSettings(store: ObjectStore, count: number): BatchWriterSettings {
  return {
    layout: weldingLayout(),
    store,
    limits: { count, bytes: 0, age: 0, idle: 0 },
    framing: 'newline',
    compression: 'gzip',
    blockSize: 128 * 1024,
    uploads: 4,
    memory: 1024 ** 3,
    instance: 'bench',
  };
}

export function weldingWriter(
  store: ObjectStore,
  count: number,
  events: Partial<UploadEvents> = {},
): BatchWriter {
  return new BatchWriter(weldingSettings(store, count), {
    stored: events.stored ?? (() => undefined),
    failed: (error) => {
      throw error;
    },
  });
}

/** A store that takes objects and forgets them. */
export class SinkStore implements Pick<ObjectStore, 'put'> {
  objects = 0;
  bytes = 0;

  put(_bucket: string, _key: string, body: Buffer): Promise<{ etag: string }> {
    this.objects++;
    this.bytes += body.length;
    return Promise.resolve({ etag: '"sink"' });
  }
}
