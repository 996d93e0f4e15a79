import { S3BatchError } from '../errors';
import type { Framing } from '../object';
import type { ObjectStore } from '../store/object-store';
import { contentDigest } from './content';
import { fetchRecords } from './fetch';
import { mapInOrder } from './in-order';
import type { Entry, MatchedBlock, ObjectMatch } from './match';
import { attempt, type QueryProgress } from './progress';
import { RecordGroups } from './record-groups';
import { type KeptBlock, type Place, RecordPlaces } from './record-places';
import { turnEvery } from './turns';

export interface DuplicateOptions {
  /** Objects asked at a time. */
  parallel?: number;
  signal?: AbortSignal;
  /** Counts the records that would have to be compared; fetches nothing and leaves out none. */
  planOnly?: boolean;
  /** Most records that are told apart; each takes about 60 bytes of memory. */
  mostCompared?: number;
}

const MOST_COMPARED = 2_000_000;
/** Records looked at, and contents digested, in one turn of the event loop. */
const ENTRIES_A_TURN = 2000;
const DIGESTS_A_TURN = 500;

/** A record that another one is like: its content has to be fetched. */
interface Candidate {
  place: Place;
  /** The record in the answer, or the one that it is like. */
  entry: Entry;
  /** Not the first of its like: it is left out if its content came before. */
  isLater: boolean;
}

/**
 * Tells which of the records that a query finds came before. Only records of one series, topic, time and length can be
 * the same; nothing is fetched of the others. Since nobody knows which records a later object will have, too, where each
 * one lies is kept: the memory for that is what `mostCompared` bounds.
 */
export class FoundDuplicates {
  readonly #store: ObjectStore;
  readonly #progress: QueryProgress;
  readonly #options: DuplicateOptions;
  readonly #groups = new RecordGroups();
  /** The first of each group, until a second one comes. */
  readonly #places = new RecordPlaces();
  /** Content of all candidates so far. */
  readonly #seen = new Set<string>();
  /** Objects that could not be read: what they hold is not known. */
  readonly #unread = new Set<ObjectMatch>();
  #framing: Framing | 'mixed' | undefined;

  /** @param progress is told of candidates, of duplicates, and of earlier objects that can no longer be read */
  constructor(store: ObjectStore, progress: QueryProgress, options: DuplicateOptions = {}) {
    this.#store = store;
    this.#progress = progress;
    this.#options = options;
  }

