import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { S3BatchError } from '../errors';
import type { Batch, JournalVisitor } from './batch';
import { scanEntries } from './checks';
import { batchOf, ordinalOf, readRecord, readSource, sourceOf } from './entries';
import type { FileSystem } from './file-system';
import { HEAD_LENGTH, Kind, seedOf } from './format';
import { type Chunk, forEachEntry } from './pending';

/** Shows what a batch holds: what is in its segments, then what is in `pending` only. */
export async function readBatch(
  fs: FileSystem,
  folder: string,
  salt: number,
  batch: Batch,
  pending: readonly Chunk[],
  visitor: JournalVisitor,
): Promise<void> {
  const show = new Show(batch, visitor);
  const parts = [...batch.segments]
    .sort((a, b) => a.number - b.number)
    .map((segment) => ({ segment, ...segment.living.get(batch.number) }));
  const waiting = pending.map(({ bytes, used }) => ({ bytes, used }));
  for (const { segment, from = 0, to = 0 } of parts) {
    if (to === 0) continue;
    const file = await fs.open(join(folder, segment.name), 'read');
    try {
      const entry = (kind: number, bytes: Buffer, body: number, end: number) => {
        show.entry(kind, bytes, body, end);
      };
      // What is damaged is missed in the end; until then the rest is shown.
      const damage = () => undefined;
      await scanEntries(file, from, to, seedOf(salt, segment.number), { entry, damage }, batch.number);
    } finally {
      await file.close();
    }
  }
  for (const { bytes, used } of waiting) {
    forEachEntry(bytes, used, (kind, start, end) => {
      const body = start + HEAD_LENGTH;
      if (batchOf(bytes, body) === batch.number) show.entry(kind, bytes, body, end);
    });
    await nextTurn();
  }
  show.end(folder);
}

class Show {
  readonly #until: number;
  readonly #expected: number;
  /** Per number on disk, the number that the visitor knows a source by. */
  readonly #places = new Map<number, number>();
  /** Whether all sources were shown before the first record. */
  readonly #knowsAll: boolean;
  #next = 0;
  #count = 0;

  constructor(
    private readonly batch: Batch,
    private readonly visitor: JournalVisitor,
  ) {
    this.#until = batch.next;
    this.#expected = batch.count;
    this.#knowsAll = batch.sources !== undefined;
    batch.sources?.forEach(({ topic, series }, place) => {
      this.#places.set(batch.numbers?.[place] ?? place, place);
      visitor.source(topic, series);
    });
  }

  entry(kind: number, bytes: Buffer, body: number, end: number): void {
    if (kind === Kind.SOURCE) {
      const number = ordinalOf(bytes, body);
      if (this.#knowsAll || this.#places.has(number)) return;
      this.#places.set(number, this.#places.size);
      const { topic, series } = readSource(bytes, body, end);
      this.visitor.source(topic, series);
      return;
    }
    if (kind !== Kind.RECORD && kind !== Kind.FOLDED) return;
    const ordinal = ordinalOf(bytes, body);
    // A group that was written twice after a failure is shown once.
    if (ordinal < this.#next || ordinal >= this.#until) return;
    this.#next = ordinal + 1;
    const source = this.#places.get(sourceOf(bytes, body));
    if (source === undefined) return;
    const { time, flags, bytes: record, lineBreaks } = readRecord(kind, bytes, body, end);
    this.#count++;
    this.visitor.record(time, source, flags, record, lineBreaks);
  }

  end(folder: string): void {
    if (this.#count === this.#expected) return;
    const { id } = this.batch;
    throw new S3BatchError(
      'JOURNAL_DAMAGED',
      `of the ${this.#expected} records of batch ${id} only ${this.#count} can be read back from the journal in ` +
        `${folder}: check the disk`,
    );
  }
}
