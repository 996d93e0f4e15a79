import type { Node, NodeAPI, NodeMessage } from 'node-red';

import { finish } from './done';
import { errorStatus } from './error-status';
import { migrate, type NodeType } from './settings-version';
import { asError, type Done, type Send } from './types';

/** What a node does whose settings cannot work: it tells so, and ends each message with the error. */
export function refuseEverything(RED: NodeAPI, node: Node, error: Error): void {
  node.status(errorStatus(RED, error));
  node.error(error.message);
  node.on('input', (_message: NodeMessage, _send: Send, done: Done) => {
    finish(node, done, error);
  });
}

/** A node's settings as this version of the package has them; undefined when it cannot: the node refuses everything then. */
export function readSettings<Config extends object>(
  RED: NodeAPI,
  node: Node,
  type: NodeType,
  stored: Config,
): Config | undefined {
  try {
    return migrate(type, stored);
  } catch (error) {
    refuseEverything(RED, node, asError(error));
    return undefined;
  }
}
