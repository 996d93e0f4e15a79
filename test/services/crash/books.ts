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
