import type { Node, NodeAPI } from 'node-red';

import { type ErrorCode, S3BatchError } from '../../lib/errors';
import type { Layout } from '../../lib/layout';
import { counted, noTraffic, requestsOf } from '../../lib/query';
import type { ObjectStore } from '../../lib/store/object-store';
import { asError, layoutOf, storeOf } from '../../nodes/common/types';

/**
 * What a user needs to look into archives. Neither Node-RED's permission to read nor that to write contains it: who may
 * look at flows may not therefore read whatever their connections can.
 */
export const PERMISSION = 's3-batch.browse';

/** What the browser asks. */
export interface Question {
  /** The store of the chosen connection. */
  store: ObjectStore;
  /** The same store as the connection has it; see {@link attributeCacheOf}. */
  cacheOwner: object;
  /** The chosen layout, if any. */
  layout: Layout | undefined;
  /** Aborts when nobody waits for the answer any more. */
  signal: AbortSignal;
  /** A parameter; of the others, if it is given, and as a whole number from 0 on. @throws QUERY_INVALID */
  text: (name: string) => string;
  optional: (name: string) => string | undefined;
  count: (name: string) => number;
}

/** What is wrong with the question itself, not with the store or an object. */
const OF_QUESTION: ReadonlySet<ErrorCode> = new Set([
  'BUCKET_INVALID',
  'CONNECTION_INVALID',
  'LAYOUT_INVALID',
  'QUERY_INVALID',
]);

/**
 * Answers `GET s3-batch/browse/CONNECTION/NAME`, where CONNECTION is the id of a deployed connection: with what `answer`
 * gives or with the code and message of the error, and in any case with the requests and bytes that it took.
 */
export function browseRoute(
  RED: NodeAPI,
  name: string,
  answer: (question: Question) => Promise<object>,
): void {
  RED.httpAdmin.get(
    `/s3-batch/browse/:connection/${name}`,
    RED.auth.needsPermission(PERMISSION),
    (request, response) => {
      const leaving = new AbortController();
      response.on('close', () => {
        leaving.abort();
      });
      const traffic = noTraffic();
      const asked = (): object => ({ requests: requestsOf(traffic), bytes: traffic.bytes });
      const send = (status: number, body: object): void => {
        if (leaving.signal.aborted) return;
        response
          .set('Cache-Control', 'no-store')
          .status(status)
          .json({ ...body, asked: asked() });
      };
      const ask = async (): Promise<object> => {
        const parameters: Readonly<Record<string, unknown>> = request.query;
        const own = connectedStore(RED, String(request.params.connection));
        const optional = (parameter: string): string | undefined => {
          const value = parameters[parameter];
          if (value === undefined || value === '') return undefined;
          if (typeof value === 'string') return value;
          throw new S3BatchError('QUERY_INVALID', `the parameter ${parameter} must be given once`);
        };
        return answer({
          store: counted(own, traffic),
          cacheOwner: own,
          layout: chosenLayout(RED, optional('layout')),
          signal: leaving.signal,
          optional,
          text: (parameter) => needed(parameter, optional(parameter)),
          count: (parameter) => countOf(parameter, optional(parameter) ?? '0'),
        });
      };
      ask().then(
        (body) => {
          send(200, body);
        },
        (error: unknown) => {
          if (error instanceof S3BatchError) {
            const { code, message } = error;
            send(OF_QUESTION.has(code) ? 400 : 502, { code, message });
            return;
          }
          RED.log.error(
            `s3-batch: the object browser failed: ${asError(error).stack ?? asError(error).message}`,
          );
          send(500, { code: 'INTERNAL', message: asError(error).message });
        },
      );
    },
  );
}

/** @throws CONNECTION_INVALID when there is no such connection among what runs, or when its settings are wrong */
function connectedStore(RED: NodeAPI, id: string): ObjectStore {
  const node = RED.nodes.getNode(id) as Node | null;
  if (node?.type === 's3-connection') return storeOf(RED, id);
  throw new S3BatchError(
    'CONNECTION_INVALID',
    'the S3 connection is not among what runs: deploy it, or enable it',
  );
}

/** @throws LAYOUT_INVALID */
function chosenLayout(RED: NodeAPI, id: string | undefined): Layout | undefined {
  const node = id === undefined ? undefined : (RED.nodes.getNode(id) as Node | null);
  if (!node || node.type === 'archive-layout') return layoutOf(RED, id);
  throw new S3BatchError('LAYOUT_INVALID', 'what is chosen is no archive layout: choose another');
}

function needed(parameter: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new S3BatchError('QUERY_INVALID', `the parameter ${parameter} is missing`);
}

function countOf(parameter: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new S3BatchError('QUERY_INVALID', `the parameter ${parameter} must be a whole number`);
}
