import { setMaxListeners } from 'node:events';
import { S3BatchError } from '../errors';

/**
 * The slowest transfer that is waited for, in bytes a millisecond (128 KiB/s, about 1 Mbit/s). A store that sends or
 * takes less than that has failed, even if it never falls silent.
 */
const SLOWEST_RATE = (128 * 1024) / 1000;

/** The time in ms that a call may take in all, when it carries so many bytes. */
export function limitFor(requestTimeoutMs: number, bytes: number): number {
  return Math.min(requestTimeoutMs + Math.ceil(bytes / SLOWEST_RATE), 2 ** 31 - 1);
}

/**
 * Runs `work` and gives up on it after `ms`, or when one of the signals aborts; `work` gets a signal that tells it
 * so. Ends in time even if `work` does not.
 * @throws STORE_TIMEOUT, ABORTED; `place` says in their messages what was under way
 */
export async function withinLimit<T>(
  limit: { ms: number; signals: readonly (AbortSignal | undefined)[]; place: string },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { ms, place } = limit;
  const signals = limit.signals.filter((signal) => signal !== undefined);
  const controller = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => {
      reject(controller.signal.reason as S3BatchError);
    });
  });
  const abort = (): void => {
    const cause: unknown = signals.find((signal) => signal.aborted)?.reason;
    controller.abort(
      new S3BatchError(
        'ABORTED',
        `The call was ended before the store had answered: ${place}. Its caller gave it up, or the connection was closed.`,
        { cause },
      ),
    );
  };
  const timer = setTimeout(() => {
    controller.abort(
      new S3BatchError(
        'STORE_TIMEOUT',
        `The store did not finish within ${ms} ms: ${place}. Check the store and the network, or give it more time.`,
      ),
    );
  }, ms);
  // Each call under way is one listener; many at a time are no leak, which is what Node.js would warn of.
  setMaxListeners(0, ...signals);
  for (const signal of signals) signal.addEventListener('abort', abort);
  try {
    if (signals.some((signal) => signal.aborted)) abort();
    return await Promise.race([ended, controller.signal.aborted ? ended : work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}
