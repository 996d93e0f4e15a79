import type { NodeAPI, NodeStatus } from 'node-red';

import { S3BatchError } from '../../lib/errors';
import { textsOf } from './texts';

/** Characters that a status shows: more would run into the next nodes. */
const LONGEST = 80;

/**
 * What happened, in few words: where and why, and what to do, is in the log, and where a catch node gets it. Errors that
 * are not of this package, such as those of expressions, have no words but their own.
 */
export function headline(RED: NodeAPI, error: Error): string {
  const defaultValue = firstWords(error.message);
  if (!(error instanceof S3BatchError)) return defaultValue;
  // One catalogue has the headlines of all nodes.
  const text = textsOf(RED, 'node-red-contrib-s3-batch/s3-connection:s3-connection.headline');
  return text(error.code, { defaultValue });
}

export function errorStatus(RED: NodeAPI, error: Error): NodeStatus {
  return { fill: 'red', shape: 'ring', text: headline(RED, error) };
}

function firstWords(message: string): string {
  const [first = ''] = message.split(/[:;.] /, 1);
  return first.length > LONGEST ? `${first.slice(0, LONGEST - 1)}…` : first;
}
