import { hostname } from 'node:os';

import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import {
  BatchWriter,
  type BatchWriterSettings,
  type JournalSettings,
  type Recovery,
  type SafeAt,
  type Settled,
  type StoredObject,
} from '../lib/batch';
import { acknowledgements, type HeldAcknowledgement } from '../lib/delivery/acknowledgements';
import { announcementsOf } from '../lib/delivery/announcement';
import { digestsOf } from '../lib/delivery/digest';
import { S3BatchError } from '../lib/errors';
import { Layout, TopicFilter } from '../lib/layout';
import type { Compression, Framing } from '../lib/object';
import { BatchStatus } from './common/batch-status';
import { finish, safeDone } from './common/done';
import { journalFolder, warnOfOrphanedJournals } from './common/journal-folder';
import { LedgerOutput } from './common/ledger-output';
import { ParkedWriters, type WriterListener, type WriterSlot } from './common/parked-writers';
import { payloadBytes, topicOf } from './common/payload';
import { RecentMessages, shareRecentMessages } from './common/recent-messages';
import { readSettings, refuseEverything } from './common/refuse';
import { storedPayload } from './common/stored-payload';
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
  completion: 'batched' | SafeAt;
  journal: boolean;
  journalFolder: string;
  commitMs: string | number;
  commitRecords: string | number;
  controlTopic: string;
  uploads: string | number;
  memory: string | number;
  instance: string;
  blockSize: string | number;
}

/** A writer and the node that has it. */
type Slot = WriterSlot<BatchWriter, Recovery>;

const MIB = 1024 * 1024;
/** The node's outputs. */
const OUTPUT = { stored: 0, ledger: 1, announcements: 2 } as const;
/** What Node-RED gives a node to close, unless its settings say otherwise, ms. */
const NODE_CLOSE_TIMEOUT = 15_000;

function settingsOf(RED: NodeAPI, config: Config): BatchWriterSettings {
  return {
    store: storeOf(RED, config.connection),
    layout: layoutOf(RED, config.layout) ?? new Layout({}),
    limits: {
      count: numberOf(config.count, 10_000),
      bytes: Math.round(numberOf(config.bytes, 32) * MIB),
      age: numberOf(config.age, 300) * 1000,
      idle: numberOf(config.idle, 0) * 1000,
    },
    framing: config.framing,
    compression: config.compression,
    // With none at a time nothing would ever be stored.
    uploads: Math.max(1, Math.round(numberOf(config.uploads, 4))),
    memory: Math.round(numberOf(config.memory, 256) * MIB),
    blockSize: Math.round(numberOf(config.blockSize, 128) * 1024),
    instance: config.instance || hostname(),
    journal: journalOf(RED, config),
    digest: config.controlTopic ? digestsOf : undefined,
  };
}

function journalOf(RED: NodeAPI, config: Config): JournalSettings | undefined {
  if (!config.journal) return undefined;
  return {
    folder: journalFolder(RED, config.journalFolder, config.id),
    commit: { ms: numberOf(config.commitMs, 20), records: numberOf(config.commitRecords, 1000) },
  };
}

/** Messages for one of the outputs, as `send` takes them. */
function toOutput(output: number, messages: NodeMessage[]): NodeMessage[][] {
  return Array.from({ length: output + 1 }, (_, number) => (number === output ? messages : []));
}

function messageOf(object: StoredObject): NodeMessage {
  const { bucket, key, etag } = object;
  return { topic: `${bucket}/${key}`, bucket, key, etag, payload: storedPayload(object) };
}

