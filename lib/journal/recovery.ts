import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { S3BatchError } from '../errors';
import { batchOf } from './entries';
import { scanEntries } from './checks';
import type { FileSystem } from './file-system';
import {
  FORMAT_VERSION,
  HEAD_LENGTH,
  HEADER_LENGTH,
  Kind,
  parseHeader,
  type SegmentHeader,
  seedOf,
  segmentNumber,
} from './format';
import { FoundBatch } from './found-batch';
import { Segment } from './segment';

/** Bytes on disk that could not be read when a journal was opened. */
export interface Damage {
  /** Name of the file in the journal's folder; it is kept as NAME.damaged when it is not needed any more. */
  readonly segment: string;
  /** The damaged bytes are `[from, to)` of the file. */
  readonly from: number;
  readonly to: number;
  /**
   * `tail`: the end of the last segment, which a crash tore; nothing committed is in it unless the disk is damaged.
   * It is cut off. `entries`: what was in these bytes is lost. `records`: they are whole, but what batch they are
   * of is lost.
   */
  readonly what: 'tail' | 'entries' | 'records';
  /** For people. */
  readonly message: string;
}

/** What the segments of a folder hold. */
export interface Found {
  segments: Segment[];
  batches: FoundBatch[];
  damage: Damage[];
  salt: number;
  nextSegment: number;
  nextBatch: number;
  /** Forgettings by the segment they stand in, in the order of the segments. */
  forgets: [number, Segment][];
}

interface SegmentFile {
  segment: Segment;
  size: number;
  header: SegmentHeader | undefined;
}

/**
 * Reads all segments of a folder. Only after all headers are known to be of a version that this code knows is
 * anything in the folder changed: unfinished copies are removed, a torn tail is cut.
 * @param names what is in the folder
 * @throws JOURNAL_UNUSABLE when a newer version wrote a segment
 */
export async function recover(fs: FileSystem, folder: string, names: readonly string[]): Promise<Found> {
  const files = await readHeaders(fs, folder, names);
  for (const name of names) if (name.endsWith('.new')) await fs.remove(join(folder, name));
  const replaced = files.filter(({ segment }) =>
    files.some(({ header }) => header && header.first <= segment.number && segment.number < header.number),
  );
  for (const { segment } of replaced) await fs.remove(segment.path(folder));
  const rest = files.filter((file) => !replaced.includes(file));
  const salt = rest.find(({ header }) => header)?.header?.salt ?? randomBytes(4).readUInt32LE();
  const recovery = new Recovery(fs, folder, salt);
  for (const file of rest) await recovery.read(file, file === rest.at(-1));
  const numbers = names.map((name) => segmentNumber(name.replace(/\.(new|damaged)$/, '')) ?? 0);
  return recovery.result(Math.max(0, ...numbers) + 1);
}

async function readHeaders(fs: FileSystem, folder: string, names: readonly string[]): Promise<SegmentFile[]> {
  const files: SegmentFile[] = [];
  for (const name of names) {
    const number = segmentNumber(name);
    if (number === undefined) continue;
    const segment = new Segment(number);
    const path = segment.path(folder);
    const size = await fs.size(path);
    const file = await fs.open(path, 'read');
    try {
      const start = Buffer.alloc(HEADER_LENGTH);
      const read = await file.read(start, 0, HEADER_LENGTH, 0);
      const header = parseHeader(start.subarray(0, read));
      if (header && header.version > FORMAT_VERSION) throw newer(folder, header.version);
      files.push({ segment, size, header: header?.number === number ? header : undefined });
    } finally {
      await file.close();
    }
  }
  return files.sort((a, b) => a.segment.number - b.segment.number);
}

function newer(folder: string, version: number): S3BatchError {
  return new S3BatchError(
    'JOURNAL_UNUSABLE',
    `the journal in ${folder} was written by a newer version of this package (format ${version}, this one knows ` +
      `${FORMAT_VERSION}): install that version again, or choose another folder`,
  );
}

