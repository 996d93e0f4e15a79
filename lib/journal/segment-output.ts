import { fillInChecks } from './checks';
import { batchOf, openEntry, ordinalOf, sourceEntry, sourceOf } from './entries';
import type { FileSystem, JournalFile } from './file-system';
import { encodeHeader, FORMAT_VERSION, HEAD_LENGTH, HEADER_LENGTH, Kind, seedOf } from './format';
import type { Brought, Holdings } from './holdings';
import { type Chunk, forEachEntry } from './pending';
import { Copies, Segment, writeAll } from './segment';

interface Current {
  readonly segment: Segment;
  readonly file: JournalFile;
  readonly seed: number;
  readonly copies: Copies;
}

/** Writes groups of entries to the newest segment, and begins another when that is full or failed. */
export class SegmentOutput {
  #current: Current | undefined;

  /**
   * @param nextSegment number of the next segment
   * @param nextBatch answers the number of the next batch
   */
  constructor(
    private readonly fs: FileSystem,
    private readonly folder: string,
    private readonly segmentBytes: number,
    private readonly holdings: Holdings,
    private readonly salt: number,
    private nextSegment: number,
    private readonly nextBatch: () => number,
  ) {}

  /** The segment that is written to. */
  get segment(): Segment | undefined {
    return this.#current?.segment;
  }

  /**
   * Writes a group and syncs it: it is on disk when this returns. When it throws, the segment is given up at its
   * committed length, and the group is to be written again; it then goes to a new segment, since what a disk holds
   * after a failed sync is anyone's guess, and a repeated sync may succeed without having written anything.
   */
  async write(group: readonly Chunk[]): Promise<void> {
    const length = group.reduce((sum, { used }) => sum + used, 0);
    const full = this.#current;
    if (full && full.segment.bytes > HEADER_LENGTH && full.segment.bytes + length > this.segmentBytes) {
      this.#current = undefined;
      await closeQuietly(full.file);
    }
    const isNew = this.#current === undefined;
    const current = (this.#current ??= await this.#begin());
    const { segment, file, seed, copies } = current;
    const start = segment.bytes;
    const { repeated, brought } = this.#survey(group, copies, start);
    const entries = [...repeated, ...group.map(({ bytes, used }) => bytes.subarray(0, used))];
    const end = start + entries.reduce((sum, { length: bytes }) => sum + bytes, 0);
    try {
      await fillInChecks(entries, seed, start);
      if (isNew) await this.#writeFirst(file, [this.#header(segment.number), ...entries]);
      else await writeSynced(file, entries, start);
    } catch (error) {
      this.#current = undefined;
      await this.#giveUp(current, isNew, brought);
      throw error;
    }
    segment.bytes = end;
    if (isNew) this.holdings.segments.push(segment);
    this.holdings.bring(segment, brought, start, end);
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (current) await closeQuietly(current.file);
  }

  async #begin(): Promise<Current> {
    const segment = new Segment(this.nextSegment);
    const file = await this.fs.open(segment.path(this.folder), 'create-synced');
    this.nextSegment++;
    return { segment, file, seed: seedOf(this.salt, segment.number), copies: new Copies() };
  }

  /** Writes to a new file and, meanwhile, syncs the folder that names it. */
  async #writeFirst(file: JournalFile, buffers: readonly Buffer[]): Promise<void> {
    const outcomes = await Promise.allSettled([
      writeSynced(file, buffers, 0),
      this.fs.syncFolder(this.folder),
    ]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  #header(number: number): Buffer {
    const nextBatch = this.nextBatch();
    return encodeHeader({ version: FORMAT_VERSION, number, first: number, salt: this.salt, nextBatch });
  }

  /** Which entries of earlier segments the group needs again, and what it brings. */
  #survey(
    group: readonly Chunk[],
    copies: Copies,
    position: number,
  ): { repeated: Buffer[]; brought: Brought } {
    const repeated: Buffer[] = [];
    const bytes = new Map<number, number>();
    const forgets: number[] = [];
    const seals: number[] = [];
    const need = (number: number, place: number | undefined) => {
      const batch = this.holdings.batches.get(number);
      if (!batch) return;
      if (copies.needsBatch(number, position)) {
        repeated.push(openEntry(number, batch.id, batch.description));
      }
      if (place === undefined || !copies.needsSource(number, place, position)) return;
      const source = batch.sources?.[batch.numbers ? batch.numbers.indexOf(place) : place];
      if (source) repeated.push(sourceEntry(number, place, source));
    };
    for (const chunk of group) {
      forEachEntry(chunk.bytes, chunk.used, (kind, start, end) => {
        const body = start + HEAD_LENGTH;
        const number = batchOf(chunk.bytes, body);
        if (kind === Kind.FORGET) {
          forgets.push(number);
          return;
        }
        bytes.set(number, (bytes.get(number) ?? 0) + end - start);
        if (kind === Kind.OPEN) copies.needsBatch(number, position);
        else if (kind === Kind.SOURCE) {
          need(number, undefined);
          copies.needsSource(number, ordinalOf(chunk.bytes, body), position);
        } else if (kind === Kind.SEAL) {
          need(number, undefined);
          seals.push(number);
        } else need(number, sourceOf(chunk.bytes, body));
      });
    }
    return { repeated, brought: { bytes, forgets, seals } };
  }

  /**
   * Cuts what was not committed, as far as the disk still does anything. Where it does not, parts of the group may
   * come to light again: their batches then have entries here, and are forgotten here too.
   */
  async #giveUp({ segment, file }: Current, isNew: boolean, { bytes }: Brought): Promise<void> {
    const path = segment.path(this.folder);
    try {
      if (isNew) await this.fs.remove(path);
      else await file.truncate(segment.bytes);
      if (isNew) await this.fs.syncFolder(this.folder);
      else await file.sync();
    } catch {
      if (isNew) this.holdings.segments.push(segment);
      this.holdings.mayHold(segment, bytes.keys());
    }
    await closeQuietly(file);
  }
}

/** Writes all of `buffers`: they are on disk when this returns. */
async function writeSynced(file: JournalFile, buffers: readonly Buffer[], position: number): Promise<void> {
  await writeAll(file, buffers, position);
  await file.sync();
}

/** Closes a file that has nothing to write: all of it is synced, or given up. */
async function closeQuietly(file: JournalFile): Promise<void> {
  try {
    await file.close();
  } catch {
    // Some file systems tell only now that writing failed; that is known already.
  }
}