export = function (RED: NodeAPI): void {
  const parked = new ParkedWriters<BatchWriter, Recovery>(RED, 's3-batch-out');
  RED.events.on('flows:started', () => {
    warnOfOrphanedJournals(RED);
  });

  /** The writer that the node's predecessor left, or a new one. */
  function slotFor(id: string, settings: BatchWriterSettings): Slot {
    const left = parked.take(id);
    if (left) {
      left.writer.configure(settings);
      return left;
    }
    const slot: Pick<Slot, 'listener' | 'untold'> = { listener: undefined, untold: [] };
    const writer = new BatchWriter(settings, {
      stored: (object, { digests }) => {
        slot.untold.push({ object, digests });
        slot.listener?.stored();
      },
      failed: (error, upload, pause) => slot.listener?.failed(error, upload, pause),
      journalFailed: (error, pause) => slot.listener?.journalFailed?.(error, pause),
      journalRestored: () => slot.listener?.journalRestored?.(),
      recovered: (recovery) => slot.listener?.recovered?.(recovery),
      refused: (error) => slot.listener?.refused?.(error),
    });
    return Object.assign(slot, { writer });
  }

  function S3BatchOutNode(this: BatchOutNode, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 's3-batch-out', stored);
    if (!config) return;
    let slot: Slot;
    let settings: BatchWriterSettings;
    let flushTopic: TopicFilter | undefined;
    try {
      flushTopic = filterOf(config.flushTopic);
      settings = settingsOf(RED, config);
      slot = slotFor(this.id, settings);
    } catch (error) {
      refuseEverything(RED, this, asError(error));
      return;
    }
    const { writer } = slot;
    const status = new BatchStatus(RED, this, writer);
    const ledger = new LedgerOutput(writer, (payload) => {
      this.send(toOutput(OUTPUT.ledger, [{ topic: 'stats', payload }]));
    });
    const changed = (): void => {
      status.changed();
      ledger.changed();
    };

    let started = false;
    const start = (): void => {
      started = true;
      tell();
    };
    const tell = (): void => {
      if (!started || slot.listener !== listener) return;
      if (parked.areStopped) {
        started = false;
        parked.whenStarted(start);
        return;
      }
      for (const { object, digests } of slot.untold.splice(0)) {
        this.send(toOutput(OUTPUT.stored, [messageOf(object)]));
        if (!digests || !config.controlTopic) continue;
        const topic = config.controlTopic;
        const messages = announcementsOf(object.batch, digests).map((payload) => ({ topic, payload }));
        this.send(toOutput(OUTPUT.announcements, messages));
      }
    };
    const listener: WriterListener<Recovery> = {
      stored: () => {
        changed();
        tell();
      },
      failed: (error, { batch, failures }, pause) => {
        changed();
        const text = `${batch.bucket}/${batch.key}: ${error.message}; it is held and tried again in ${Math.ceil(pause / 1000)} s`;
        if (failures === 1) this.warn(text);
        else this.debug(text);
      },
      journalFailed: (error, pause) => {
        changed();
        this.error(
          `${error.message}. Messages are in memory only; the journal is tried again in ${Math.ceil(pause / 1000)} s`,
        );
      },
      journalRestored: () => {
        changed();
        this.log('the journal works again');
      },
      recovered: (recovery) => {
        changed();
        tellRecovery(this, recovery);
      },
      refused: (error) => {
        this.error(error.message);
      },
    };
    slot.listener = listener;
    parked.whenStarted(start);

    this.counts = writer.counts;
    this.flush = (destination) => writer.flush(destination);

    let stopping = false;
    this.on('input', (message: NodeMessage, _send: Send, done: Done) => {
      try {
        const destination = destinationOf(message);
        if (destination === undefined) take(message, done);
        else {
          // It is no record: nobody keeps it, and what came behind it is acknowledged only after it.
          acknowledgements.get(message._msgid)?.release();
          const flushed = safeDone(this, done);
          writer.flush(destination === true ? undefined : destination).then(() => {
            flushed();
          }, flushed);
        }
      } catch (error) {
        finish(this, done, asError(error));
      }
      changed();
    });

    const destinationOf = (message: NodeMessage): string | true | undefined => {
      try {
        if (stopping) throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
        return flushOf(message, flushTopic);
      } catch (error) {
        acknowledgements.get(message._msgid)?.refuse();
        throw error;
      }
    };

    const recent = new RecentMessages();
    const unshare = shareRecentMessages(config.layout, recent);

    const { completion } = config;
    const isAwaited = completion === 'stored' || completion === 'journaled';
    const sealAwaited = (): void => {
      writer.sealAwaited();
    };

    const recordOf = (message: NodeMessage): { topic: string; payload: Buffer } => {
      try {
        return { topic: topicOf(message.topic), payload: payloadBytes(message.payload) };
      } catch (error) {
        writer.refused();
        throw error;
      }
    };

    const take = (message: NodeMessage, done: Done): void => {
      const held = acknowledgements.get(message._msgid);
      try {
        const { topic, payload } = recordOf(message);
        const now = Date.now();
        recent.add(topic, payload, now);
        const awaiting = isAwaited ? safeDone(this, done) : undefined;
        if (held) {
          held.waitsFor(sealAwaited);
          const safeAt = held.when === 'stored' || completion === 'stored' ? 'stored' : 'journaled';
          writer.append(topic, payload, now, releasing(held, awaiting), safeAt);
        } else if (isAwaited) writer.append(topic, payload, now, awaiting, completion);
        else writer.append(topic, payload, now);
      } catch (error) {
        held?.refuse();
        throw error;
      }
      if (!isAwaited) finish(this, done);
    };

    this.on('close', (removed: boolean, done: () => void) => {
      status.stop();
      ledger.stop();
      unshare();
      const { deploying } = parked;
      // What was sent to the node before arrives within this turn of the event loop.
      setImmediate(() => {
        if (removed) parked.finish(this.id, slot);
        // Whether Node-RED ends or only restarts its flows cannot be told: so all is stored, and nothing is given up.
        else parked.park(this.id, slot);
        if (removed || deploying) {
          done();
          return;
        }
        stopping = true;
        void storeAll(this, writer).then(done, done);
      });
    });
  }

  /** Tries to store everything in the time that the node has to close. */
  async function storeAll(node: Node, writer: BatchWriter): Promise<void> {
    writer.sealAll('close');
    const { nodeCloseTimeout = NODE_CLOSE_TIMEOUT } = RED.settings as { nodeCloseTimeout?: number };
    const ms = (nodeCloseTimeout * 2) / 3;
    await withinTime(writer.flush(), ms);
    const { openRecords: records, uploads } = writer;
    if (records === 0) return;
    // What the disk does not take is told below.
    await withinTime(
      writer.commit().catch(() => undefined),
      ms / 4,
    );
    const what =
      `${records} records in ${uploads.pending} batches could not be stored within ${ms / 1000} s` +
      (uploads.error ? ` (${uploads.error.message})` : '');
    const { unsafeRecords } = writer;
    if (unsafeRecords === 0) node.warn(`${what}; the journal keeps them for the next start`);
    else node.error(`${what}; ${unsafeRecords} are in memory only: if Node-RED ends now, they are lost`);
  }

  RED.nodes.registerType('s3-batch-out', S3BatchOutNode);
};