class Recovery {
  readonly #segments: Segment[] = [];
  readonly #batches = new Map<number, FoundBatch>();
  readonly #forgotten = new Map<number, Segment>();
  readonly #damage: Damage[] = [];
  #nextBatch = 1;

  constructor(
    private readonly fs: FileSystem,
    private readonly folder: string,
    private readonly salt: number,
  ) {}

  async read({ segment, size, header }: SegmentFile, isLast: boolean): Promise<void> {
    const path = segment.path(this.folder);
    if (size < HEADER_LENGTH) {
      // A crash while it was begun: nothing was committed to it.
      if (size > 0) this.#report(segment, 0, size, isLast ? 'tail' : 'entries');
      await this.fs.remove(path);
      return;
    }
    if (header) this.#nextBatch = Math.max(this.#nextBatch, header.nextBatch);
    else this.#reportDamage(segment, 0, HEADER_LENGTH);
    const end = await this.#scan(segment, size);
    segment.bytes = end;
    this.#segments.push(segment);
    if (end === size) return;
    if (!isLast || !header) {
      segment.bytes = size;
      this.#reportDamage(segment, end, size);
      return;
    }
    this.#report(segment, end, size, 'tail');
    const file = await this.fs.open(path, 'change');
    try {
      await file.truncate(end);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  result(nextSegment: number): Found {
    const batches: FoundBatch[] = [];
    for (const batch of [...this.#batches.values()].sort((a, b) => a.number - b.number)) {
      if (batch.id !== undefined || batch.isForgotten) batches.push(batch);
      else this.#reportOrphans(batch);
    }
    return {
      segments: this.#segments,
      batches,
      damage: this.#damage,
      salt: this.salt,
      nextSegment,
      nextBatch: this.#nextBatch,
      forgets: [...this.#forgotten],
    };
  }

  async #scan(segment: Segment, size: number): Promise<number> {
    const file = await this.fs.open(segment.path(this.folder), 'read');
    try {
      return await scanEntries(file, HEADER_LENGTH, size, seedOf(this.salt, segment.number), {
        entry: (kind, bytes, body, end, position) => {
          this.#entry(segment, kind, bytes, body, end, position);
        },
        damage: (from, to) => {
          this.#reportDamage(segment, from, to);
        },
      });
    } finally {
      await file.close();
    }
  }

  #entry(segment: Segment, kind: number, bytes: Buffer, body: number, end: number, position: number): void {
    const number = batchOf(bytes, body);
    this.#nextBatch = Math.max(this.#nextBatch, number + 1);
    let batch = this.#batches.get(number);
    if (kind === Kind.FORGET) {
      this.#forgotten.set(number, segment);
      batch?.forget();
      return;
    }
    if (!batch) {
      batch = new FoundBatch(number, segment, position);
      if (this.#forgotten.has(number)) batch.forget();
      this.#batches.set(number, batch);
    }
    batch.segments.add(segment);
    const next = position + HEAD_LENGTH + end - body;
    segment.addLiving(number, next - position, position, next);
    if (batch.where.segment === segment) batch.where.to = next;
    if (!batch.isForgotten) batch.entry(kind, bytes, body, end);
  }

  #reportDamage(segment: Segment, from: number, to: number): void {
    segment.isDamaged = true;
    this.#report(segment, from, to, 'entries');
  }

  #reportOrphans({ count, segments, where: { segment, from, to } }: FoundBatch): void {
    for (const other of segments) other.isDamaged = true;
    this.#report(segment, from, to, 'records', count);
  }

  #report(segment: Segment, from: number, to: number, what: Damage['what'], records = 0): void {
    const place = `bytes ${from} to ${to} of ${segment.path(this.folder)}`;
    const kept = `the file is kept as ${segment.name}.damaged when it is not needed any more`;
    const message = {
      tail: `${place} were not written to their end when the process stopped, and are cut off`,
      entries: `${place} are damaged, and what was in them is lost: check the disk; ${kept}`,
      records: `${records} records in ${place} are lost, since damage hides what batch they are of; ${kept}`,
    }[what];
    this.#damage.push({ segment: segment.name, from, to, what, message });
  }
}
