import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import { DEFAULT_MAX_BLOCK } from '../lib/object';
import { S3BatchError } from '../lib/errors';
import {
  counted,
  DEFAULT_MERGE,
  EVERYTHING,
  type FetchedRecord,
  fetchRecords,
  headObject,
  matchObject,
  noTraffic,
  type ObjectMatch,
  requestsOf,
  turnEvery,
} from '../lib/query';
import type { ObjectStore } from '../lib/store/object-store';
import { bytesText } from './common/bytes';
import { safeDone } from './common/done';
import { errorStatus } from './common/error-status';
import { FlowPace } from './common/flow-pace';
import { InSequence } from './common/in-sequence';
import { evaluate } from './common/evaluate';
import { type PayloadType, recordMembers } from './common/record-message';
import { namedObject, type ReadInput, readInputOf } from './common/read-input';
import { readSettings } from './common/refuse';
import { textsOf } from './common/texts';
import { asError, type Done, numberOf, type Send, storeOf } from './common/types';

interface Config extends NodeDef {
  connection: string;
  /** The object to read, where the message does not name one. */
  bucket: string;
  bucketType: string;
  key: string;
  keyType: string;
  payload: PayloadType;
  output: 'messages' | 'array';
  dropDuplicates: boolean;
  gap: string | number;
  parallel: string | number;
  /** Most messages that the flow has at work; 0: any number. */
  ahead: string | number;
}

/** Records put into an array in one turn of the event loop. */
const RECORDS_A_TURN = 100;
const DEFAULT_AHEAD = 1000;
/** How often the status follows, ms. */
const PROGRESS_EVERY = 500;

/** Takes records as they come, and makes messages of them. */
interface Emitter {
  /** When to go on, unless it is at once. */
  record(record: FetchedRecord): Promise<void> | undefined;
  end(more: object): void;
  isWaiting(): boolean;
  stop(): void;
}

