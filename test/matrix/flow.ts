import type { FlowNode } from '../support/node-red-process';

export const BUCKET = 'matrix';

/** Where the embedded S3 server is, and with which keys. */
export interface S3Access {
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
}

/** Where the job writes to, and who reads it there, unless it is who writes. */
export interface MainJob {
  bucket?: string;
  reader?: S3Access;
}

/** A record as it goes over HTTP: the payload in base64. */
export interface WireRecord {
  topic: string;
  payload: string;
}

/** What s3-batch-out and batch-flush tell about an object that was stored, as far as the job looks at it. */
export interface StoredObject {
  bucket: string;
  key: string;
  count: number;
}

function functionNode(id: string, lines: string[], ...wires: string[][]): FlowNode {
  return { id, type: 'function', func: lines.join('\n'), outputs: wires.length, wires };
}

function httpIn(id: string, method: string, url: string, next: string): FlowNode {
  return { id, type: 'http in', method, url, upload: false, wires: [[next]] };
}

/**
 * The main job of the package as a flow that HTTP requests drive, so that no broker is needed: `POST /records` batches,
 * `POST /flush` stores and answers the objects, `GET /stored` tells what s3-batch-out said about them, and `POST /query`
 * answers the records that a query finds.
 */
export function mainJob(writer: S3Access, { bucket = BUCKET, reader = writer }: MainJob = {}): FlowNode[] {
  const tab = { id: 'flow-tab', type: 'tab', label: 'Main job' };
  // Without a place on the canvas Node-RED would take these for config nodes.
  const nodes = [...writing(), ...reading(bucket), ...answering()].map((node, row) => ({
    ...node,
    z: tab.id,
    x: 200,
    y: 40 + row * 40,
  }));
  return [tab, connection('connection', writer), connection('reader', reader), layout(bucket), ...nodes];
}

function connection(id: string, s3: S3Access): FlowNode {
  return {
    id,
    type: 's3-connection',
    name: `as ${id}`, // were it the id alone, Node-RED would take it for a reference
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    auth: 'keys',
    profile: '',
    roleArn: '',
    roleExternalId: '',
    tls: '',
    connectTimeout: 5,
    requestTimeout: 30,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
  };
}

function layout(bucket: string): FlowNode {
  return {
    id: 'layout',
    type: 'archive-layout',
    name: 'welding',
    topic: 'PLANT-ID/DEVICE-ID/MSG-TYPE',
    compressedLevel: '',
    decompress: true,
    decompressLimit: 4,
    timeSource: 'field',
    timeField: 'weldspot.Timestamp',
    timeFormat: 'iso',
    timeZone: 'UTC',
    key: '',
    buckets: [{ topic: '#', bucket }],
    unmatchedBucket: 'unmatched',
    partition: 'day',
    objectName: '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
  };
}

function writing(): FlowNode[] {
  return [
    httpIn('post-records', 'post', '/records', 'to-messages'),
    functionNode(
      'to-messages',
      [
        "const toMessage = ({ topic, payload }) => ({ topic, payload: Buffer.from(payload, 'base64') });",
        'const messages = msg.payload.map(toMessage);',
        'msg.payload = messages.length;',
        'return [messages, msg];',
      ],
      ['batch-out'],
      ['respond'],
    ),
    {
      id: 'batch-out',
      type: 's3-batch-out',
      connection: 'connection',
      layout: 'layout',
      count: 10000,
      bytes: 32,
      age: 300,
      idle: 0,
      framing: 'newline',
      compression: 'gzip',
      flushTopic: '',
      completion: 'batched',
      uploads: 4,
      memory: 256,
      instance: 'matrix',
      blockSize: 128,
      wires: [['remember-stored']],
    },
    functionNode(
      'remember-stored',
      [
        'const { bucket, key, payload } = msg;',
        "flow.set('stored', [...(flow.get('stored') ?? []), { bucket, key, count: payload.count }]);",
      ],
      [],
    ),
    httpIn('get-stored', 'get', '/stored', 'to-stored'),
    functionNode('to-stored', ["msg.payload = flow.get('stored') ?? [];", 'return msg;'], ['respond']),

    httpIn('post-flush', 'post', '/flush', 'flush'),
    {
      id: 'flush',
      type: 'batch-flush',
      target: 'batch-out',
      destination: '',
      destinationType: 'str',
      wires: [['respond']],
    },
  ];
}

function reading(bucket: string): FlowNode[] {
  return [
    httpIn('post-query', 'post', '/query', 'to-query'),
    functionNode('to-query', ['msg.query = msg.payload;', 'return msg;'], ['find']),
    {
      id: 'find',
      type: 'offset-index',
      connection: 'reader',
      layout: 'layout',
      bucket,
      bucketType: 'str',
      key: '',
      keyType: 'str',
      levels: [],
      from: '',
      fromType: 'str',
      to: '',
      toType: 'str',
      series: '',
      seriesType: 'str',
      keyPrefix: '',
      keyPrefixType: 'str',
      planOnly: false,
      output: 'message',
      wires: [['fetch']],
    },
    {
      id: 'fetch',
      type: 's3-range-in',
      connection: 'reader',
      payload: 'buffer',
      output: 'messages',
      gap: 1024,
      parallel: 8,
      wires: [['to-wire-record']],
    },
    functionNode(
      'to-wire-record',
      ["msg.payload = { topic: msg.topic, payload: msg.payload.toString('base64') };", 'return msg;'],
      ['join'],
    ),
    { id: 'join', type: 'join', mode: 'auto', wires: [['respond']] },
  ];
}

function answering(): FlowNode[] {
  return [
    { id: 'caught', type: 'catch', scope: null, uncaught: false, wires: [['to-failure']] },
    functionNode(
      'to-failure',
      [
        'const { message, source } = msg.error;',
        'node.warn(`${source.type}: ${message}`);',
        'msg.payload = message;',
        'msg.statusCode = 500;',
        // A record that could not be batched has no request to answer.
        'return msg.res ? msg : null;',
      ],
      ['respond'],
    ),
    { id: 'respond', type: 'http response', statusCode: '', headers: {}, wires: [] },
  ];
}
