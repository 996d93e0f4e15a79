import { join } from 'node:path';

import { HEADER_LENGTH, segmentName } from './format';
import type { JournalFile } from './file-system';

/** What a batch has in a segment: bytes of entries, all of them within `[from, to)`. */
export interface Share {
  bytes: number;
  from: number;
  to: number;
}

/** One file of the journal, and who has entries in it. */
export class Segment {
  /** Bytes that are committed. */
  bytes = HEADER_LENGTH;
  /** What batches have here that are not forgotten on disk. */
  readonly living = new Map<number, Share>();
  /** Batches whose forgetting stands here and nowhere else. */
  readonly forgets = new Set<number>();
  /** Reads under way. */
  readers = 0;
  /** Bytes in it could not be read: it is never deleted, for whoever may make something of it. */
  isDamaged = false;

  constructor(readonly number: number) {}

  get name(): string {
    return segmentName(this.number);
  }

  path(folder: string): string {
    return join(folder, this.name);
  }

  addLiving(batch: number, bytes: number, from: number, to: number): void {
    const share = this.living.get(batch);
    if (share && share.to > 0) {
      share.bytes += bytes;
      share.to = Math.max(share.to, to);
    } else this.living.set(batch, { bytes, from, to });
  }
}

/** How far apart the two copies of an entry are at least: one unreadable sector should not cost both. */
const APART = 4096;
const BOTH_WRITTEN = -1;

/**
 * Which entries that others cannot do without, those of batches and sources, are in a segment. They stand at the
 * first entry that needs them, so that each segment can be read without the others; and once more further on, so
 * that damage to one does not cost all records that need it.
 */
export class Copies {
  /** Per batch: for its own entry and then for each source, where the first copy is, or BOTH_WRITTEN. */
  readonly #of = new Map<number, (number | undefined)[]>();
  /** Those of the batch that was asked for last: most entries are of the same batch as the one before. */
  #lastBatch = -1;
  #last: (number | undefined)[] = [];

  /** Whether the entry of a batch is to be written at `position`, and notes that it is. */
  needsBatch(batch: number, position: number): boolean {
    return this.#needs(batch, 0, position);
  }

  needsSource(batch: number, source: number, position: number): boolean {
    return this.#needs(batch, source + 1, position);
  }

  #needs(batch: number, place: number, position: number): boolean {
    const places = batch === this.#lastBatch ? this.#last : this.#placesOf(batch);
    const first = places[place];
    if (first === BOTH_WRITTEN || (first !== undefined && position - first < APART)) return false;
    while (places.length < place) places.push(undefined);
    places[place] = first === undefined ? position : BOTH_WRITTEN;
    return true;
  }

  #placesOf(batch: number): (number | undefined)[] {
    let places = this.#of.get(batch);
    if (!places) {
      places = [];
      this.#of.set(batch, places);
    }
    this.#lastBatch = batch;
    this.#last = places;
    return places;
  }
}

/** Writes all of `buffers` at `position`; a disk may take fewer bytes at a time. */
export async function writeAll(
  file: JournalFile,
  buffers: readonly Buffer[],
  position: number,
): Promise<void> {
  let rest = buffers;
  let at = position;
  while (rest.length > 0) {
    let written = await file.write(rest, at);
    if (written === 0) throw new Error('the disk took no bytes');
    at += written;
    let whole = 0;
    for (; whole < rest.length && written >= (rest[whole]?.length ?? 0); whole++) {
      written -= rest[whole]?.length ?? 0;
    }
    const cut = rest[whole]?.subarray(written);
    rest = cut ? [cut, ...rest.slice(whole + 1)] : [];
  }
}
