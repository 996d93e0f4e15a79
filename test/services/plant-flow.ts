import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { FlowNode } from '../support/node-red-process';
import type { S3Access } from './environment';

const EXAMPLE = path.resolve(__dirname, '../../../examples/welding-plant.json');

/** What of the example is set otherwise. */
export interface PlantSettings {
  s3: S3Access;
  mqttUrl: string;
  unmatchedBucket: string;
  /** Settings of the s3-batch-out, the s3-connection and the broker beside the example's. */
  batchOut?: Record<string, unknown>;
  connection?: Record<string, unknown>;
  broker?: Record<string, unknown>;
}

/** What a subscriber gets on this topic shows that it has subscribed to all others. */
export const PROBE_TOPIC = 's3-batch-probe';

/**
 * The example as its user changes it: endpoint, keys and broker filled in, without the stations of its own; records
 * come as Buffers in one message. HTTP requests drive it: `POST /flush`, `POST /query`, `POST /plan`; `GET /told`
 * tells what the nodes said so far.
 */
export async function plantFlow(settings: PlantSettings): Promise<FlowNode[]> {
  const example = JSON.parse(await readFile(EXAMPLE, 'utf8')) as FlowNode[];
  const nodes = example
    .filter((node) => !(node.type === 'inject' && node.repeat))
    .map((node) => ({ ...node, ...changesOf(node, settings) }));
  const batchOut = nodeNamed(nodes, 's3-batch-out');
  addWire(batchOut, 'remember-object');
  addWire(nodeNamed(nodes, 'batch-flush', 'store now'), 'respond');
  addWire(nodeNamed(nodes, 'offset-index', 'plan only'), 'answer-plan');
  addWire(nodeNamed(nodes, 's3-range-in'), 'answer-records');
  addWire(nodeNamed(nodes, 'catch', ''), 'remember-error');
  const whichRanges = nodeNamed(nodes, 'offset-index', '');
  whichRanges.wires = [['keep-plan']];

  const added = [...asking(nodes), ...answering(nodeNamed(nodes, 's3-range-in').id), ...telling(batchOut.id)];
  const broker = nodeNamed(nodes, 'mqtt-broker').id;
  const probe = { id: 'probe', type: 'mqtt in', topic: PROBE_TOPIC, qos: '1', broker, inputs: 0, rh: 0 };
  // Without a place on the canvas Node-RED would take these for config nodes.
  const placed = [...added, { ...probe, wires: [['remember-probe']] }].map((node, row) => ({
    ...node,
    z: nodeNamed(nodes, 'tab').id,
    x: 1100,
    y: 40 + row * 40,
  }));
  return [...nodes, ...placed];
}

/** The node of a type and name in a flow. */
export function nodeNamed(nodes: readonly FlowNode[], type: string, name?: string): FlowNode {
  const found = nodes.find((node) => node.type === type && (name === undefined || node.name === name));
  if (!found) throw new Error(`the example has no ${type} named "${name ?? ''}"`);
  return found;
}

function changesOf({ type }: FlowNode, settings: PlantSettings): Record<string, unknown> {
  const { s3, mqttUrl, unmatchedBucket, batchOut, connection, broker } = settings;
  const { hostname, port } = new URL(mqttUrl);
  switch (type) {
    case 'mqtt-broker':
      return { broker: hostname, port, ...broker };
    case 's3-connection':
      return {
        endpoint: s3.endpoint,
        region: s3.region,
        credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
        ...connection,
      };
    case 'archive-layout':
      return { unmatchedBucket };
    case 's3-batch-out':
      return { ...batchOut };
    case 's3-range-in':
      return { payload: 'buffer', output: 'array' };
    default:
      return {};
  }
}

function addWire(node: FlowNode, to: string): void {
  const [first = [], ...others] = (node.wires ?? []) as string[][];
  node.wires = [[...first, to], ...others];
}

function functionNode(id: string, lines: string[], ...wires: string[][]): FlowNode {
  return { id, type: 'function', func: lines.join('\n'), outputs: wires.length, wires };
}

function httpIn(id: string, method: string, url: string, next: string): FlowNode {
  return { id, type: 'http in', method, url, upload: false, wires: [[next]] };
}

function asking(nodes: readonly FlowNode[]): FlowNode[] {
  const whichRanges = nodeNamed(nodes, 'offset-index', '').id;
  const planOnly = nodeNamed(nodes, 'offset-index', 'plan only').id;
  const toQuery = ['msg.query = msg.payload;', 'return msg;'];
  return [
    httpIn('post-flush', 'post', '/flush', nodeNamed(nodes, 'batch-flush', 'store now').id),
    httpIn('post-query', 'post', '/query', 'to-query'),
    functionNode('to-query', toQuery, [whichRanges]),
    httpIn('post-plan', 'post', '/plan', 'to-plan'),
    functionNode('to-plan', toQuery, [planOnly]),
  ];
}

function answering(recordsNode: string): FlowNode[] {
  return [
    functionNode('keep-plan', ['msg.plan = msg.payload.plan;', 'return msg;'], [recordsNode]),
    functionNode(
      'answer-records',
      [
        'const { plan, payload } = msg;',
        "const records = payload.map((record) => ({ ...record, payload: record.payload.toString('base64') }));",
        'msg.payload = { plan, records };',
        'return msg;',
      ],
      ['respond'],
    ),
    functionNode('answer-plan', ['return msg;'], ['respond']),
    { id: 'respond', type: 'http response', statusCode: '', headers: {}, wires: [] },
  ];
}

/** Remembers what the nodes say; global, since a deploy empties the context of flows. */
function telling(batchOut: string): FlowNode[] {
  const remember = (list: string, value: string): string =>
    `global.set('${list}', [...(global.get('${list}') ?? []), ${value}]);`;
  return [
    functionNode('remember-object', [remember('objects', 'msg.payload')], []),
    functionNode('remember-probe', [remember('probes', 'String(msg.payload)')], []),
    { id: 'batch-status', type: 'status', scope: [batchOut], wires: [['remember-status']] },
    functionNode('remember-status', [remember('statuses', 'msg.status.text')], []),
    functionNode(
      'remember-error',
      [
        remember('errors', 'msg.error.message'),
        'msg.payload = msg.error.message;',
        'msg.statusCode = 500;',
        'return msg.res ? msg : null;',
      ],
      ['respond'],
    ),
    httpIn('get-told', 'get', '/told', 'to-told'),
    functionNode(
      'to-told',
      [
        "const lists = ['objects', 'probes', 'statuses', 'errors'];",
        'msg.payload = Object.fromEntries(lists.map((list) => [list, global.get(list) ?? []]));',
        'return msg;',
      ],
      ['respond'],
    ),
  ];
}
