import { mulberry32 } from './random';

/** A weld spot as it stands in the payload; fields, units and ranges are in docs/welding-plant.md. */
export interface WeldSpot {
  Timestamp: string;
  SpotId: number;
  Voltage: number;
  Current: number;
  Resistance: number;
  Force: number;
  DurationMs: number;
  ElectrodeWear: number;
  Quality: 'OK' | 'NOK';
}

/** Spots of a part that a station welds one after the other. */
const SPOTS = 20;
/** °C around which the hall swings in a day, by so many; it is warmest at 15:00 UTC. */
const HALL = { mean: 24, swing: 6, warmest: 15 };
/** What becomes of the resistance with each degree above the mean: warm sheets and electrodes touch better. */
const RESISTANCE_PER_DEGREE = -0.004;

/**
 * A welding gun with a character of its own. What it does is plausible, not exact: its electrode caps widen with every
 * spot until they are dressed, so the resistance falls and the controller raises the current; worn caps weld badly more
 * often, and what is welded badly stands out in resistance and voltage.
 */
export class WeldStation {
  readonly name: string;
  readonly #random: () => number;
  readonly #firstSpot: number;
  readonly #current: number;
  readonly #resistance: number;
  readonly #force: number;
  readonly #duration: number;
  readonly #dressedAfter: number;
  /** How the sheets at each spot differ from the others. */
  readonly #sheets: number[];
  #wear: number;
  #spots = 0;

  constructor(
    readonly plant: string,
    number: number,
    seed: number,
  ) {
    this.name = `WELDING-STATION-${number}`;
    // Neighbouring seeds give like first numbers: the character comes from further on.
    this.#random = mulberry32(Math.imul(seed + 1, 0x9e3779b1));
    this.#firstSpot = 10_000 + (((number - 1) * SPOTS) % 10_000);
    this.#current = this.#between(8.6, 10.8);
    this.#resistance = this.#between(122, 158);
    this.#force = this.#between(2.3, 3.1);
    this.#duration = this.#between(285, 370);
    this.#dressedAfter = Math.round(this.#between(600, 3000));
    this.#sheets = Array.from({ length: SPOTS }, () => this.#between(0.98, 1.02));
    this.#wear = Math.floor(this.#random() * this.#dressedAfter);
  }

  /** Welds the next spot. @param time ms since 1970 */
  weld(time: number): WeldSpot {
    const wear = this.#wear / this.#dressedAfter;
    const isBad = this.#random() < 0.008 + 0.024 * wear;
    // Either metal splashes out, and there is less to hold the force against, or the sheets gape.
    const splashes = isBad && this.#random() < 0.6;
    const spot = this.#spots % SPOTS;
    const current = round(this.#current * (1 + 0.09 * wear) * this.#noise(0.008), 2);
    const resistance = round(
      this.#resistance *
        (this.#sheets[spot] ?? 1) *
        (1 - 0.12 * wear) *
        (1 + RESISTANCE_PER_DEGREE * hallAboveMean(time)) *
        (isBad ? (splashes ? 0.8 : 1.22) : 1) *
        this.#noise(0.012),
      1,
    );
    const weldspot: WeldSpot = {
      Timestamp: timestamp(time),
      SpotId: this.#firstSpot + spot,
      Voltage: round((current * resistance) / 1000, 3),
      Current: current,
      Resistance: resistance,
      Force: round(this.#force * (splashes ? 0.9 : 1) * this.#noise(0.01), 2),
      DurationMs: Math.round(this.#duration * (1 + 0.05 * wear) * this.#noise(0.004)),
      ElectrodeWear: this.#wear,
      Quality: isBad ? 'NOK' : 'OK',
    };
    this.#spots++;
    this.#wear = this.#wear + 1 < this.#dressedAfter ? this.#wear + 1 : 0;
    return weldspot;
  }

  #between(low: number, high: number): number {
    return low + this.#random() * (high - low);
  }

  /** A factor around 1, twice the share away from it at most. */
  #noise(share: number): number {
    return 1 + share * 2 * (this.#random() + this.#random() - 1);
  }
}

/** °C */
function hallAboveMean(time: number): number {
  const hour = (time / 3_600_000) % 24;
  return HALL.swing * Math.cos(((hour - HALL.warmest) / 12) * Math.PI);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** `yyyyMMdd HHmmss`, UTC. */
function timestamp(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', ' ');
}
