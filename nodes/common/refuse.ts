import type { Node, NodeAPI, NodeMessage } from 'node-red';

import { acknowledgements } from '../../lib/delivery/acknowledgements';
import { finish } from './done';
import { errorStatus } from './error-status';
import { migrate, type NodeType } from './settings-version';
import { asError, type Done, type Send } from './types';

/** Nodes that keep messages: a copy that another one keeps does not stand for the one that such a node refuses. */
const KEEPERS: ReadonlySet<string> = new Set(['s3-batch-out', 'batch-backup']);

/** What a node does whose settings cannot work: it tells so, and ends each message with the error. */
export function refuseEverything(RED: NodeAPI, node: Node, error: Error): void {
  node.status(errorStatus(RED, error));
  node.error(error.message);
  node.on('input', (message: NodeMessage, _send: Send, done: Done) => {
    if (KEEPERS.has(node.type)) acknowledgements.get(message._msgid)?.refuse();
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
