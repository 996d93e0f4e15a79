import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import { S3BatchError } from '../lib/errors';
import type { Layout } from '../lib/layout';
import {
  attributeCacheOf,
  counted,
  findObject,
  findObjects,
  noProgress,
  noTraffic,
  type ObjectMatch,
  planRequests,
  type QueryProgress,
  requestsOf,
  type Traffic,
} from '../lib/query';
import { safeDone } from './common/done';
import { errorStatus } from './common/error-status';
import { evaluate } from './common/evaluate';
import { FlowPace } from './common/flow-pace';
import { checkQuery, mergeLevels, objectNameOf, type QueryInput, queryOf } from './common/query-input';
import { readSettings } from './common/refuse';
import { textsOf } from './common/texts';
import { asError, type Done, layoutOf, type Send, storeOf } from './common/types';

interface Config extends NodeDef {
  connection: string;
  layout: string;
  bucket: string;
  bucketType: string;
  key: string;
  keyType: string;
  levels: { level: string; value: string; valueType: string }[];
  from: string;
  fromType: string;
  to: string;
  toType: string;
  series: string;
  seriesType: string;
  keyPrefix: string;
  keyPrefixType: string;
  planOnly: boolean;
  dropDuplicates: boolean;
  output: 'message' | 'objects';
}

/** What a query costs: asked so far, and what fetching its records would add. */
interface Plan {
  objects: Omit<QueryProgress, 'records' | 'candidates' | 'duplicates' | 'failed'>;
  failed: QueryProgress['failed'];
  records: number;
  /** Where duplicates are dropped: records that are like another one, and, unless only a plan is made, how many went. */
  candidates?: number;
  duplicates?: number;
  /** Requests and bytes that the query took, those that compared records too. */
  asked: { requests: number; bytes: number };
  /** Requests and bytes that bring the records. */
  toFetch: { requests: number; bytes: number };
  /** Bytes of the matching objects: what a download of them would take. */
  download: number;
}

/** Objects that the flow may have at work; each brings an entry for each of its wanted records. */
const OBJECTS_AHEAD = 16;
/** How often the status follows a running query, ms. */
const PROGRESS_EVERY = 500;

