import { S3BatchError } from '../errors';
import { guarded } from '../guarded';
import { workATurn } from '../turn';

/** Called once: without an error when the record's object is stored, with one when it never will be by this process. */
export type Settled = (error?: Error) => void;

/** Calls each callback once, in as many turns of the event loop as it takes. */
export function settleInTurns(callbacks: readonly Settled[], isStored: boolean, from = 0): void {
  let next = from;
  const isMore = workATurn(() => {
    const callback = callbacks[next++];
    guarded(() => {
      if (isStored) callback?.();
      else callback?.(new S3BatchError('CLOSED', 'the process stopped before the object was stored'));
    });
    return next < callbacks.length;
  });
  if (isMore) setImmediate(settleInTurns, callbacks, isStored, next);
}
