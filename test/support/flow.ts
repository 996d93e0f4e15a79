import { KEYS } from './embedded';
import type { FlowNode } from './node-red-process';

/** Settings of a node that differ from the defaults of its builder. */
export type Settings = Record<string, unknown>;

/** Every flow of the tests is on this tab. */
export const TAB = 'tab';

/** The tab; disabled, none of its nodes runs. */
export function tab(settings: Settings = {}): FlowNode {
  return { id: TAB, type: 'tab', label: 'test', ...settings };
}

/** A node on the tab, wired to the nodes of these ids. Without a place on the canvas it would count as a config node. */
export function onTab(id: string, type: string, settings: Settings = {}, ...to: string[]): FlowNode {
  return { id, type, z: TAB, x: 100, y: 100, wires: to.length > 0 ? [to] : [], ...settings };
}

/** A connection with the keys of the embedded S3 server. */
export function connection(endpoint: string, settings: Settings = {}): FlowNode {
  return {
    id: 'connection',
    type: 's3-connection',
    name: 'embedded',
    endpoint,
    region: KEYS.region,
    pathStyle: true,
    auth: 'keys',
    profile: '',
    roleArn: '',
    roleExternalId: '',
    tls: '',
    connectTimeout: '10',
    requestTimeout: '30',
    credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
    ...settings,
  };
}

/** The layout of a plant full of welding stations: a bucket for each plant, time from the payload. */
export function weldingLayout(settings: Settings = {}): FlowNode {
  return {
    id: 'layout',
    type: 'archive-layout',
    name: 'welding',
    topic: '"ROOT"/FORMAT/COMPRESSED/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION',
    compressedLevel: 'COMPRESSED',
    decompress: true,
    decompressLimit: '4',
    timeSource: 'field',
    timeField: 'weldspot.Timestamp',
    timeFormat: 'yyyyMMdd HHmmss',
    timeZone: 'UTC',
    key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    buckets: [{ topic: '#', bucket: '{{PLANT-ID}}' }],
    unmatchedBucket: 'unmatched',
    partition: 'day',
    objectName: '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
    ...settings,
  };
}

/** The s3-batch-out `out` with the settings of a node that was just put on the canvas. */
export function batchOut(settings: Settings = {}, ...to: string[]): FlowNode {
  const defaults = {
    connection: 'connection',
    layout: 'layout',
    count: '10000',
    bytes: '32',
    age: '300',
    idle: '0',
    framing: 'newline',
    compression: 'gzip',
    flushTopic: '',
    completion: 'batched',
    uploads: '4',
    memory: '256',
    instance: '',
    blockSize: '128',
  };
  return onTab('out', 's3-batch-out', { ...defaults, ...settings }, ...to);
}

/** The batch-flush `flush` of the node `out`. */
export function batchFlush(settings: Settings = {}, ...to: string[]): FlowNode {
  return onTab(
    'flush',
    'batch-flush',
    { target: 'out', destination: '', destinationType: 'str', ...settings },
    ...to,
  );
}

/** The offset-index `index` with the settings of a node that was just put on the canvas, and the layout. */
export function offsetIndex(settings: Settings = {}, ...to: string[]): FlowNode {
  const defaults = {
    connection: 'connection',
    layout: 'layout',
    bucket: 'bucket',
    bucketType: 'msg',
    key: 'key',
    keyType: 'msg',
    levels: [],
    from: 'from',
    fromType: 'msg',
    to: 'to',
    toType: 'msg',
    series: '',
    seriesType: 'str',
    keyPrefix: '',
    keyPrefixType: 'str',
    planOnly: false,
    output: 'message',
  };
  return onTab('index', 'offset-index', { ...defaults, ...settings }, ...to);
}

/** The s3-range-in `range` with the settings of a node that was just put on the canvas. */
export function rangeIn(settings: Settings = {}, ...to: string[]): FlowNode {
  const defaults = {
    connection: 'connection',
    payload: 'auto',
    output: 'messages',
    gap: '1024',
    parallel: '8',
  };
  return onTab('range', 's3-range-in', { ...defaults, ...settings }, ...to);
}

/** A catch node `catch` for all nodes of the tab. */
export function catchAll(...to: string[]): FlowNode {
  return onTab('catch', 'catch', { scope: null, uncaught: false }, ...to);
}

/** A node that takes what others send; the test helper has its type. */
export function sink(id = 'sink'): FlowNode {
  return onTab(id, 'helper');
}