export = function (RED: NodeAPI): void {
  function OffsetIndexNode(this: Node, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 'offset-index', stored);
    if (!config) return;
    const closing = new AbortController();

    const text = textsOf(RED, 'offset-index');
    /** A number of things in words: `1 object`, `1,250 objects`. */
    const amount = (count: number, thing: 'object' | 'record' | 'request' | 'duplicate'): string =>
      text(`amount.${thing}`, { count });

    /** What dialogue and message ask; `msg.query` wins. */
    const inputOf = async (message: NodeMessage): Promise<QueryInput> => {
      const typed = (value: string, type: string) => evaluate(RED, this, { value, type }, message);
      const asked = queryOf(message);
      const levels: Record<string, unknown> = {};
      for (const row of config.levels) levels[row.level] = await typed(row.value, row.valueType);
      return {
        bucket: await typed(config.bucket, config.bucketType),
        from: await typed(config.from, config.fromType),
        to: await typed(config.to, config.toType),
        series: await typed(config.series, config.seriesType),
        keyPrefix: await typed(config.keyPrefix, config.keyPrefixType),
        ...asked,
        levels: mergeLevels(levels, asked.levels),
      };
    };

    const answer = async (message: NodeMessage, send: Send): Promise<void> => {
      const traffic = noTraffic();
      const ownStore = storeOf(RED, config.connection);
      const store = counted(ownStore, traffic);
      const layout = layoutOf(RED, config.layout);
      const query = checkQuery(await inputOf(message), layout);
      const objectName =
        message.query === undefined
          ? objectNameOf(await evaluate(RED, this, { value: config.key, type: config.keyType }, message))
          : undefined;
      const progress = noProgress();
      const show = setInterval(() => {
        this.status({
          fill: 'blue',
          shape: 'dot',
          text: text('status.progress', {
            objects: amount(progress.listed, 'object'),
            requests: amount(requestsOf(traffic), 'request'),
          }),
        });
      }, PROGRESS_EVERY);
      const options = {
        signal: closing.signal,
        cache: attributeCacheOf(ownStore),
        dropDuplicates: config.dropDuplicates,
        planOnly: config.planOnly,
      };
      try {
        const { bucket } = query;
        const objects =
          bucket && objectName !== undefined
            ? [await findObject(store, { bucket, key: objectName }, query, layout, progress, options)]
            : findObjects(store, needLayout(layout), query, progress, options);
        await sendMatches(objects, message, send, progress, traffic);
      } finally {
        clearInterval(show);
      }
      if (progress.failed.length > 0) this.warn({ message: text('error.failed'), failed: progress.failed });
      this.status({
        fill: progress.failed.length > 0 ? 'yellow' : 'green',
        shape: 'dot',
        text: text(`status.${progress.duplicates > 0 ? 'foundOnce' : 'found'}`, {
          matching: progress.matching,
          objects: amount(progress.listed, 'object'),
          records: amount(progress.records, 'record'),
          duplicates: amount(progress.duplicates, 'duplicate'),
        }),
      });
    };

    const sendMatches = async (
      objects: AsyncIterable<ObjectMatch> | Iterable<ObjectMatch>,
      message: NodeMessage,
      send: Send,
      progress: QueryProgress,
      traffic: Traffic,
    ): Promise<void> => {
      const found: ObjectMatch[] = [];
      const toFetch = { requests: 0, bytes: 0 };
      let download = 0;
      const separate = config.output === 'objects' && !config.planOnly;
      const rest = { ...message };
      delete rest.payload;
      delete rest.parts;
      const id = RED.util.generateId();
      let sent = 0;
      const pace = new FlowPace(RED.hooks, {
        node: this.id,
        message: message._msgid ?? '',
        sequence: id,
        most: separate ? OBJECTS_AHEAD : 0,
        signal: closing.signal,
      });
      try {
        for await (const object of objects) {
          const requests = planRequests([object]);
          toFetch.requests += requests.length;
          toFetch.bytes += requests.reduce((sum, { span }) => sum + span.length, 0);
          download += object.size;
          if (separate) {
            send({
              // Each message may be changed by the flow, and must not change the others.
              ...RED.util.cloneMessage(rest),
              payload: { objects: [object] },
              parts: { id, index: sent++, type: 'array', ...nested(message) },
            });
            const pause = pace.sent();
            if (pause) await pause;
          } else if (!config.planOnly) found.push(object);
        }
      } finally {
        pace.stop();
      }
      const { records, candidates, duplicates, failed, ...counts } = progress;
      const plan: Plan = {
        objects: counts,
        failed,
        records,
        ...(config.dropDuplicates && { candidates, ...(!config.planOnly && { duplicates }) }),
        asked: { requests: requestsOf(traffic), bytes: traffic.bytes },
        toFetch,
        download,
      };
      if (separate) {
        // The last of the sequence: only now is its length known.
        send({
          ...RED.util.cloneMessage(rest),
          payload: { plan, objects: [] },
          parts: { id, index: sent, count: sent + 1, type: 'array', ...nested(message) },
        });
      } else send({ ...message, payload: config.planOnly ? { plan } : { plan, objects: found } });
    };

    this.on('input', (message: NodeMessage, send: Send, nodeDone: Done) => {
      const done = safeDone(this, nodeDone);
      answer(message, send).then(
        () => {
          done();
        },
        (error: unknown) => {
          // The status is by now that of the node's successor.
          if (!closing.signal.aborted) this.status(errorStatus(RED, asError(error)));
          done(asError(error));
        },
      );
    });
    this.on('close', () => {
      closing.abort();
    });
  }
  RED.nodes.registerType('offset-index', OffsetIndexNode);
};

function needLayout(layout: Layout | undefined): Layout {
  if (layout) return layout;
  throw new S3BatchError(
    'QUERY_INVALID',
    'a query over an archive needs the archive layout that it was written with: choose it in the dialogue of the node, or ask for one object by msg.bucket and msg.key',
  );
}

/** A sequence within a sequence, as the split node nests them. */
function nested(message: NodeMessage): { parts?: unknown } {
  return message.parts === undefined ? {} : { parts: message.parts };
}
