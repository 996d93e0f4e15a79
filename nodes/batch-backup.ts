import { hostname } from 'node:os';

import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import type { JournalSettings, Settled, StoredObject } from '../lib/batch';
import { acknowledgements, type HeldAcknowledgement } from '../lib/delivery/acknowledgements';
import { Backup } from '../lib/delivery/backup';
import { type BackupSettings, controlTopicTest } from '../lib/delivery/backup-settings';
import type { BackupRecovery } from '../lib/delivery/backup-recovery';
import { S3BatchError } from '../lib/errors';
import { Layout } from '../lib/layout';
import type { Compression, Framing } from '../lib/object';
import { BackupStatus } from './common/backup-status';
import { finish } from './common/done';
import { journalFolder } from './common/journal-folder';
import { ParkedWriters, type WriterListener, type WriterSlot } from './common/parked-writers';
import { payloadBytes, topicOf } from './common/payload';
import { readSettings, refuseEverything } from './common/refuse';
import { storedPayload } from './common/stored-payload';
import { asError, type BackupNode, type Done, layoutOf, numberOf, type Send, storeOf } from './common/types';

interface Config extends NodeDef {
  connection: string;
  layout: string;
  controlTopic: string;
  timeout: string | number;
  count: string | number;
  bytes: string | number;
  age: string | number;
  framing: Framing;
  compression: Compression;
  memory: string | number;
  journal: boolean;
  journalFolder: string;
  instance: string;
}

/** A backup and the node that has it. */
type Slot = WriterSlot<Backup, BackupRecovery>;

const MIB = 1024 * 1024;
/** How a backup commits its journal, ms and entries: a release of held acknowledgements is that late. */
const COMMIT = { ms: 20, records: 1000 };
const UPLOADS = 4;
const BLOCK_SIZE = 128 * 1024;
/** What Node-RED gives a node to close, unless its settings say otherwise, ms. */
const NODE_CLOSE_TIMEOUT = 15_000;

/** @throws CONNECTION_INVALID, LAYOUT_INVALID */
function settingsOf(RED: NodeAPI, config: Config): BackupSettings {
  const isControl = controlTopicTest(config.controlTopic);
  if (!isControl) {
    throw new S3BatchError(
      'LAYOUT_INVALID',
      `the control topic "${config.controlTopic}" is no MQTT topic filter: write the control topic of the s3-batch-out`,
    );
  }
  return {
    isControl,
    // Without any time to wait, every message would be stored twice.
    timeout: Math.max(1, numberOf(config.timeout, 600)) * 1000,
    memory: Math.round(numberOf(config.memory, 256) * MIB),
    journal: journalOf(RED, config),
    writer: {
      store: storeOf(RED, config.connection),
      layout: layoutOf(RED, config.layout) ?? new Layout({}),
      limits: {
        count: numberOf(config.count, 10_000),
        bytes: Math.round(numberOf(config.bytes, 32) * MIB),
        age: numberOf(config.age, 300) * 1000,
        idle: 0,
      },
      framing: config.framing,
      compression: config.compression,
      uploads: UPLOADS,
      blockSize: BLOCK_SIZE,
      instance: config.instance || hostname(),
    },
  };
}

function journalOf(RED: NodeAPI, config: Config): JournalSettings | undefined {
  if (!config.journal) return undefined;
  return { folder: journalFolder(RED, config.journalFolder, config.id), commit: COMMIT };
}

function messageOf(object: StoredObject): NodeMessage {
  const { bucket, key, etag } = object;
  return { topic: `${bucket}/${key}`, bucket, key, etag, payload: storedPayload(object) };
}

