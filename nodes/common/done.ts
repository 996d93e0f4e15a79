import type { Node } from 'node-red';

import { asError, type Done } from './types';

/**
 * Calls `done`, and never throws. Node-RED's does when a catch node should get a message that cannot be copied, one that
 * is nested too deeply for instance; thrown where nobody waits for it, that would end the process with all its flows.
 */
export function finish(node: Node, done: Done, error?: Error): void {
  try {
    if (error) done(error);
    else done();
  } catch (thrown) {
    node.error(asError(thrown));
  }
}

/** `done` that never throws; see {@link finish}. */
export function safeDone(node: Node, done: Done): Done {
  return (error) => {
    finish(node, done, error);
  };
}
