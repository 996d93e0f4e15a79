import { mulberry32 } from '../demo/weld-messages';
import type { Layout } from '../lib/layout';
import { Placement } from '../lib/layout';
import { encodeObject, extensionOf, type Records, type Source } from '../lib/object';
import type { ObjectStore } from '../lib/store/object-store';

/** Records of an object, stations of the plant, and objects of a day: 10 million records in 1,000 objects are 30 days. */
export const RECORDS = 10_000;
export const STATIONS = 20;
const OBJECTS_IN_30_DAYS = 1000;
export const DAY = 24 * 3600 * 1000;
export const START = Date.UTC(2018, 9, 1);

/** Objects made and stored at a time: gzip has its own threads, and some wait for the store. */
const AT_A_TIME = 3;
const FORMAT = { framing: 'newline', compression: 'gzip' } as const;

/** Number of the first object of a day. */
function firstOf(day: number): number {
  return Math.ceil((day * OBJECTS_IN_30_DAYS) / 30);
}

/** Stores the objects of an archive that are not there yet. Object by object it is the same in every run. */
export async function buildArchive(
  store: ObjectStore,
  layout: Layout,
  bucket: string,
  objects: number,
): Promise<{ built: number }> {
  const there = new Set<string>();
  for await (const page of store.list(bucket)) {
    for (const { key } of page.objects) there.add(batchIn(key));
  }
  let next = 0;
  let built = 0;
  const work = async (): Promise<void> => {
    while (next < objects) {
      const number = next++;
      if (there.has(batchOf(number))) continue;
      await putObject(store, layout, number);
      built++;
      if (built % 50 === 0) console.error(`  ${built} objects stored, up to number ${number} of ${objects}`);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return { built };
}

/** The identity of a batch, which its object's name ends in. */
function batchOf(number: number): string {
  return `bench${String(number).padStart(15, '0')}`;
}

function batchIn(key: string): string {
  return /bench\d{15}(?=\.)/.exec(key)?.[0] ?? '';
}

async function putObject(store: ObjectStore, layout: Layout, number: number): Promise<void> {
  const { records, placement, first, last } = makeRecords(layout, number);
  const { destination } = placement;
  const batch = batchOf(number);
  const { body, attributes, contentType } = await encodeObject(records, {
    ...FORMAT,
    key: layout.keyShape,
    batch,
  });
  const extension = extensionOf(FORMAT.framing, FORMAT.compression);
  const name = { first, last, count: records.count, batch, instance: 'bench', extension };
  const key = layout.objectName(destination, name);
  await store.put(destination.bucket, key, body, { contentType, attributes });
}

/** The weld spots of one object: its share of a day, each station in turn, up to a minute late. */
function makeRecords(layout: Layout, number: number) {
  let day = 0;
  while (firstOf(day + 1) <= number) day++;
  const share = DAY / (firstOf(day + 1) - firstOf(day));
  const start = START + day * DAY + (number - firstOf(day)) * share;
  const end = START + (day + 1) * DAY - 1000;
  const random = mulberry32(number + 1);
  const time = new Float64Array(RECORDS);
  const offset = new Uint32Array(RECORDS + 1);
  const lines: string[] = [];
  for (let record = 0; record < RECORDS; record++) {
    const late = random() * 60_000;
    time[record] = Math.floor(Math.min(end, start + (record * share) / RECORDS + late) / 1000) * 1000;
    const line = weldLine(stationOf(record), time[record] ?? 0, random);
    offset[record + 1] = (offset[record] ?? 0) + line.length;
    lines.push(line);
  }
  const bytes = Buffer.from(lines.join(''), 'latin1');
  const sources: Source[] = Array.from({ length: STATIONS }, (_, station) => ({
    topic: `ROOT/JSON/NONE/PLANT-7/${stationOf(station)}/WELD/1`,
    series: `${stationOf(station)}/WELD/1`,
  }));
  const records: Records = {
    count: RECORDS,
    sources,
    time: (record) => time[record] ?? 0,
    length: (record) => (offset[record + 1] ?? 0) - (offset[record] ?? 0),
    source: (record) => record % STATIONS,
    flags: () => 0,
    lineBreaks: () => undefined,
    copy: (record, target, at) => void bytes.copy(target, at, offset[record], offset[record + 1]),
  };
  const placement = new Placement();
  const payload = bytes.subarray(0, (offset[1] ?? 1) - 1);
  layout.resolve(sources[0]?.topic ?? '', payload, start, placement);
  const first = time.reduce((least, one) => Math.min(least, one), Infinity);
  const last = time.reduce((most, one) => Math.max(most, one), -Infinity);
  return { records, placement, first, last };
}

function stationOf(record: number): string {
  return `WELDING-STATION-${1 + (record % STATIONS)}`;
}

/** One spot with its line break: ASCII, so that its length is its bytes. */
function weldLine(station: string, time: number, random: () => number): string {
  const stamp = new Date(time).toISOString();
  const date = `${stamp.slice(0, 4)}${stamp.slice(5, 7)}${stamp.slice(8, 10)}`;
  const clock = `${stamp.slice(11, 13)}${stamp.slice(14, 16)}${stamp.slice(17, 19)}`;
  const current = 800 + Math.floor(random() * 400);
  const resistance = 1100 + Math.floor(random() * 600);
  return (
    `{"weldspot":{"Station":"${station}","Timestamp":"${date} ${clock}","SpotId":${10_000 + Math.floor(random() * 400)},` +
    `"Voltage":${Math.round((current * resistance) / 1000) / 1000},"Current":${current / 100},` +
    `"Resistance":${resistance / 10},"Force":${(220 + Math.floor(random() * 100)) / 100},` +
    `"DurationMs":${280 + Math.floor(random() * 120)},"ElectrodeWear":${Math.floor(random() * 3000)},` +
    `"Quality":"${random() < 0.98 ? 'OK' : 'NOK'}"}}\n`
  );
}
