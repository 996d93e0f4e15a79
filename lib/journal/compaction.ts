import { join } from 'node:path';

import { fillInChecks, scanEntries } from './checks';
import {
  batchOf,
  forgetEntry,
  type JournalSource,
  openEntry,
  ordinalOf,
  readSource,
  sourceEntry,
  sourceOf,
} from './entries';
import type { FileSystem, JournalFile } from './file-system';
import { encodeHeader, FORMAT_VERSION, HEAD_LENGTH, HEADER_LENGTH, Kind, seedOf } from './format';
import type { Holdings } from './holdings';
import { Copies, Segment, type Share, writeAll } from './segment';

/** Bytes that are written at a time. */
const PIECE = 256 * 1024;
/** Below this part of the bytes on disk being needed, segments are copied together. */
const LEAST_LIVING = 1 / 4;
const MOST_SEGMENTS = 4;

/**
 * The oldest run of segments that is worth copying together: a batch that is held for long (its bucket is missing)
 * keeps a little of each from being deleted. What is needed of the run fits one segment.
 * @param full segments that are written no more
 */
export function worthCopying(holdings: Holdings, full: readonly Segment[], segmentBytes: number): Segment[] {
  if (full.length <= MOST_SEGMENTS) return [];
  const livings = full.map((segment) => holdings.livingBytes(segment));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  if (sum(livings) >= LEAST_LIVING * sum(full.map(({ bytes }) => bytes))) return [];
  const run: Segment[] = [];
  let needed = 0;
  for (const [place, segment] of full.entries()) {
    const living = livings[place] ?? 0;
    const isWorth = !segment.isDamaged && (run.length > 0 || living < segment.bytes / 2);
    if (isWorth && needed + living <= segmentBytes) {
      run.push(segment);
      needed += living;
    } else if (run.length > 0) break;
  }
  return run;
}

/** A new segment under a name of its own, not yet in the place of those that it stands for. */
export interface CopiedSegment {
  readonly segment: Segment;
  readonly path: string;
  readonly shares: ReadonlyMap<number, Share>;
}

/**
 * Copies what is needed of a run of segments to one that will take the place of the last of them, in slices. The
 * order of a batch's records stays, since the numbers of the segments tell it.
 * @throws whatever the disk does; the unfinished copy is removed then
 */
export async function copyTogether(
  fs: FileSystem,
  folder: string,
  salt: number,
  nextBatch: number,
  holdings: Holdings,
  run: readonly Segment[],
): Promise<CopiedSegment | undefined> {
  const first = run[0]?.number ?? 0;
  const segment = new Segment(run.at(-1)?.number ?? 0);
  const path = `${segment.path(folder)}.new`;
  const header = encodeHeader({ version: FORMAT_VERSION, number: segment.number, first, salt, nextBatch });
  const file = await fs.open(path, 'create');
  const copy = new Copy(file, seedOf(salt, segment.number), holdings);
  let isDone = false;
  try {
    await writeAll(file, [header], 0);
    for (const from of run) {
      if (!(await copyFrom(fs, folder, salt, from, copy))) return undefined;
    }
    for (const number of holdings.neededForgets(new Set(run))) copy.add(forgetEntry(number));
    await copy.flush();
    await file.sync();
    isDone = true;
  } finally {
    await file.close();
    if (!isDone) await fs.remove(path);
  }
  segment.bytes = copy.end;
  return { segment, path, shares: copy.shares };
}

/** Answers whether all of the segment could be read: what cannot is left where it is. */
async function copyFrom(
  fs: FileSystem,
  folder: string,
  salt: number,
  segment: Segment,
  copy: Copy,
): Promise<boolean> {
  const file = await fs.open(join(folder, segment.name), 'read');
  let damaged = false;
  try {
    const reader = {
      // Each time that more is read, what came out of the last piece is written.
      async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
        await copy.flush(PIECE);
        return file.read(target, offset, length, position);
      },
    };
    const end = await scanEntries(reader, HEADER_LENGTH, segment.bytes, seedOf(salt, segment.number), {
      entry: (kind, bytes, body, to) => copy.entry(kind, bytes, body, to),
      damage: () => (damaged = true),
    });
    damaged ||= end !== segment.bytes;
  } finally {
    await file.close();
  }
  if (damaged) segment.isDamaged = true;
  return !damaged;
}

class Copy {
  readonly shares = new Map<number, Share>();
  /** Bytes written. */
  end = HEADER_LENGTH;
  #entries: Buffer[] = [];
  #bytes = 0;
  readonly #copies = new Copies();
  readonly #sources = new Map<number, Map<number, JournalSource>>();
  /** Per batch, the next record: one that comes twice is copied once. */
  readonly #next = new Map<number, number>();

  constructor(
    private readonly file: JournalFile,
    private readonly seed: number,
    private readonly holdings: Holdings,
  ) {}

  entry(kind: number, bytes: Buffer, body: number, end: number): void {
    const number = batchOf(bytes, body);
    const batch = this.holdings.batches.get(number);
    // One that is forgotten in memory only may come back after a crash, and then it must be whole.
    if (kind === Kind.FORGET || !batch) return;
    const position = this.end + this.#bytes;
    if (this.#copies.needsBatch(number, position)) {
      this.#keep(number, openEntry(number, batch.id, batch.description));
    }
    if (kind === Kind.OPEN) return;
    if (kind === Kind.SOURCE) {
      const source = ordinalOf(bytes, body);
      let sources = this.#sources.get(number);
      if (!sources) this.#sources.set(number, (sources = new Map<number, JournalSource>()));
      if (!sources.has(source)) sources.set(source, readSource(bytes, body, end));
      this.#source(number, source, position);
      return;
    }
    if (kind !== Kind.SEAL) {
      const ordinal = ordinalOf(bytes, body);
      if (ordinal < (this.#next.get(number) ?? 0)) return;
      this.#next.set(number, ordinal + 1);
      this.#source(number, sourceOf(bytes, body), position);
    }
    this.#keep(number, Buffer.from(bytes.subarray(body - HEAD_LENGTH, end)));
  }

  add(entry: Buffer): void {
    this.#entries.push(entry);
    this.#bytes += entry.length;
  }

  /** Writes what has come together, if that is at least `least` bytes. */
  async flush(least = 1): Promise<void> {
    if (this.#bytes < least) return;
    const entries = this.#entries;
    const start = this.end;
    this.#entries = [];
    this.end += this.#bytes;
    this.#bytes = 0;
    await fillInChecks(entries, this.seed, start);
    await writeAll(this.file, entries, start);
  }

  #source(batch: number, number: number, position: number): void {
    const source = this.#sources.get(batch)?.get(number);
    if (source && this.#copies.needsSource(batch, number, position)) {
      this.#keep(batch, sourceEntry(batch, number, source));
    }
  }

  #keep(batch: number, entry: Buffer): void {
    const from = this.end + this.#bytes;
    this.add(entry);
    const to = from + entry.length;
    const share = this.shares.get(batch);
    if (share) {
      share.bytes += entry.length;
      share.to = to;
    } else this.shares.set(batch, { bytes: entry.length, from, to });
  }
}
