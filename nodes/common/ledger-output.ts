import type { BatchWriter } from '../../lib/batch';

/** How often the ledger is sent at most, ms. */
const EVERY = 1000;

/** The ledger of a writer as flows see it; records but where the name says otherwise. */
export function ledgerOf(writer: BatchWriter): Record<string, number> {
  const { counts, openRecords, heldBytes, uploads, journal } = writer;
  return {
    ...counts,
    open: openRecords,
    waitingObjects: uploads.pending,
    heldBytes,
    journalBytes: journal?.bytes ?? 0,
  };
}

/** Sends a writer's ledger whenever it has changed. */
export class LedgerOutput {
  #timer: NodeJS.Timeout | undefined;
  #sent = '';
  #stopped = false;

  constructor(
    private readonly writer: BatchWriter,
    private readonly send: (ledger: Record<string, number>) => void,
  ) {}

  /** Something happened: the ledger is sent soon. */
  changed(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const ledger = ledgerOf(this.writer);
      const text = JSON.stringify(ledger);
      if (text === this.#sent) return;
      this.#sent = text;
      this.send(ledger);
      // Counts of uploads and of the journal change without a message.
      if (this.writer.openRecords > 0) this.changed();
    }, EVERY).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
