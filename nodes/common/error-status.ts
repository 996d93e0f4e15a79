import type { NodeStatus } from 'node-red';

/** Characters that a status shows: more would run into the next nodes. */
const LONGEST = 80;

/**
 * What happened, in few words. Errors go on with where and why, and with what to do: that is in the log, and where a
 * catch node gets it.
 */
export function headline(message: string): string {
  const [first = ''] = message.split(/[:;.] /, 1);
  return first.length > LONGEST ? `${first.slice(0, LONGEST - 1)}…` : first;
}

export function errorStatus(error: Error): NodeStatus {
  return { fill: 'red', shape: 'ring', text: headline(error.message) };
}
