import { S3BatchError } from '../errors';
import type { Settled } from './settled';

/** When a record's `settled` is called: once it is synced to the journal (stored, where there is none), or stored. */
export type SafeAt = 'journaled' | 'stored';

export interface EarlyRecord {
  topic: string;
  payload: Buffer;
  /** ms since 1970. */
  arrival: number;
  settled: Settled | undefined;
  safeAt: SafeAt;
}

/** Bytes of memory, measured, of a record that waits besides its payload. */
const RECORD_MEMORY = 250;
/** Records taken between two turns of the event loop. */
const A_TURN = 500;

const memoryOf = ({ topic, payload }: EarlyRecord): number => RECORD_MEMORY + topic.length + payload.length;

/** Records that came before the journal was open: they wait, so that batches it holds go on where they were. */
export class EarlyRecords {
  #records: EarlyRecord[] = [];
  #isDraining = false;
  /** Bytes of memory that they hold. */
  heldBytes = 0;
  readonly #taken: Promise<void>;
  #allTaken: () => void = () => undefined;

  constructor() {
    this.#taken = new Promise((resolve) => (this.#allTaken = resolve));
  }

  /** Resolves when all have been taken. */
  get taken(): Promise<void> {
    return this.#taken;
  }

  add(record: EarlyRecord): void {
    this.#records.push(record);
    this.heldBytes += memoryOf(record);
  }

  /**
   * Gives them to `take`, some in every turn of the event loop; what comes meanwhile is added behind them.
   * @param ended called once, when none is left
   */
  drain(take: (record: EarlyRecord) => void, ended: () => void): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#drain(take, ended);
  }

  #drain(take: (record: EarlyRecord) => void, ended: () => void): void {
    const some = this.#records.splice(0, A_TURN);
    for (const record of some) {
      this.heldBytes -= memoryOf(record);
      take(record);
    }
    if (this.#records.length > 0) {
      setImmediate(() => {
        this.#drain(take, ended);
      });
      return;
    }
    ended();
    this.#allTaken();
  }
}

/** What a record that can no longer be taken is told. */
export function refusal(error: unknown): S3BatchError {
  return error instanceof S3BatchError
    ? error
    : new S3BatchError('CLOSED', 'the record could not be taken', { cause: error });
}