/** Tells who asked for it that the record is safe, and acknowledges its message; unsafe, the broker sends it again. */
function releasing(held: HeldAcknowledgement, done: Done | undefined): Settled {
  return (error) => {
    if (error) held.refuse();
    else held.release();
    done?.(error);
  };
}

function tellRecovery(node: Node, { records, batches, damage, unreadable }: Recovery): void {
  if (records > 0) node.log(`recovered ${records} records in ${batches} batches from the journal`);
  for (const { message } of damage) node.warn(`the journal is damaged: ${message}`);
  for (const error of unreadable) node.error(error.message);
}

async function withinTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}

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

/**
 * The destination to flush, true for all, undefined when the message is a record.
 * @throws QUERY_INVALID when `msg.flush` is neither: the payload of a flush is not stored, so it must not be guessed
 */
function flushOf(message: NodeMessage, flushTopic: TopicFilter | undefined): string | true | undefined {
  const { flush, topic, payload } = message;
  if (flush === true) return true;
  if (typeof flush === 'string' && flush.trim() !== '') return flush.trim();
  if (flush !== undefined && flush !== null && flush !== false && typeof flush !== 'string') {
    throw new S3BatchError(
      'QUERY_INVALID',
      'msg.flush must be true, or text: a bucket, or bucket/prefix; without it the payload is stored',
    );
  }
  if (typeof topic !== 'string' || !flushTopic?.matches(topic)) return undefined;
  const destination =
    typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.toString().trim() : '';
  return destination === '' ? true : destination;
}
