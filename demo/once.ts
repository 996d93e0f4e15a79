import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

import { connectAsync } from 'mqtt';
import type { Node, NodeMessage } from 'node-red';

import { deploy, exampleFlow, type FlowNode, type Plant } from './embedded';
import { noPublishProgress, publishMessages } from './publish';
import { type WeldMessage, weldMessages } from './weld-messages';

/** What a run adds up to. */
export interface DemoResult {
  published: number;
  objects: number;
  /** Lines in all objects. */
  stored: number;
  /** Records that the query brought back through the nodes. */
  queried: number;
  /** Records of the asked device and minute that a scan of all objects finds, without the offset index. */
  matched: number;
  bytesStored: number;
  bytesFetched: number;
  requests: number;
  seconds: number;
}

const PLANT = 'PLANT-2';
const STATION = 'WELDING-STATION-7';
const TIMEOUT_MS = 120_000;

/**
 * Publishes `count` weld messages, waits for their objects, asks for one device and one minute through the nodes, and
 * compares with what was published and with a scan of every object.
 * @throws Error that says what is missing or different
 */
export async function runOnce(plant: Plant, count: number, log: (line: string) => void): Promise<DemoResult> {
  const began = performance.now();
  const messages = [...weldMessages({ count })];
  const buckets = [...new Set(messages.map((message) => message.plant.toLowerCase()))];
  for (const bucket of buckets) await plant.createBucket(bucket);
  // The example's own stations stay silent: only what is published here may be found.
  const flow = (await exampleFlow('welding-plant')).filter(
    (node) => !(node.type === 'inject' && node.repeat),
  );
  const subscribed = plant.subscribed();
  await deploy(plant, flow);
  await subscribed;

  await publish(plant.mqttUrl, messages);
  log(`published ${count} messages of ${buckets.length} plants`);
  const batchOut = findNode(plant, flow, 's3-batch-out');
  await until('every message to be in a batch', () => countOf(batchOut, 'received') === count);
  findNode(plant, flow, 'batch-flush').receive({});
  await until('every message to be stored', () => countOf(batchOut, 'stored') === count);

  const from = messages[Math.floor(count / 2)]?.time ?? 0;
  const to = from + 59_999;
  plant.s3.stats.reset();
  const found = await query(plant, flow, { levels: { 'PLANT-ID': PLANT, 'DEVICE-ID': STATION }, from, to });
  const { requests, bytesSent: bytesFetched } = plant.s3.stats;
  log(`the query brought ${found.length} records with ${requests} requests and ${bytesFetched} bytes`);

  const scan = await scanAll(plant, buckets);
  compare('the stored lines', scan.lines, messages.map(textOf));
  const wanted = messages
    .filter((message) => message.plant === PLANT && isAsked(message, from, to))
    .map(textOf);
  const lines = new Set(scan.lines);
  const matched = wanted.filter((text) => lines.has(text)).length;
  compare('the queried records', found, wanted);
  return {
    published: count,
    objects: scan.objects,
    stored: scan.lines.length,
    queried: found.length,
    matched,
    bytesStored: scan.bytes,
    bytesFetched,
    requests,
    seconds: Math.round((performance.now() - began) / 10) / 100,
  };
}

function textOf(message: WeldMessage): string {
  return message.payload.toString('utf8');
}

function isAsked(message: WeldMessage, from: number, to: number): boolean {
  return message.station === STATION && message.time >= from && message.time <= to;
}

function findNode(plant: Plant, flow: readonly FlowNode[], type: string, name?: string): Node {
  const found = flow.find((node) => node.type === type && (name === undefined || node.name === name));
  const node = found && plant.red.nodes.getNode(found.id);
  if (!node) throw new Error(`the flow has no running ${type}${name === undefined ? '' : ` named ${name}`}`);
  return node;
}

/** What the node tells in its context. */
function countOf(node: Node, name: string): number {
  const counts = node.context().get('counts') as Record<string, number> | undefined;
  return counts?.[name] ?? 0;
}

async function publish(url: string, messages: readonly WeldMessage[]): Promise<void> {
  const client = await connectAsync(url);
  await publishMessages(client, messages, noPublishProgress());
  await client.endAsync();
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > TIMEOUT_MS)
      throw new Error(`waited ${TIMEOUT_MS / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Sends the query to offset-index and takes what s3-range-in sends on, as text. */
async function query(plant: Plant, flow: readonly FlowNode[], asked: object): Promise<string[]> {
  const source = findNode(plant, flow, 's3-range-in').id;
  const found: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      plant.red.hooks.remove('onSend.demo');
      reject(new Error(`the query brought ${found.length} records and no end in ${TIMEOUT_MS / 1000} s`));
    }, TIMEOUT_MS);
    plant.red.hooks.add('onSend.demo', (events: { msg: NodeMessage; source: { id: string } }[]) => {
      for (const { msg, source: from } of events) {
        if (from.id !== source) continue;
        found.push(JSON.stringify(msg.payload));
        const { count } = msg.parts as { count: number };
        if (found.length < count) continue;
        clearTimeout(timer);
        plant.red.hooks.remove('onSend.demo');
        resolve(found);
      }
    });
    findNode(plant, flow, 'offset-index', '').receive({ query: asked });
  });
}

/** Downloads every object and unpacks it as any gzip tool would. */
async function scanAll(plant: Plant, buckets: readonly string[]) {
  const scan = { objects: 0, bytes: 0, lines: [] as string[] };
  for (const bucket of buckets) {
    for await (const { objects } of plant.store.list(bucket)) {
      for (const { key, size } of objects) {
        const { bytes } = await plant.store.getRange(bucket, key, { offset: 0, length: size });
        scan.objects++;
        scan.bytes += size;
        for (const line of gunzipSync(bytes).toString('utf8').split('\n')) if (line) scan.lines.push(line);
      }
    }
  }
  return scan;
}

/** Both must hold the same texts, each as often. */
function compare(what: string, found: readonly string[], wanted: readonly string[]): void {
  if (found.length !== wanted.length || digest(found) !== digest(wanted)) {
    throw new Error(
      `${what} are not what was published: ${found.length} instead of ${wanted.length}, or other bytes`,
    );
  }
}

function digest(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of [...texts].sort()) hash.update(text).update('\n');
  return hash.digest('hex');
}
