import { type Layout, type LayoutSettings, Placement } from '../../../lib/layout';

/** The layout of a plant full of welding stations. */
export const WELDING: Partial<LayoutSettings> = {
  topic: 'ROOT/FORMAT/COMPRESSED/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION',
  time: { source: 'field', field: 'weldspot.Timestamp', format: 'yyyyMMdd HHmmss', zone: 'UTC' },
  key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
  buckets: [{ topic: '#', bucket: '{{PLANT-ID}}' }],
};
export const WELD_TOPIC = 'ACME/JSON/NONE/PLANT-7/WELDING-STATION-12/WELD/1';
export const WELD_TIME = Date.UTC(2018, 9, 1, 17, 10, 35);
export const WELD_TEXT = '{"weldspot":{"Timestamp":"20181001 171035","Line":"L1","Current":11.5}}';

/** Where a message goes that arrives at 1,600,000,000,000 ms. */
export function placed(layout: Layout, topic: string, payload: string | Buffer, arrival = 1.6e12): Placement {
  const placement = new Placement();
  layout.resolve(topic, typeof payload === 'string' ? Buffer.from(payload) : payload, arrival, placement);
  return placement;
}

export const BATCH = {
  first: WELD_TIME,
  last: WELD_TIME + 61_000,
  count: 1234,
  batch: '01J9Z',
  instance: 'edge-1',
  extension: '.ndjson.gz',
};
