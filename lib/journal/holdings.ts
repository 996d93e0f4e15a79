import type { Batch } from './batch';
import type { Segment, Share } from './segment';

/** A batch whose forgetting is on disk, and still matters there. */
interface Forgotten {
  /** Segments that still hold entries of it. */
  readonly segments: Set<Segment>;
  /** The segment that its forgetting stands in. */
  at: Segment;
}

/** What a group of entries brought to a segment. */
export interface Brought {
  /** Bytes per batch. */
  readonly bytes: ReadonlyMap<number, number>;
  readonly forgets: readonly number[];
  readonly seals: readonly number[];
}

/** Which batches have entries in which segments: what may be deleted, and what must not be lost with it. */
export class Holdings {
  /** All segments on disk, in the order of their numbers. */
  segments: Segment[] = [];
  /** Batches that are not forgotten on disk. */
  readonly batches = new Map<number, Batch>();
  readonly #forgotten = new Map<number, Forgotten>();

  /** Bytes on disk. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A group is committed at `[from, to)` of a segment. */
  bring(segment: Segment, { bytes, forgets, seals }: Brought, from: number, to: number): void {
    for (const [number, length] of bytes) {
      const batch = this.batches.get(number);
      if (!batch) continue;
      segment.addLiving(number, length, from, to);
      batch.segments.add(segment);
    }
    for (const number of seals) this.batches.get(number)?.letGoOfSources();
    for (const number of forgets) this.forget(number, segment);
  }

  /** Entries of batches may have come to disk in a segment though nothing says so: they are not read from there. */
  mayHold(segment: Segment, batches: Iterable<number>): void {
    for (const number of batches) {
      segment.addLiving(number, 0, 0, 0);
      this.batches.get(number)?.segments.add(segment);
    }
  }

  /** The forgetting of a batch is on disk in `at`. */
  forget(number: number, at: Segment): void {
    const batch = this.batches.get(number);
    if (batch) {
      this.batches.delete(number);
      for (const segment of batch.segments) segment.living.delete(number);
    }
    const known = this.#forgotten.get(number);
    const segments = batch?.segments ?? known?.segments;
    if (!segments || segments.size === 0) return;
    known?.at.forgets.delete(number);
    at.forgets.add(number);
    this.#forgotten.set(number, { segments, at });
  }

  /** Whether a batch has entries in segments, so that its forgetting must be written. */
  mayBeOnDisk(number: number): boolean {
    const segments = this.batches.get(number)?.segments ?? this.#forgotten.get(number)?.segments;
    return segments !== undefined && segments.size > 0;
  }

  /** Lets go of batches that were forgotten before anything of them came to disk. */
  dropUnwritten(): void {
    for (const [number, { isForgotten, segments }] of this.batches) {
      if (isForgotten && segments.size === 0) this.batches.delete(number);
    }
  }

  /** Bytes of entries of batches that are not forgotten. */
  livingBytes(segment: Segment): number {
    let sum = 0;
    for (const [number, { bytes }] of segment.living) {
      if (!this.batches.get(number)?.isForgotten) sum += bytes;
    }
    return sum;
  }

  /**
   * Whether nothing in a segment is needed any more but what it forgets.
   * @param inMemory count batches too that are forgotten in memory only, where the segment holds all there is of
   * them: deleting it is what forgets them then. A disk that is too full to be told gets its room back so.
   */
  isDead(segment: Segment, inMemory: boolean): boolean {
    for (const number of segment.living.keys()) {
      const batch = this.batches.get(number);
      if (batch && !(inMemory && batch.isForgotten && batch.segments.size === 1)) return false;
    }
    return true;
  }

  /** Batches whose forgetting must be written again before the `gone` segments are deleted. */
  neededForgets(gone: ReadonlySet<Segment>): number[] {
    const needed: number[] = [];
    for (const segment of gone) {
      for (const number of segment.forgets) {
        const segments = this.#forgotten.get(number)?.segments ?? [];
        if ([...segments].some((other) => !gone.has(other))) needed.push(number);
      }
    }
    return needed;
  }

  /** A segment is deleted. */
  remove(segment: Segment): void {
    this.segments = this.segments.filter((other) => other !== segment);
    this.#empty(segment);
  }

  /**
   * `segment` stands for the `replaced` ones from now on; `copied` has what batches have in it. Those that it stands
   * for are dead, but it must not be deleted before they are: until then its header tells that they do not count.
   */
  replace(replaced: ReadonlySet<Segment>, segment: Segment, copied: ReadonlyMap<number, Share>): void {
    for (const [number, share] of copied) {
      const batch = this.batches.get(number);
      if (batch) segment.living.set(number, share);
      (batch ?? this.#forgotten.get(number))?.segments.add(segment);
    }
    for (const old of replaced) {
      for (const number of old.forgets) {
        const forgotten = this.#forgotten.get(number);
        if (!forgotten) continue;
        forgotten.at = segment;
        segment.forgets.add(number);
      }
      old.forgets.clear();
      this.#empty(old);
    }
    const kept = this.segments.filter(({ number }) => number !== segment.number);
    this.segments = [...kept, segment].sort((a, b) => a.number - b.number);
  }

  /** Nothing in a segment counts any more. */
  #empty(segment: Segment): void {
    for (const number of segment.living.keys()) this.batches.get(number)?.segments.delete(segment);
    segment.living.clear();
    for (const [number, { segments, at }] of this.#forgotten) {
      segments.delete(segment);
      if (segments.size > 0) continue;
      at.forgets.delete(number);
      this.#forgotten.delete(number);
    }
  }
}
