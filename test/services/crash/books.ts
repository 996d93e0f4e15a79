/** What became of the messages of a mode. */
export interface Books {
  messages: number;
  /** Numbers that are not in S3. */
  lost: number[];
  /** Copies in S3 beyond the first. */
  duplicates: number;
}

/**
 * @param published numbers
 * @param found how often each number is in S3
 * @throws when something was found that was never published
 */
export function balance(published: Iterable<number>, found: ReadonlyMap<number, number>): Books {
  const numbers = new Set(published);
  let duplicates = 0;
  for (const [number, times] of found) {
    if (!numbers.has(number)) throw new Error(`S3 holds the number ${number}, which was never published`);
    duplicates += times - 1;
  }
  return { messages: numbers.size, lost: [...numbers].filter((number) => !found.has(number)), duplicates };
}

/** Records that a ledger of `s3-batch-out` or `batch-backup` has as neither stored nor refused. */
export function waits({ open = 0, held = 0, uploading = 0 }: Record<string, number>): number {
  return open + held + uploading;
}

/** Whether everything that a ledger has as received became something. */
export function isBalanced(ledger: Record<string, number>): boolean {
  const { received, refused = 0, stored = 0, announced = 0, uploaded = 0 } = ledger;
  return received === refused + stored + announced + uploaded + waits(ledger);
}