  /**
   * The object without the records that came before, in it or in those that were given earlier.
   * @throws QUERY_INVALID when there are too many records; what fetching from this object fails with
   */
  async drop(match: ObjectMatch): Promise<ObjectMatch> {
    this.#note(match.framing);
    const object = { ...match, attributes: {}, blocks: [] };
    const candidates = await this.#candidatesIn(match, object);
    this.#progress.candidates += candidates.length;
    if (candidates.length === 0 || this.#options.planOnly === true) return match;
    const duplicates = await this.#compare(object, candidates);
    this.#progress.duplicates += duplicates.size;
    const blocks = match.blocks.map((block) => ({
      ...block,
      entries: block.entries.filter((entry) => !duplicates.has(entry)),
    }));
    return { ...match, blocks: blocks.filter(({ entries }) => entries.length > 0) };
  }

  /** The same payload takes other bytes in another framing: from then on, lengths tell nothing. */
  #note(framing: Framing): void {
    this.#framing ??= framing;
    if (this.#framing === framing || this.#framing === 'mixed') return;
    this.#framing = 'mixed';
    this.#places.regroup(this.#groups.withoutLengths());
  }

  async #candidatesIn({ blocks }: ObjectMatch, object: ObjectMatch): Promise<Candidate[]> {
    const groups = this.#groups;
    const most = this.#options.mostCompared ?? MOST_COMPARED;
    const byLength = this.#framing !== 'mixed';
    const turn = turnEvery(ENTRIES_A_TURN);
    const candidates: Candidate[] = [];
    for (const { offset, length, size, entries } of blocks) {
      const block: KeptBlock = { offset, length, size, object };
      for (const entry of entries) {
        const known = groups.count;
        const group = groups.numberOf(entry, byLength ? entry.length : 0);
        if (group === known) this.#places.add(group, block, entry);
        else {
          for (const place of this.#places.take(group)) candidates.push({ place, entry, isLater: false });
          candidates.push({ place: { ...entry, block }, entry, isLater: true });
        }
        const pause = turn();
        if (pause) await pause;
      }
      if (groups.count > most) throw tooMany(most);
    }
    return candidates.filter(({ place }) => !this.#unread.has(place.block.object));
  }

  /** The later ones whose content came before. */
  async #compare(object: ObjectMatch, candidates: readonly Candidate[]): Promise<Set<Entry>> {
    const { parallel = 8 } = this.#options;
    const byObject = new Map<ObjectMatch, Candidate[]>();
    for (const candidate of candidates) {
      const known = byObject.get(candidate.place.block.object);
      if (known) known.push(candidate);
      else byObject.set(candidate.place.block.object, [candidate]);
    }
    const own = byObject.get(object) ?? [];
    byObject.delete(object);
    const earlier = mapInOrder(byObject, parallel, async ([of, some]) => ({
      of,
      digests: await attempt(this.#progress, of, () => this.#digests(of, some, 1)),
    }));
    for await (const { of, digests } of earlier) {
      if (!digests) this.#unread.add(of);
      for (const digest of digests ?? []) this.#seen.add(digest);
    }
    const duplicates = new Set<Entry>();
    const digests = await this.#digests(object, own, parallel).catch((error: unknown) => {
      this.#unread.add(object);
      throw error;
    });
    for (const [number, { entry, isLater }] of own.entries()) {
      const known = this.#seen.size;
      this.#seen.add(digests[number] ?? '');
      if (isLater && this.#seen.size === known) duplicates.add(entry);
    }
    return duplicates;
  }

  /** Fetches records of one object. @param candidates are put in the order of the object, which that of the answer is */
  async #digests(object: ObjectMatch, candidates: Candidate[], parallel: number): Promise<string[]> {
    const { signal } = this.#options;
    candidates.sort(inObject);
    const objects = [{ ...object, blocks: blocksOf(candidates) }];
    const turn = turnEvery(DIGESTS_A_TURN);
    const digests: string[] = [];
    for await (const records of fetchRecords(this.#store, objects, { parallel, ...(signal && { signal }) })) {
      for (const record of records) {
        digests.push(contentDigest(record));
        await turn();
      }
    }
    return digests;
  }
}

/** Records that take no bytes begin where the next one does; of those that are alike the first comes first. */
function inObject(a: Candidate, b: Candidate): number {
  return (
    a.place.block.offset - b.place.block.offset ||
    a.place.start - b.place.start ||
    a.place.length - b.place.length ||
    Number(a.isLater) - Number(b.isLater)
  );
}

/** @param candidates of one object, in its order */
function blocksOf(candidates: readonly Candidate[]): MatchedBlock[] {
  const blocks: MatchedBlock[] = [];
  let last: KeptBlock | undefined;
  for (const { place, entry } of candidates) {
    const { block, start, length, flags, lineBreaks } = place;
    const { key, topic, series, time } = entry;
    const own = { key, topic, series, time, start, length, flags, ...(lineBreaks && { lineBreaks }) };
    const { offset, size } = block;
    if (block.object.compression === 'none') {
      // Of a plain object a record can be fetched alone.
      blocks.push({ offset: offset + start, length, size: length, entries: [{ ...own, start: 0 }] });
    } else if (last === block) blocks.at(-1)?.entries.push(own);
    else blocks.push({ offset, length: block.length, size, entries: [own] });
    last = block;
  }
  return blocks;
}

function tooMany(most: number): S3BatchError {
  return new S3BatchError(
    'QUERY_INVALID',
    `more than ${most.toLocaleString('en')} records match, too many to tell which of them are duplicates: ask for a shorter time range, or let the duplicates stay`,
  );
}
