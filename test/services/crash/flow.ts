import type { FlowNode } from '../../support/node-red-process';
import type { S3Access } from '../environment';
import type { Flow } from './instance';
import { TOPIC_PATTERN } from './messages';

/** Pause between two commits of the journal, ms. */
export const COMMIT_MS = 20;
/** Settings of everything that makes batches: small ones, so that a round has some uploads. Age in seconds. */
const BATCHES = {
  count: 250,
  bytes: 32,
  age: 0.5,
  framing: 'newline',
  compression: 'gzip',
  memory: 256,
  instance: '',
  journalFolder: '',
} as const;

/** Where a flow of the crash suite works. */
export interface Place {
  s3: S3Access;
  mqttUrl: string;
  bucket: string;
  /** First level of the topics that it listens to. */
  root: string;
  /** Client id at the broker, which keeps the session while Node-RED is down. */
  client: string;
  /** Where the node that makes batches sends its ledger. */
  ledgerTopic: string;
}

/** Settings of nodes instead of the usual ones. */
export interface FlowChanges {
  /** Of the node that makes batches: s3-batch-out or batch-backup. */
  batches?: Record<string, unknown>;
  connection?: Record<string, unknown>;
}

/** Here `s3-batch-out` tells which messages it is done with, and when a flush is. */
export const doneTopic = (root: string): string => `${root}-done`;
/** What it announces to a backup. */
export const controlTopic = (root: string): string => `${root}-control`;
/** A message on this topic seals the batches of the objects that it names; it is done when these are stored. */
export const flushTopic = (root: string): string => `${root}/flush`;

const IDS = {
  tab: 'crash-tab',
  broker: 'crash-broker',
  connection: 'crash-connection',
  layout: 'crash-layout',
  input: 'crash-input',
  batches: 'crash-batches',
  complete: 'crash-complete',
  done: 'crash-done',
  ledger: 'crash-ledger',
  control: 'crash-control',
} as const;

/** `mqtt in` → `s3-batch-out`. */
export function mqttInFlow(place: Place, changes: FlowChanges): Flow {
  const { root } = place;
  return flowOf(place, changes, [
    mqttIn(IDS.input, `${root}/#`),
    ...batchOut(place, changes),
    canvas('complete', IDS.complete, { scope: [IDS.batches], wires: [[IDS.done]] }),
    mqttOut(IDS.done, doneTopic(root)),
  ]);
}

/** `mqtt-ack-in` → `s3-batch-out`. */
export function ackInFlow(place: Place, ackIn: Record<string, unknown>, changes: FlowChanges): Flow {
  const { root, client } = place;
  const input = canvas('mqtt-ack-in', IDS.input, {
    broker: IDS.broker,
    topic: `${root}/#`,
    qos: '1',
    clientId: client,
    datatype: 'buffer',
    sessionExpiry: 86_400,
    timeLimit: 600,
    ...ackIn,
    wires: [[IDS.batches]],
  });
  // Two clients of one id would throw each other out: what only publishes gets one by chance.
  return flowOf({ ...place, client: '' }, changes, [input, ...batchOut(place, changes)]);
}

/** `mqtt in` for the messages and for announcements → `batch-backup`. */
export function backupFlow(place: Place, changes: FlowChanges): Flow {
  const { root } = place;
  return flowOf(place, changes, [
    mqttIn(IDS.input, `${root}/#`),
    mqttIn(IDS.control, controlTopic(root)),
    canvas('batch-backup', IDS.batches, {
      connection: IDS.connection,
      layout: IDS.layout,
      controlTopic: controlTopic(root),
      ...BATCHES,
      journal: true,
      ...changes.batches,
      wires: [[], [IDS.ledger]],
    }),
    mqttOut(IDS.ledger, place.ledgerTopic),
  ]);
}

function batchOut({ root, ledgerTopic }: Place, { batches }: FlowChanges): FlowNode[] {
  return [
    canvas('s3-batch-out', IDS.batches, {
      connection: IDS.connection,
      layout: IDS.layout,
      ...BATCHES,
      idle: 0,
      flushTopic: flushTopic(root),
      completion: 'batched',
      uploads: 2,
      blockSize: 128,
      journal: false,
      commitMs: COMMIT_MS,
      commitRecords: 1000,
      controlTopic: '',
      ...batches,
      wires: [[], [IDS.ledger], [IDS.control]],
    }),
    mqttOut(IDS.ledger, ledgerTopic),
    mqttOut(IDS.control, controlTopic(root)),
  ];
}

function mqttIn(id: string, topic: string): FlowNode {
  const settings = { topic, qos: '1', datatype: 'buffer', broker: IDS.broker, inputs: 0 };
  return canvas('mqtt in', id, { ...settings, wires: [[IDS.batches]] });
}

function mqttOut(id: string, topic: string): FlowNode {
  return canvas('mqtt out', id, { topic, qos: '1', retain: '', broker: IDS.broker, wires: [] });
}

function flowOf(place: Place, changes: FlowChanges, nodes: FlowNode[]): Flow {
  const { s3, mqttUrl, bucket, client } = place;
  const { hostname, port } = new URL(mqttUrl);
  return {
    nodes: [
      { id: IDS.tab, type: 'tab', label: 'crash' },
      {
        id: IDS.broker,
        type: 'mqtt-broker',
        broker: hostname,
        port,
        clientid: client,
        autoConnect: true,
        protocolVersion: '4',
        keepalive: '60',
        cleansession: client === '',
        // Else a stop unsubscribes, and the broker keeps nothing until the next start.
        autoUnsubscribe: false,
      },
      {
        id: IDS.connection,
        type: 's3-connection',
        endpoint: s3.endpoint,
        region: s3.region,
        pathStyle: true,
        auth: 'keys',
        connectTimeout: 2,
        requestTimeout: 30,
        ...changes.connection,
      },
      {
        id: IDS.layout,
        type: 'archive-layout',
        topic: TOPIC_PATTERN,
        compressedLevel: 'COMPRESSED',
        decompress: true,
        decompressLimit: 4,
        timeSource: 'arrival',
        key: '',
        buckets: [{ topic: '#', bucket }],
        unmatchedBucket: bucket,
        partition: 'none',
        objectName: '{{ROUND}}/{{LINE}}/{{first}}-{{last}}-{{batch}}{{extension}}',
      },
      ...nodes,
    ],
    credentials: { [IDS.connection]: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey } },
  };
}

/** Node-RED takes a node without a place on the canvas for a config node. */
function canvas(type: string, id: string, properties: Record<string, unknown>): FlowNode {
  return { id, type, z: IDS.tab, x: 100, y: 100, ...properties };
}
