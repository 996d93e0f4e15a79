import { FlowRunner } from '../support/node-red-helper';
import { startTestStore, type TestStore } from '../support/embedded';
import { batchOut, connection, tab, weldingLayout } from '../support/flow';
import { objectsIn, weld } from './archive';

export const PLANTS = ['plant-a', 'plant-b'];
export const DEVICES = ['D1', 'D2'];
export const DAYS = ['20181001', '20181002'];
export const MINUTES = 10;

/** A weld record of the archive. */
export interface Spot {
  plant: string;
  device: string;
  /** ms since 1970. */
  time: number;
  key: string;
  topic: string;
  payload: string;
}

/** A store that s3-batch-out has filled: two plants with two devices each, two days, a spot a minute. */
export interface WeldingArchive extends TestStore {
  spots: Spot[];
  /** Names of the objects by bucket; one for each day. */
  names: Record<string, string[]>;
}

export async function startWeldingArchive(): Promise<WeldingArchive> {
  const embedded = await startTestStore();
  const flow = new FlowRunner();
  await flow.load([tab(), connection(embedded.server.url), weldingLayout(), batchOut({ blockSize: '1' })]);
  const spots: Spot[] = [];
  for (const plant of PLANTS) {
    await embedded.createBucket(plant);
    for (const day of DAYS)
      for (let minute = 0; minute < MINUTES; minute++)
        for (const device of DEVICES) {
          const text = `${day} 17${String(minute).padStart(2, '0')}00`;
          const record = weld(plant, device, text, { number: spots.length });
          flow.give('out', record);
          const date = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
          spots.push({
            plant,
            device,
            time: Date.parse(`${date}T17:${text.slice(11, 13)}:00Z`),
            key: `${device}/WELD/1/${text}`,
            topic: record.topic,
            payload: record.payload.toString(),
          });
        }
  }
  await flow.send('out', { flush: true });
  await flow.unload();
  flow.check();
  const names: Record<string, string[]> = {};
  for (const plant of PLANTS) names[plant] = (await objectsIn(embedded.store, plant)).map(({ key }) => key);
  return Object.assign(embedded, { spots, names });
}

/** What an upload leaves whose answer was lost, and that was repeated under another name: the same object twice. */
export async function copyTwice({ store }: TestStore, name: string, bucket: string): Promise<void> {
  const { bytes, attributes } = await store.getRange('plant-a', name, { offset: 0, length: 1e6 });
  const options = { contentType: 'application/gzip', attributes };
  await store.put(bucket, name, bytes, options);
  await store.put(bucket, name.replace(/[^-]{20}(?=\.ndjson)/, 'z'.repeat(20)), bytes, options);
}

/** Sorted as an object has them: by series and time, plant by plant and day by day. */
export function inOrder(spots: readonly Spot[]): Spot[] {
  const rank = ({ plant, time, key }: Spot): string =>
    `${plant} ${new Date(time).toISOString().slice(0, 10)} ${key}`;
  return spots.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
