import { gzipSync } from 'node:zlib';

import { mulberry32 } from './random';
import { WeldStation } from './weld-station';

export { mulberry32 } from './random';

/** One weld spot as a station publishes it. */
export interface WeldMessage {
  topic: string;
  payload: Buffer;
  plant: string;
  station: string;
  /** When it was welded, ms since 1970; whole seconds. */
  time: number;
  /** Delivered a day after it was welded. */
  late: boolean;
  gzip: boolean;
  /** Published before, with the same topic and payload. */
  duplicate: boolean;
}

export interface WeldOptions {
  /** Spots; messages that are published twice come on top. */
  count: number;
  plants?: number;
  stations?: number;
  /** Time of the first spot, ms since 1970. */
  start?: number;
  /** Seconds that the spots are spread over. */
  seconds?: number;
  seed?: number;
  /** Percent of the stations that deliver what they welded a day before; any above 0 is one station at least. */
  late?: number;
  /** Percent of the messages whose payload is gzipped, as their topic tells. */
  gzip?: number;
  /** Percent of the messages that are published twice. */
  duplicates?: number;
}

const DAY = 24 * 3600 * 1000;
/** How many other messages come before a message is published again. */
const REPEATED_AFTER = 50;

/**
 * Weld spots of several plants and stations, in the order of their time but for late ones; the same for the same seed,
 * whatever is late, gzipped or published twice. Fields, units and ranges stand in docs/welding-plant.md.
 */
export function* weldMessages(options: WeldOptions): Generator<WeldMessage> {
  const { gzip = 0, duplicates = 0, seed = 1 } = options;
  const gzipped = chance(gzip, seed + 1);
  const repeated = chance(duplicates, seed + 2);
  const again: { message: WeldMessage; at: number }[] = [];
  let n = 0;
  for (const plain of spots(options)) {
    const message = gzipped() ? compressed(plain) : plain;
    yield message;
    if (repeated()) again.push({ message: { ...message, duplicate: true }, at: n + REPEATED_AFTER });
    while (again[0] && again[0].at <= n) yield* again.splice(0, 1).map((one) => one.message);
    n++;
  }
  for (const { message } of again) yield message;
}

function* spots(options: WeldOptions): Generator<WeldMessage> {
  const {
    count,
    plants = 3,
    stations = 20,
    start = Date.UTC(2018, 9, 1, 17, 10, 35),
    seconds = 600,
    seed = 1,
    late = 0,
  } = options;
  const random = mulberry32(seed);
  const all = weldStations(plants, stations, seed);
  const isLate = lateStations(all.length, late, seed);
  for (let n = 0; n < count; n++) {
    const index = Math.floor(random() * all.length);
    const own = all[index];
    if (!own) continue;
    const time = start + Math.floor((n * seconds) / count) * 1000 - (isLate.has(index) ? DAY : 0);
    const { plant, name: station } = own;
    yield {
      topic: `ROOT/JSON/NONE/${plant}/${station}/WELD/1`,
      payload: Buffer.from(JSON.stringify({ weldspot: own.weld(time) })),
      plant,
      station,
      time,
      late: isLate.has(index),
      gzip: false,
      duplicate: false,
    };
  }
}

function weldStations(plants: number, stations: number, seed: number): WeldStation[] {
  return Array.from({ length: plants * stations }, (_, index) => {
    const plant = 1 + Math.floor(index / stations);
    return new WeldStation(`PLANT-${plant}`, 1 + (index % stations), seed * 1000 + index);
  });
}

/** Numbers of the stations that are late. */
function lateStations(stations: number, percent: number, seed: number): Set<number> {
  const random = mulberry32(seed + 3);
  const shuffled = Array.from({ length: stations }, (_, index) => ({ index, rank: random() }));
  shuffled.sort((a, b) => a.rank - b.rank);
  return new Set(shuffled.slice(0, Math.ceil((stations * percent) / 100)).map(({ index }) => index));
}

/** True in so many percent of the calls. */
function chance(percent: number, seed: number): () => boolean {
  const random = mulberry32(seed);
  return () => random() * 100 < percent;
}

function compressed(message: WeldMessage): WeldMessage {
  return {
    ...message,
    topic: message.topic.replace('/NONE/', '/GZIP/'),
    payload: gzipSync(message.payload),
    gzip: true,
  };
}
