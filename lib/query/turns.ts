import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Lets the event loop turn once in so many pieces of work. Await it after each piece.
 * @param pieces as many as take a few milliseconds, at most, before the code is warm
 */
export function turnEvery(pieces: number): () => Promise<void> | undefined {
  let done = 0;
  return () => (++done % pieces === 0 ? nextTurn() : undefined);
}