export = function (RED: NodeAPI): void {
  function S3RangeInNode(this: Node, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 's3-range-in', stored);
    if (!config) return;
    const closing = new AbortController();
    const { signal } = closing;

    const inSequence = new InSequence();
    const payloadType = config.payload;

    const typed = (value: string, type: string, message: NodeMessage): Promise<unknown> =>
      evaluate(RED, this, { value, type }, message);

    const read = async (message: NodeMessage, send: Send): Promise<void> => {
      const traffic = noTraffic();
      const store = counted(storeOf(RED, config.connection), traffic);
      const input =
        namedObject(
          await typed(config.bucket, config.bucketType, message),
          await typed(config.key, config.keyType, message),
        ) ?? readInputOf(message);
      if (input.kind === 'range') {
        send(await rangeMessage(store, input, message, signal));
        this.status({ fill: 'green', shape: 'dot', text: bytesText(RED, traffic.bytes) });
        return;
      }
      const objects = input.kind === 'matches' ? input.objects : [await wholeObject(store, input, signal)];
      const total = objects.reduce((sum, object) => sum + countEntries(object), 0);
      const progress = { duplicates: 0 };
      const { dropDuplicates } = config;
      const emit =
        config.output === 'array'
          ? collect(message, send)
          : spread(message, send, dropDuplicates ? undefined : total);
      let count = 0;
      const show = setInterval(() => {
        const values = {
          records: count + progress.duplicates,
          total,
          bytes: bytesText(RED, traffic.bytes),
        };
        const state = emit.isWaiting() ? 'waiting' : 'reading';
        this.status({ fill: 'blue', shape: 'dot', text: text(`status.${state}`, values) });
      }, PROGRESS_EVERY);
      try {
        const merge = { ...DEFAULT_MERGE, gap: numberOf(config.gap, 1024) * 1024 };
        const parallel = Math.max(1, numberOf(config.parallel, 8));
        const options = { merge, parallel, signal, dropDuplicates, progress };
        for await (const records of fetchRecords(store, objects, options)) {
          for (const record of records) {
            const pause = emit.record(record);
            count++;
            // The flow gets its turn, and its memory back, before more is read.
            if (pause) await pause;
          }
        }
        emit.end(dropDuplicates ? { duplicates: progress.duplicates } : {});
      } finally {
        clearInterval(show);
        emit.stop();
      }
      const done = progress.duplicates > 0 ? 'doneOnce' : 'done';
      const values = {
        records: amount(count, 'record'),
        duplicates: amount(progress.duplicates, 'duplicate'),
        bytes: bytesText(RED, traffic.bytes),
        requests: amount(requestsOf(traffic), 'request'),
      };
      this.status({ fill: 'green', shape: 'dot', text: text(`status.${done}`, values) });
    };

    const text = textsOf(RED, 's3-range-in');
    /** A number of things in words: `1 request`, `1,250 requests`. */
    const amount = (count: number, thing: 'record' | 'request' | 'duplicate'): string =>
      text(`amount.${thing}`, { count });

    /**
     * One message a record, with what `join` needs to put the sequence together.
     * @param count of the records, where it is known; else the last message tells it, which is held until the end
     */
    const spread = (message: NodeMessage, send: Send, count: number | undefined): Emitter => {
      const id = RED.util.generateId();
      const outer = message.parts === undefined ? {} : { parts: message.parts };
      const rest = { ...message };
      delete rest.payload;
      delete rest.parts;
      const pace = new FlowPace(RED.hooks, {
        node: this.id,
        message: message._msgid ?? '',
        sequence: id,
        most: Math.max(0, numberOf(config.ahead, DEFAULT_AHEAD)),
        signal,
      });
      let index = 0;
      let held: FetchedRecord | undefined;
      const sendRecord = (record: FetchedRecord, known: { count?: number }, more: object = {}): void => {
        send({
          // Each message may be changed by the flow, and must not change the others.
          ...RED.util.cloneMessage(rest),
          ...recordMembers(record, payloadType),
          bucket: record.object.bucket,
          object: record.object.key,
          ...more,
          parts: { id, index: index++, ...known, type: 'array', ...outer },
        });
      };
      return {
        record: (record) => {
          if (count !== undefined) sendRecord(record, { count });
          else {
            if (held) sendRecord(held, {});
            held = record;
          }
          return pace.sent();
        },
        end: (more) => {
          if (held) sendRecord(held, { count: index + 1 }, more);
        },
        isWaiting: () => pace.isWaiting,
        stop: () => {
          pace.stop();
        },
      };
    };

    /** One message with all records. */
    const collect = (message: NodeMessage, send: Send): Emitter => {
      const all: object[] = [];
      const turn = turnEvery(RECORDS_A_TURN);
      return {
        record: (record) => {
          all.push(recordMembers(record, payloadType));
          return turn();
        },
        end: (more) => {
          send({ ...message, ...more, payload: all });
        },
        isWaiting: () => false,
        stop: () => undefined,
      };
    };

    this.on('input', (message: NodeMessage, send: Send, nodeDone: Done) => {
      const done = safeDone(this, nodeDone);
      // The messages of one question go on in their order, and their records are not all in memory at once.
      const work = inSequence.run(message._msgid ?? '', async () => {
        if (signal.aborted) throw new S3BatchError('ABORTED', 'the node was closed before it read this');
        await read(message, send);
      });
      work.then(
        () => {
          done();
        },
        (error: unknown) => {
          // The status is by now that of the node's successor.
          if (!signal.aborted) this.status(errorStatus(RED, asError(error)));
          done(asError(error));
        },
      );
    });
    this.on('close', () => {
      closing.abort();
    });
  }
  RED.nodes.registerType('s3-range-in', S3RangeInNode);
};

async function wholeObject(
  store: ObjectStore,
  { bucket, key }: Extract<ReadInput, { kind: 'object' }>,
  signal: AbortSignal,
): Promise<ObjectMatch> {
  return matchObject(store, await headObject(store, bucket, key, signal), EVERYTHING, signal);
}

async function rangeMessage(
  store: ObjectStore,
  input: Extract<ReadInput, { kind: 'range' }>,
  message: NodeMessage,
  signal: AbortSignal,
): Promise<NodeMessage> {
  const { bucket, key, offset, length, etag } = input;
  if (length > DEFAULT_MAX_BLOCK) {
    throw new S3BatchError(
      'OBJECT_TOO_LARGE',
      `a range of ${length} bytes is more than the ${DEFAULT_MAX_BLOCK} that fit a message: ask for several`,
    );
  }
  const part = await store.getRange(
    bucket,
    key,
    { offset, length },
    { ...(etag !== undefined && { etag }), signal },
  );
  return { ...message, bucket, key, payload: part.bytes, etag: part.etag };
}

function countEntries(object: ObjectMatch): number {
  return object.blocks.reduce((sum, block) => sum + block.entries.length, 0);
}
