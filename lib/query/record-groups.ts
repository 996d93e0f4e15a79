import { randomBytes } from 'node:crypto';

import type { Entry } from './match';

const FIRST_SLOTS = 1024;
const FREE = -1;

/**
 * Numbers records by what they share: those of one series, topic, time and length have the same number. About 30 bytes
 * for each number: a hash table in typed arrays, since most numbers will ever have one record, and objects in a Map
 * would take several times that.
 */
export class RecordGroups {
  /** Numbers in use, from 0 on. */
  count = 0;
  readonly #sources = new Map<string, Map<string, number>>();
  #sourceCount = 0;
  /** By hash the number that stands there, with open addressing; never more than half full. */
  #slots: Int32Array = new Int32Array(FIRST_SLOTS).fill(FREE);
  #source: Uint32Array = new Uint32Array(FIRST_SLOTS / 2);
  #time: Float64Array = new Float64Array(FIRST_SLOTS / 2);
  #length: Uint32Array = new Uint32Array(FIRST_SLOTS / 2);
  /** Whoever writes an archive must not choose which records meet in the table. */
  readonly #seed = randomBytes(4).readUInt32LE();
  /** A time, and the two words that it is made of. */
  readonly #double = new Float64Array(1);
  readonly #words = new Int32Array(this.#double.buffer);

  /**
   * The number of a record; the next one when there was none like it.
   * @param length as far as it tells anything: records of other framings have other lengths for the same payload
   */
  numberOf({ series, topic, time }: Pick<Entry, 'series' | 'topic' | 'time'>, length: number): number {
    return this.#numberOf(this.#sourceOf(series, topic), time, length);
  }

  #numberOf(source: number, time: number, length: number): number {
    let slot = this.#slotOf(source, time, length);
    for (let number = this.#at(slot); number !== FREE; number = this.#at(slot)) {
      if (this.#source[number] === source && this.#time[number] === time && this.#length[number] === length)
        return number;
      slot++;
    }
    return this.#add(slot, source, time, length);
  }

  /** Forgets lengths. @returns per number the one that its records have from now on */
  withoutLengths(): Uint32Array {
    const source = this.#source.subarray(0, this.count);
    const time = this.#time.subarray(0, this.count);
    this.count = 0;
    this.#slots.fill(FREE);
    // Numbers become fewer, so that none is written over before it is read.
    return source.map((own, number) => this.#numberOf(own, time[number] ?? 0, 0));
  }

  #add(slot: number, source: number, time: number, length: number): number {
    const number = this.count++;
    this.#source[number] = source;
    this.#time[number] = time;
    this.#length[number] = length;
    this.#slots[slot & (this.#slots.length - 1)] = number;
    if (this.count === this.#source.length) this.#grow();
    return number;
  }

  #at(slot: number): number {
    return this.#slots[slot & (this.#slots.length - 1)] ?? FREE;
  }

  #grow(): void {
    this.#source = grown(this.#source);
    this.#time = grown(this.#time);
    this.#length = grown(this.#length);
    this.#slots = new Int32Array(this.#slots.length * 2).fill(FREE);
    for (let number = 0; number < this.count; number++) {
      let slot = this.#slotOf(this.#source[number] ?? 0, this.#time[number] ?? 0, this.#length[number] ?? 0);
      while (this.#at(slot) !== FREE) slot++;
      this.#slots[slot & (this.#slots.length - 1)] = number;
    }
  }

  /** Where to begin to look: the mixing of MurmurHash3, 32 bits, word by word. */
  #slotOf(source: number, time: number, length: number): number {
    this.#double[0] = time;
    let hash = mix(this.#seed, source);
    hash = mix(hash, this.#words[0] ?? 0);
    hash = mix(hash, this.#words[1] ?? 0);
    hash = mix(hash, length);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & 0x3fffffff;
  }

  #sourceOf(series: string, topic: string): number {
    let topics = this.#sources.get(series);
    if (!topics) this.#sources.set(series, (topics = new Map<string, number>()));
    let source = topics.get(topic);
    if (source === undefined) topics.set(topic, (source = this.#sourceCount++));
    return source;
  }
}

function mix(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** The same numbers, with room for as many more. */
export function grown<T extends Uint16Array | Uint32Array | Int32Array | Float64Array>(column: T): T {
  const larger = new (column.constructor as new (length: number) => T)(column.length * 2);
  larger.set(column);
  return larger;
}
