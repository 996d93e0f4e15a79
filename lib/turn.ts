/**
 * What a run of calls may take of one turn of the event loop, ms. Each call may run a user's flow, so a number of calls
 * says nothing: too many hold the loop, and too few fall behind the messages that come in every turn.
 */
const A_TURN = 4;
/** Calls between two looks at the clock. */
const A_LOOK = 8;

/**
 * Calls `step` again and again, until it answers false or the turn has taken long enough.
 * @returns true when there is more to do, in another turn
 */
export function workATurn(step: () => boolean): boolean {
  const until = performance.now() + A_TURN;
  do {
    for (let calls = 0; calls < A_LOOK; calls++) if (!step()) return false;
  } while (performance.now() < until);
  return true;
}
