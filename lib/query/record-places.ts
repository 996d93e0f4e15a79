import type { Entry, MatchedBlock, ObjectMatch } from './match';
import { grown } from './record-groups';

/** A block and the object that it lies in, without entries: what it takes to fetch a record again. */
export interface KeptBlock extends Omit<MatchedBlock, 'entries'> {
  object: ObjectMatch;
}

/** Where one record lies. */
export interface Place extends Pick<Entry, 'start' | 'length' | 'flags' | 'lineBreaks'> {
  block: KeptBlock;
}

const NONE = -1;
const FIRST_PLACES = 512;

/** Where records lie, in groups that are taken out whole; about 30 bytes a record. */
export class RecordPlaces {
  readonly #blocks: KeptBlock[] = [];
  readonly #lineBreaks = new Map<number, readonly number[]>();
  #count = 0;
  /** Per group its last place, per place the one before it. */
  #last: Int32Array = new Int32Array(FIRST_PLACES).fill(NONE);
  #before: Int32Array = new Int32Array(FIRST_PLACES);
  #block: Uint32Array = new Uint32Array(FIRST_PLACES);
  #start: Uint32Array = new Uint32Array(FIRST_PLACES);
  #length: Uint32Array = new Uint32Array(FIRST_PLACES);
  #flags: Uint16Array = new Uint16Array(FIRST_PLACES);

  add(group: number, block: KeptBlock, { start, length, flags, lineBreaks }: Omit<Place, 'block'>): void {
    if (this.#blocks.at(-1) !== block) this.#blocks.push(block);
    const place = this.#count++;
    if (place === this.#before.length) this.#grow();
    this.#block[place] = this.#blocks.length - 1;
    this.#start[place] = start;
    this.#length[place] = length;
    this.#flags[place] = flags;
    if (lineBreaks) this.#lineBreaks.set(place, lineBreaks);
    this.#append(group, place);
  }

  /** The places of a group, which has none from now on. */
  take(group: number): Place[] {
    const places: Place[] = [];
    for (let place = this.#lastOf(group); place !== NONE; place = this.#before[place] ?? NONE) {
      const block = this.#blocks[this.#block[place] ?? 0];
      if (!block) continue;
      const lineBreaks = this.#lineBreaks.get(place);
      places.push({
        block,
        start: this.#start[place] ?? 0,
        length: this.#length[place] ?? 0,
        flags: this.#flags[place] ?? 0,
        ...(lineBreaks && { lineBreaks }),
      });
    }
    if (places.length > 0) this.#last[group] = NONE;
    return places;
  }

  /** Makes groups into others. @param groups per group the one that it is part of from now on */
  regroup(groups: Uint32Array): void {
    const last = this.#last;
    this.#last = new Int32Array(last.length).fill(NONE);
    for (const [old, group] of groups.entries()) {
      let place = last[old] ?? NONE;
      while (place !== NONE) {
        const before = this.#before[place] ?? NONE;
        this.#append(group, place);
        place = before;
      }
    }
  }

  #append(group: number, place: number): void {
    this.#before[place] = this.#lastOf(group);
    while (group >= this.#last.length) {
      const { length } = this.#last;
      this.#last = grown(this.#last).fill(NONE, length);
    }
    this.#last[group] = place;
  }

  #lastOf(group: number): number {
    return this.#last[group] ?? NONE;
  }

  #grow(): void {
    this.#before = grown(this.#before);
    this.#block = grown(this.#block);
    this.#start = grown(this.#start);
    this.#length = grown(this.#length);
    this.#flags = grown(this.#flags);
  }
}
