/** One weld spot as a station publishes it. */
export interface WeldMessage {
  topic: string;
  payload: Buffer;
  plant: string;
  station: string;
  /** When it was welded, ms since 1970; whole seconds. */
  time: number;
}

export interface WeldOptions {
  count: number;
  plants?: number;
  stations?: number;
  /** Time of the first spot, ms since 1970. */
  start?: number;
  /** Seconds that the spots are spread over. */
  seconds?: number;
  seed?: number;
}

/**
 * Weld spots of several plants and stations, in the order of their time, the same for the same seed. Voltage in V,
 * current in kA, resistance in micro-ohm, force in kN, duration in ms, electrode wear in spots since it was dressed.
 */
export function* weldMessages(options: WeldOptions): Generator<WeldMessage> {
  const {
    count,
    plants = 3,
    stations = 20,
    start = Date.UTC(2018, 9, 1, 17, 10, 35),
    seconds = 600,
    seed = 1,
  } = options;
  const random = mulberry32(seed);
  const between = (low: number, high: number, digits: number): number =>
    Number((low + random() * (high - low)).toFixed(digits));
  for (let n = 0; n < count; n++) {
    const plant = `PLANT-${1 + Math.floor(random() * plants)}`;
    const station = `WELDING-STATION-${1 + Math.floor(random() * stations)}`;
    const time = start + Math.floor((n * seconds) / count) * 1000;
    const current = between(8, 12, 2);
    const resistance = between(110, 170, 1);
    const weldspot = {
      Timestamp: timestamp(time),
      SpotId: 10_000 + Math.floor(random() * 400),
      Voltage: Number(((current * resistance) / 1000).toFixed(3)),
      Current: current,
      Resistance: resistance,
      Force: between(2.2, 3.2, 2),
      DurationMs: between(280, 400, 0),
      ElectrodeWear: Math.floor(random() * 3000),
      Quality: random() < 0.98 ? 'OK' : 'NOK',
    };
    yield {
      topic: `ROOT/JSON/NONE/${plant}/${station}/WELD/1`,
      payload: Buffer.from(JSON.stringify({ weldspot })),
      plant,
      station,
      time,
    };
  }
}

/** `yyyyMMdd HHmmss`, UTC. */
function timestamp(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', ' ');
}

/** A small generator of pseudo-random numbers in [0, 1), by Tommy Ettinger, in the public domain. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
