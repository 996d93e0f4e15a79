import { contentDigest } from './content';
import type { FetchedRecord } from './fetch';
import type { Entry, ObjectMatch } from './match';
import { RecordGroups } from './record-groups';
import { turnEvery } from './turns';

/** Entries looked at, and contents digested, in one turn of the event loop. */
const ENTRIES_A_TURN = 5000;
const DIGESTS_A_TURN = 500;

/** Tells which of the records that are fetched came before. */
export class FetchedDuplicates {
  readonly #candidates: ReadonlySet<Entry>;
  readonly #seen = new Set<string>();
  readonly #turn = turnEvery(DIGESTS_A_TURN);

  private constructor(candidates: ReadonlySet<Entry>) {
    this.#candidates = candidates;
  }

  /** @param objects whose records will be fetched, all of them; only those that are like another are compared */
  static async among(objects: readonly ObjectMatch[]): Promise<FetchedDuplicates> {
    // The same payload takes other bytes in another framing: then the length tells nothing.
    const byLength = new Set(objects.map(({ framing }) => framing)).size < 2;
    const groups = new RecordGroups();
    const numberOf = (entry: Entry): number => groups.numberOf(entry, byLength ? entry.length : 0);
    const shared = new Set<number>();
    await forEntries(objects, (entry) => {
      const known = groups.count;
      const number = numberOf(entry);
      if (number < known) shared.add(number);
    });
    const candidates = new Set<Entry>();
    if (shared.size > 0) {
      await forEntries(objects, (entry) => {
        if (shared.has(numberOf(entry))) candidates.add(entry);
      });
    }
    return new FetchedDuplicates(candidates);
  }

  /**
   * Those records that did not come before. To be called with all of them in their order.
   * @param entries of the records
   */
  async drop(records: readonly FetchedRecord[], entries: readonly Entry[]): Promise<FetchedRecord[]> {
    const kept: FetchedRecord[] = [];
    for (const [number, record] of records.entries()) {
      const entry = entries[number];
      if (entry && this.#candidates.has(entry)) {
        const known = this.#seen.size;
        this.#seen.add(contentDigest(record));
        await this.#turn();
        if (this.#seen.size === known) continue;
      }
      kept.push(record);
    }
    return kept;
  }
}

async function forEntries(objects: readonly ObjectMatch[], visit: (entry: Entry) => void): Promise<void> {
  const turn = turnEvery(ENTRIES_A_TURN);
  for (const { blocks } of objects) {
    for (const { entries } of blocks) {
      for (const entry of entries) {
        visit(entry);
        const pause = turn();
        if (pause) await pause;
      }
    }
  }
}
