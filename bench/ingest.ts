import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { type IClientOptions, connectAsync } from 'mqtt';
import type { Node } from 'node-red';

import { type FlowNode, type NodeRed, startNodeRed } from '../demo/embedded';
import { weldMessages } from '../demo/weld-messages';
import type { WriterCounts } from '../lib/batch';
import type { ObjectStore } from '../lib/store/object-store';
import { environment, longestPause, median, memoryInUse, round } from './measure';
import { SinkStore, WELDING_LAYOUT, weldingWriter } from './welding';

const MESSAGES = 50_000;
const STATIONS = 20;
/** Objects are sealed by count: the last one exactly with the last message. */
const BATCH = 10_000;
const ROUNDS = 15;
const CLIENT_ID = 's3-batch-bench';
const TOPIC = 'ROOT/#';
const WINDOW = 500;
const TIMEOUT_MS = 60_000;

/** What the bench's own nodes give to it. */
interface Bench {
  /** Messages that the node that does nothing has seen. */
  counter: { count: number };
  sink: SinkStore;
}

/**
 * Messages that a real broker has queued for a persistent session are drained by Node-RED, in turns through
 * `mqtt in` → s3-batch-out and through `mqtt in` → a node that only calls done. The rates are taken from the first to
 * the last message; objects are encoded and handed to a sink in this process meanwhile.
 */
export async function ingest(): Promise<Record<string, unknown>> {
  const memoryRatio = measureMemory();
  const loopBlockMs = await measureLoopBlock();
  const rates = await measureRates(environment('MQTT_URL'));
  const ratios = rates.batch.map((rate, n) => rate / (rates.empty[n] ?? NaN));
  return {
    messages: MESSAGES,
    rounds: ROUNDS,
    ratio: round(median(ratios), 3),
    ratios: ratios.map((ratio) => round(ratio, 3)),
    emptyFlow: Math.round(median(rates.empty)),
    batchFlow: Math.round(median(rates.batch)),
    batchFlowToLastObject: Math.round(median(rates.stored)),
    memoryRatio: round(memoryRatio, 3),
    loopBlockMs: round(loopBlockMs, 1),
  };
}

/** Memory that open batches hold over the bytes of their payloads. */
function measureMemory(): number {
  const sink = new SinkStore();
  const writer = weldingWriter(sink as unknown as ObjectStore, 0);
  const before = memoryInUse();
  let bytes = 0;
  for (const { topic, payload } of weldMessages({ count: 100_000, plants: 1, stations: STATIONS })) {
    bytes += payload.length;
    writer.append(topic, payload, Date.now());
  }
  const held = memoryInUse() - before;
  // Asked for after the measurement, so that the writer is still there during it.
  if (writer.openRecords !== 100_000) throw new Error('records were sealed');
  return held / bytes;
}

/** The longest pause of the event loop while a batch of 10,000 is sealed, encoded and sent: the median of rounds. */
async function measureLoopBlock(): Promise<number> {
  const messages = [...weldMessages({ count: BATCH, plants: 1, stations: STATIONS })];
  const pauses: number[] = [];
  for (let n = 0; n < 3 + ROUNDS; n++) {
    const writer = weldingWriter(new SinkStore() as unknown as ObjectStore, 0);
    for (const { topic, payload } of messages) writer.append(topic, payload, Date.now());
    const pause = await longestPause(() => writer.flush());
    if (n >= 3) pauses.push(pause);
  }
  return median(pauses);
}

async function measureRates(url: string) {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-bench-'));
  const bench: Bench = { counter: { count: 0 }, sink: new SinkStore() };
  (globalThis as { s3BatchBench?: Bench }).s3BatchBench = bench;
  await writeBenchNodes(path.join(folder, 'nodes'));
  const { red, stop } = await startNodeRed(folder, 0);
  const rates = { empty: [] as number[], batch: [] as number[], stored: [] as number[] };
  try {
    await clearSession(url);
    for (let n = -1; n < ROUNDS; n++) {
      // In turns, and every other round the other way round, so that a drift of the machine favours neither.
      const empty = () => drain(red, url, emptyFlow(url), () => bench.counter.count);
      const batch = () => drainBatch(red, url, bench);
      const [first, second] = n % 2 === 0 ? [empty, batch] : [batch, empty];
      const results = [await first(), await second()];
      const [emptyResult, batchResult] = n % 2 === 0 ? results : results.toReversed();
      if (n < 0) continue; // the first round warms up
      rates.empty.push(emptyResult?.rate ?? NaN);
      rates.batch.push(batchResult?.rate ?? NaN);
      rates.stored.push(batchResult?.stored ?? NaN);
    }
  } finally {
    await stop();
    await clearSession(url);
    await rm(folder, { recursive: true, force: true });
  }
  return rates;
}

