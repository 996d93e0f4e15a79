import type { BatchJournal } from '../batch/batch-journal';
import { newBatchId } from '../batch/batch-id';
import type { JournalBatch, RecoveredBatch } from '../journal';
import { shortDigest } from './digest';

/** Control messages in a generation; two generations are remembered. */
const GENERATION = 50_000;
/** Bytes of memory, measured, of a key. */
const KEY_MEMORY = 70;

interface Generation {
  keys: Set<string>;
  onDisk: JournalBatch | undefined;
}

/**
 * Which control messages the backup has counted: the last 50,000 at least, also after a restart, for a converter that
 * crashed before it forgot a batch stores the same object once more and announces it again.
 */
export class KnownAnnouncements {
  /** Oldest first. */
  #generations: Generation[] = [];
  #journal: BatchJournal | undefined;

  /** @param description tells the journal batches of this from others */
  constructor(
    private readonly description: string,
    private readonly now: () => number,
  ) {}

  /** Bytes of memory. */
  get allocated(): number {
    return KEY_MEMORY * this.#generations.reduce((sum, { keys }) => sum + keys.size, 0);
  }

  has(batch: string, chunk: number): boolean {
    const key = keyOf(batch, chunk);
    return this.#generations.some(({ keys }) => keys.has(key));
  }

  add(batch: string, chunk: number): void {
    let young = this.#generations.at(-1);
    if (!young || young.keys.size >= GENERATION) {
      young = { keys: new Set(), onDisk: undefined };
      this.#addGeneration(young);
    }
    const key = keyOf(batch, chunk);
    young.keys.add(key);
    if (young.onDisk) append(young.onDisk, key);
    else this.#keepOnDisk(young);
  }

  /** Keeps all in another journal, or in none, from now on. */
  useJournal(journal: BatchJournal | undefined): void {
    for (const generation of this.#generations) {
      if (generation.onDisk) this.#journal?.forget(generation.onDisk);
      generation.onDisk = undefined;
    }
    this.#journal = journal;
    this.keepOnDisk();
  }

  /** Writes what is in memory only, once the journal is open. */
  keepOnDisk(): void {
    for (const generation of this.#generations) if (!generation.onDisk) this.#keepOnDisk(generation);
  }

  /** Takes over what a former process knew. @throws JOURNAL_DAMAGED */
  async restore(onDisk: RecoveredBatch): Promise<void> {
    const keys = new Set<string>();
    this.#addGeneration({ keys, onDisk });
    await onDisk.read({
      source: () => undefined,
      record: (_time, _source, _flags, bytes) => keys.add(bytes.toString('latin1')),
    });
  }

  #addGeneration(generation: Generation): void {
    this.#generations.push(generation);
    if (this.#generations.length <= 2) return;
    const oldest = this.#generations.shift();
    if (oldest?.onDisk) this.#journal?.forget(oldest.onDisk);
  }

  #keepOnDisk(generation: Generation): void {
    const batch = this.#journal?.openBatch(newBatchId(this.now()), this.description);
    if (!batch) return;
    batch.addSource('', '');
    generation.onDisk = batch;
    for (const key of generation.keys) append(batch, key);
  }
}

function append(batch: JournalBatch, key: string): void {
  const bytes = Buffer.from(key, 'latin1');
  batch.append(0, 0, 0, bytes, 0, bytes.length);
}

/** 8 characters of one byte each: a tenth of the memory of the text. */
function keyOf(batch: string, chunk: number): string {
  return shortDigest(`${batch}/${chunk}`);
}
