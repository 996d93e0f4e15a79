import { S3BatchError } from '../errors';
import { guarded } from '../guarded';

/** Called once: without an error when the record's object is stored, with one when it never will be by this process. */
export type Settled = (error?: Error) => void;

/** Callbacks at a time: each may run a user's flow, and ten thousand in one turn would hold the event loop. */
const SETTLED_A_TURN = 200;

/** Calls each callback once, some in every turn of the event loop. */
export function settleInTurns(callbacks: readonly Settled[], isStored: boolean, from = 0): void {
  const next = from + SETTLED_A_TURN;
  for (const callback of callbacks.slice(from, next)) {
    guarded(() => {
      if (isStored) callback();
      else callback(new S3BatchError('CLOSED', 'the process stopped before the object was stored'));
    });
  }
  if (next < callbacks.length) setImmediate(settleInTurns, callbacks, isStored, next);
}