async function drainBatch(red: NodeRed, url: string, bench: Bench) {
  const flow = batchFlow(url);
  const objects = bench.sink.objects + MESSAGES / BATCH;
  const counts = (): number => {
    const node: (Node & { counts?: WriterCounts }) | null = red.nodes.getNode('batch');
    return node?.counts?.received ?? 0;
  };
  return drain(red, url, flow, counts, () => bench.sink.objects >= objects);
}

interface Drained {
  /** Messages a second, to the last message. */
  rate: number;
  /** Messages a second, to the last object. */
  stored: number;
}

async function drain(
  red: NodeRed,
  url: string,
  flow: FlowNode[],
  count: () => number,
  finished: () => boolean = () => true,
): Promise<Drained> {
  await queueMessages(url);
  const before = flow.some((node) => node.type === 's3-batch-out') ? 0 : count();
  await setFlows(red, flow);
  const began = await until(() => count() > before);
  const ended = await until(() => count() >= before + MESSAGES);
  const stored = await until(finished);
  await setFlows(red, []);
  return { rate: MESSAGES / ((ended - began) / 1000), stored: MESSAGES / ((stored - began) / 1000) };
}

async function setFlows(red: NodeRed, flows: FlowNode[]): Promise<void> {
  await red.runtime.flows.setFlows({ flows: { flows }, deploymentType: 'full', req: {} });
}

/** When the condition came true, to 2 ms. */
async function until(condition: () => boolean): Promise<number> {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > TIMEOUT_MS) throw new Error('the messages did not come through in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now();
}

const SESSION: IClientOptions = { clientId: CLIENT_ID, clean: false, reconnectPeriod: 0 };

async function clearSession(url: string): Promise<void> {
  const client = await connectAsync(url, { ...SESSION, clean: true });
  await client.endAsync();
}

/** Lets the broker queue the messages for the session that Node-RED will take up. */
async function queueMessages(url: string): Promise<void> {
  const session = await connectAsync(url, SESSION);
  await session.subscribeAsync(TOPIC, { qos: 1 });
  await session.endAsync();
  const publisher = await connectAsync(url);
  const messages = weldMessages({ count: MESSAGES, plants: 1, stations: STATIONS, seconds: 3600 });
  const worker = async (): Promise<void> => {
    for (let next = messages.next(); !next.done; next = messages.next()) {
      await publisher.publishAsync(next.value.topic, next.value.payload, { qos: 1 });
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, worker));
  await publisher.endAsync();
}

function mqttIn(url: string, target: string): FlowNode[] {
  const { hostname, port } = new URL(url);
  return [
    { id: 'tab', type: 'tab', label: 'bench' },
    {
      id: 'broker',
      type: 'mqtt-broker',
      broker: hostname,
      port,
      clientid: CLIENT_ID,
      autoConnect: true,
      autoUnsubscribe: false,
      cleansession: false,
      protocolVersion: '4',
      keepalive: '60',
    },
    {
      id: 'in',
      type: 'mqtt in',
      z: 'tab',
      topic: TOPIC,
      qos: '1',
      datatype: 'buffer',
      broker: 'broker',
      x: 100,
      y: 100,
      wires: [[target]],
    },
  ];
}

function emptyFlow(url: string): FlowNode[] {
  return [
    ...mqttIn(url, 'counter'),
    { id: 'counter', type: 'bench-counter', z: 'tab', x: 300, y: 100, wires: [] },
  ];
}

function batchFlow(url: string): FlowNode[] {
  return [
    ...mqttIn(url, 'batch'),
    { id: 'store', type: 'bench-store' },
    { id: 'layout', type: 'archive-layout', ...WELDING_LAYOUT, timeSource: 'field', timeZone: 'UTC' },
    {
      id: 'batch',
      type: 's3-batch-out',
      z: 'tab',
      connection: 'store',
      layout: 'layout',
      count: BATCH,
      framing: 'newline',
      compression: 'gzip',
      completion: 'batched',
      x: 300,
      y: 100,
      wires: [[]],
    },
  ];
}

/** A node that only calls done, and a settings node whose store is the sink. */
async function writeBenchNodes(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const script = `module.exports = (RED) => {
  const { counter, sink } = globalThis.s3BatchBench;
  RED.nodes.registerType('bench-counter', function (config) {
    RED.nodes.createNode(this, config);
    this.on('input', (msg, send, done) => { counter.count++; done(); });
  });
  RED.nodes.registerType('bench-store', function (config) {
    RED.nodes.createNode(this, config);
    this.store = sink;
  });
};\n`;
  const dialogue = ['bench-counter', 'bench-store']
    .map(
      (type) =>
        `<script type="text/javascript">RED.nodes.registerType('${type}', {category: 'config', defaults: {}});</script>\n`,
    )
    .join('');
  await writeFile(path.join(folder, 'bench.js'), script);
  await writeFile(path.join(folder, 'bench.html'), dialogue);
}
