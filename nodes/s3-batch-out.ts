import { hostname } from 'node:os';

import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import { BatchWriter, type BatchWriterSettings, type StoredObject } from '../lib/batch';
import { S3BatchError } from '../lib/errors';
import { Layout, TopicFilter } from '../lib/layout';
import type { Compression, Framing } from '../lib/object';
import { BatchStatus } from './common/batch-status';
import { finishWithoutNode, ParkedWriters, type WriterSlot } from './common/parked-writers';
import { payloadBytes, topicOf } from './common/payload';
import {
  asError,
  type Done,
  type BatchOutNode,
  layoutOf,
  numberOf,
  type Send,
  storeOf,
} from './common/types';

interface Config extends NodeDef {
  connection: string;
  layout: string;
  count: string | number;
  bytes: string | number;
  age: string | number;
  idle: string | number;
  framing: Framing;
  compression: Compression;
  flushTopic: string;
  completion: 'batched' | 'stored';
  uploads: string | number;
  memory: string | number;
  instance: string;
  blockSize: string | number;
}

const MIB = 1024 * 1024;
/** Node-RED gives a node 15 s to close. */
const CLOSE_MS = 10_000;

function settingsOf(RED: NodeAPI, config: Config): BatchWriterSettings {
  return {
    store: storeOf(RED, config.connection),
    layout: layoutOf(RED, config.layout) ?? new Layout({}),
    limits: {
      count: numberOf(config.count, 10_000),
      bytes: numberOf(config.bytes, 32) * MIB,
      age: numberOf(config.age, 300) * 1000,
      idle: numberOf(config.idle, 0) * 1000,
    },
    framing: config.framing,
    compression: config.compression,
    uploads: numberOf(config.uploads, 4),
    memory: numberOf(config.memory, 256) * MIB,
    blockSize: numberOf(config.blockSize, 128) * 1024,
    instance: config.instance || hostname(),
  };
}

function messageOf(object: StoredObject): NodeMessage {
  const { bucket, key, etag } = object;
  const first = new Date(object.first).toISOString();
  const last = new Date(object.last).toISOString();
  return { topic: `${bucket}/${key}`, bucket, key, etag, payload: { ...object, first, last } };
}

export = function (RED: NodeAPI): void {
  const parked = new ParkedWriters(RED);

  /** The writer that the node's predecessor left, or a new one. */
  function slotFor(id: string, settings: BatchWriterSettings): WriterSlot {
    const left = parked.take(id);
    if (left) {
      left.writer.configure(settings);
      return left;
    }
    const slot: Pick<WriterSlot, 'listener' | 'untold'> = { listener: undefined, untold: [] };
    const writer = new BatchWriter(settings, {
      stored: (object) => {
        if (slot.listener) slot.listener.stored(object);
        else slot.untold.push(object);
      },
      failed: (error, upload, pause) => slot.listener?.failed(error, upload, pause),
    });
    return Object.assign(slot, { writer });
  }

  function S3BatchOutNode(this: BatchOutNode, config: Config): void {
    RED.nodes.createNode(this, config);
    let slot: WriterSlot;
    let flushTopic: TopicFilter | undefined;
    try {
      flushTopic = filterOf(config.flushTopic);
      slot = slotFor(this.id, settingsOf(RED, config));
    } catch (error) {
      refuseEverything(this, asError(error));
      return;
    }
    const { writer } = slot;
    const status = new BatchStatus(RED, this, writer);

    slot.listener = {
      stored: (object) => {
        status.changed();
        this.send(messageOf(object));
      },
      failed: (error, { batch, failures }, pause) => {
        status.changed();
        const text = `${batch.bucket}/${batch.key}: ${error.message}; it is held and tried again in ${Math.ceil(pause / 1000)} s`;
        if (failures === 1) this.warn(text);
        else this.debug(text);
      },
    };
    for (const object of slot.untold.splice(0)) slot.listener.stored(object);

    this.counts = writer.counts;
    this.flush = (destination) => writer.flush(destination);

    this.on('input', (message: NodeMessage, _send: Send, done: Done) => {
      try {
        const destination = flushOf(message, flushTopic);
        if (destination !== undefined) {
          writer.flush(destination === true ? undefined : destination).then(() => {
            done();
          }, done);
          return;
        }
        const topic = topicOf(message.topic);
        const payload = payloadBytes(message.payload);
        if (config.completion === 'stored') writer.append(topic, payload, Date.now(), done);
        else {
          writer.append(topic, payload, Date.now());
          done();
        }
      } catch (error) {
        done(asError(error));
      }
      status.changed();
    });

    this.on('close', (removed: boolean, done: () => void) => {
      status.stop();
      if (removed) {
        finishWithoutNode(RED, this.id, slot);
        done();
      } else if (parked.deploying) {
        parked.park(this.id, slot);
        done();
      } else {
        void closeWriter(this, writer).then(done);
      }
    });
  }

  function refuseEverything(node: Node, error: Error): void {
    node.status({ fill: 'red', shape: 'ring', text: error.message });
    node.error(error.message);
    node.on('input', (_message: NodeMessage, _send: Send, done: Done) => {
      done(error);
    });
  }

  async function closeWriter(node: Node, writer: BatchWriter): Promise<void> {
    const lost = await writer.close(CLOSE_MS);
    if (lost.length === 0) return;
    const records = lost.reduce((sum, batch) => sum + batch.count, 0);
    node.error(
      `the process stops with ${records} records in ${lost.length} batches that could not be stored within ${CLOSE_MS / 1000} s; ` +
        'they were in memory only and are lost',
    );
  }

  RED.nodes.registerType('s3-batch-out', S3BatchOutNode);
};

/** @throws LAYOUT_INVALID */
function filterOf(flushTopic: string): TopicFilter | undefined {
  if (!flushTopic) return undefined;
  const filter = TopicFilter.parse(flushTopic);
  if (filter) return filter;
  throw new S3BatchError(
    'LAYOUT_INVALID',
    `the flush topic "${flushTopic}" is no MQTT topic filter: use levels, + and a trailing #`,
  );
}

/** The destination to flush, true for all, undefined when the message is a record. */
function flushOf(message: NodeMessage, flushTopic: TopicFilter | undefined): string | true | undefined {
  if (message.flush !== undefined && message.flush !== false) {
    return typeof message.flush === 'string' && message.flush !== '' ? message.flush : true;
  }
  if (typeof message.topic !== 'string' || !flushTopic?.matches(message.topic)) return undefined;
  const { payload } = message;
  const destination =
    typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.toString().trim() : '';
  return destination === '' ? true : destination;
}
