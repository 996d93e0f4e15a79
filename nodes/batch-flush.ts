import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import { S3BatchError } from '../lib/errors';
import { safeDone } from './common/done';
import { errorStatus } from './common/error-status';
import { evaluate, type TypedValue } from './common/evaluate';
import { readSettings } from './common/refuse';
import { storedPayload } from './common/stored-payload';
import { textsOf } from './common/texts';
import { asError, type Done, type BatchOutNode, type Send } from './common/types';

interface Config extends NodeDef {
  target: string;
  destination: string;
  destinationType: string;
}

export = function (RED: NodeAPI): void {
  function BatchFlushNode(this: Node, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 'batch-flush', stored);
    if (!config) return;
    const text = textsOf(RED, 'batch-flush');
    const destination: TypedValue = { value: config.destination, type: config.destinationType };

    const flush = async (message: NodeMessage, send: Send): Promise<void> => {
      const target = RED.nodes.getNode(config.target) as BatchOutNode | null;
      if (typeof target?.flush !== 'function') throw new Error(text('error.noTarget'));
      const wanted = destinationOf(await evaluate(RED, this, destination, message));
      this.status({ fill: 'blue', shape: 'dot', text: text('status.flushing') });
      const stored = await target.flush(wanted);
      const objects = text('amount.object', { count: stored.length });
      const records = text('amount.record', { count: stored.reduce((sum, object) => sum + object.count, 0) });
      this.status({ fill: 'green', shape: 'dot', text: text('status.flushed', { objects, records }) });
      send({ ...message, payload: stored.map(storedPayload) });
    };

    this.on('input', (message: NodeMessage, send: Send, nodeDone: Done) => {
      const done = safeDone(this, nodeDone);
      flush(message, send).then(
        () => {
          done();
        },
        (error: unknown) => {
          this.status(errorStatus(RED, asError(error)));
          done(asError(error));
        },
      );
    });
  }
  RED.nodes.registerType('batch-flush', BatchFlushNode);

  // The button of the node in the editor.
  RED.httpAdmin.post(
    '/s3-batch/flush/:id',
    RED.auth.needsPermission('batch-flush.write'),
    (request, response) => {
      const node = RED.nodes.getNode(String(request.params.id)) as Node | null;
      if (node?.type !== 'batch-flush') {
        response.sendStatus(404);
        return;
      }
      node.receive({});
      response.sendStatus(200);
    },
  );
};

/** A bucket, or bucket/prefix; undefined for all. @throws QUERY_INVALID */
function destinationOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string')
    throw new S3BatchError('QUERY_INVALID', 'the destination must be text: a bucket, or bucket/prefix');
  return value.trim() === '' ? undefined : value.trim();
}