export = function (RED: NodeAPI): void {
  const parked = new ParkedWriters<Backup, BackupRecovery>(RED, 'batch-backup');

  /** The backup that the node's predecessor left, or a new one. */
  function slotFor(id: string, settings: BackupSettings): Slot {
    const left = parked.take(id);
    if (left) {
      left.writer.configure(settings);
      return left;
    }
    const slot: Pick<Slot, 'listener' | 'untold'> = { listener: undefined, untold: [] };
    const writer = new Backup(settings, {
      stored: (object) => {
        slot.untold.push({ object, digests: undefined });
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

  function BatchBackupNode(this: BackupNode, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 'batch-backup', stored);
    if (!config) return;
    let slot: Slot;
    try {
      slot = slotFor(this.id, settingsOf(RED, config));
    } catch (error) {
      refuseEverything(RED, this, asError(error));
      return;
    }
    const { writer: backup } = slot;
    Object.defineProperty(this, 'ledger', { get: () => backup.ledger });
    const status = new BackupStatus(RED, this, backup, (payload) => {
      this.send([null, { topic: 'stats', payload }]);
    });

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
      for (const { object } of slot.untold.splice(0)) this.send([messageOf(object), null]);
    };
    const listener = listenerOf(this, status, tell);
    slot.listener = listener;
    parked.whenStarted(start);

    const commitNow = (): void => {
      // A failure is told as one of the journal.
      backup.commit().catch(() => undefined);
    };
    let stopping = false;
    this.on('input', (message: NodeMessage, _send: Send, done: Done) => {
      let error: Error | undefined;
      try {
        if (stopping) {
          acknowledgements.get(message._msgid)?.refuse();
          throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
        }
        take(backup, message, commitNow);
      } catch (thrown) {
        error = asError(thrown);
      }
      finish(this, done, error);
      status.changed();
    });

    this.on('close', (removed: boolean, done: () => void) => {
      status.stop();
      const { deploying } = parked;
      // What was sent to the node before arrives within this turn of the event loop.
      setImmediate(() => {
        if (removed) parked.finish(this.id, slot);
        // Whether Node-RED ends or only restarts its flows cannot be told: so nothing is given up.
        else parked.park(this.id, slot);
        if (removed || deploying) {
          done();
          return;
        }
        stopping = true;
        keep(this, backup).then(done, done);
      });
    });
  }

  function listenerOf(node: Node, status: BackupStatus, tell: () => void): WriterListener<BackupRecovery> {
    return {
      stored: () => {
        status.changed();
        tell();
      },
      failed: (error, { batch, failures }, pause) => {
        status.changed();
        const text = `${batch.bucket}/${batch.key}: ${error.message}; it is held and tried again in ${Math.ceil(pause / 1000)} s`;
        if (failures === 1) node.warn(text);
        else node.debug(text);
      },
      journalFailed: (error, pause) => {
        status.changed();
        node.error(
          `${error.message}. Messages are in memory only; the journal is tried again in ${Math.ceil(pause / 1000)} s`,
        );
      },
      journalRestored: () => {
        status.changed();
        node.log('the journal works again');
      },
      recovered: ({ records, damage, unreadable }) => {
        status.changed();
        if (records > 0) node.log(`holds ${records} messages again that the journal has`);
        for (const { message } of damage) node.warn(`the journal is damaged: ${message}`);
        for (const error of unreadable) node.error(error.message);
      },
      refused: (error) => {
        node.error(error.message);
      },
    };
  }

  /** Keeps what is held over a stop: in the journal, or, where there is none, in the store. */
  async function keep(node: Node, backup: Backup): Promise<void> {
    const { nodeCloseTimeout = NODE_CLOSE_TIMEOUT } = RED.settings as { nodeCloseTimeout?: number };
    const ms = (nodeCloseTimeout * 2) / 3;
    await withinTime(backup.opened, ms / 2);
    if (!backup.isOnDisk) backup.sealAll();
    await withinTime(backup.isOnDisk ? backup.flush() : backup.allStored(), ms);
    if (backup.isOnDisk) {
      await withinTime(backup.commit(), ms / 4);
      return;
    }
    const { openRecords } = backup;
    if (openRecords === 0) return;
    node.error(
      `${openRecords} held messages could not be stored within ${ms / 1000} s; ` +
        'they are in memory only: if Node-RED ends now, this backup loses them',
    );
  }

  RED.nodes.registerType('batch-backup', BatchBackupNode);
};

/** @throws S3BatchError: it was not taken, and is not acknowledged */
function take(backup: Backup, message: NodeMessage, commitNow: () => void): void {
  const held = acknowledgements.get(message._msgid);
  try {
    const { topic, payload } = recordOf(backup, message);
    held?.waitsFor(commitNow);
    backup.take(topic, payload, Date.now(), held && releasing(held));
  } catch (error) {
    held?.refuse();
    throw error;
  }
}

function recordOf(backup: Backup, { topic, payload }: NodeMessage): { topic: string; payload: Buffer } {
  try {
    return { topic: topicOf(topic), payload: payloadBytes(payload) };
  } catch (error) {
    backup.refused();
    throw error;
  }
}

function releasing(held: HeldAcknowledgement): Settled {
  return (error) => {
    if (error) held.refuse();
    else held.release();
  };
}

async function withinTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
