import type { OpenBatch } from './open-batch';

/** The open batches, one a destination, and the memory that they hold together. */
export class OpenBatches {
  readonly #batches = new Map<string, OpenBatch>();
  /** Bytes of memory; whoever appends to a batch adds what it grew by. */
  allocated = 0;

  get size(): number {
    return this.#batches.size;
  }

  /** All, the one opened first coming first; batches may be added and removed meanwhile. */
  get all(): OpenBatch[] {
    return [...this.#batches.values()];
  }

  /** @param destination its id */
  get(destination: string): OpenBatch | undefined {
    return this.#batches.get(destination);
  }

  add(batch: OpenBatch): void {
    this.#batches.set(batch.destination.id, batch);
    this.allocated += batch.allocated;
  }

  /** Without effect on a batch that is not among them. */
  remove(batch: OpenBatch): void {
    const { id } = batch.destination;
    if (this.#batches.get(id) !== batch) return;
    this.#batches.delete(id);
    this.allocated -= batch.allocated;
  }

  get oldest(): OpenBatch | undefined {
    const [oldest] = this.#batches.values();
    return oldest;
  }

  /** The one that holds the most memory. */
  get largest(): OpenBatch | undefined {
    let largest: OpenBatch | undefined;
    for (const batch of this.#batches.values()) {
      if (!largest || batch.allocated > largest.allocated) largest = batch;
    }
    return largest;
  }
}
