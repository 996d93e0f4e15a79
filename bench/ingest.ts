import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { type IClientOptions, connectAsync } from 'mqtt';
import type { Node } from 'node-red';

import { type FlowNode, type NodeRed, startNodeRed } from '../demo/embedded';
import { weldMessages } from '../demo/weld-messages';
import type { WriterCounts } from '../lib/batch';
import { announcementsOf } from '../lib/delivery/announcement';
import { DIGEST_LENGTH, writeDigest } from '../lib/delivery/digest';
import type { ObjectStore } from '../lib/store/object-store';
import type { BackupNode } from '../nodes/common/types';
import { diskFolder, environment, longestPause, median, memoryInUse, round } from './measure';
import { SinkStore, WELDING_LAYOUT, weldingWriter } from './welding';

const MESSAGES = 50_000;
const STATIONS = 20;
/** Objects are sealed by count: the last one exactly with the last message. */
const BATCH = 10_000;
const ROUNDS = 15;
const CLIENT_ID = 's3-batch-bench';
const TOPIC = 'ROOT/#';
/** Messages on their way to the broker at a time. */
const WINDOW = 500;
/** `max_inflight_messages` of services/mosquitto.sh. */
const HELD_WINDOW = 1000;
const TIMEOUT_MS = 60_000;
const TAB: FlowNode = { id: 'tab', type: 'tab', label: 'bench' };

/** Where a converter would announce to the backup what it has stored. */
const CONTROL_TOPIC = 'ROOT/stored';

/** What the bench's own nodes give to it. */
interface Bench {
  /** Messages that the node that does nothing has seen. */
  counter: { count: number };
  sink: SinkStore;
}

/**
 * Messages that a real broker has queued for a persistent session are drained by Node-RED, in turns through
 * `mqtt in` → a node that only calls done, `mqtt in` → s3-batch-out without and with a journal, and `mqtt-ack-in` →
 * s3-batch-out with a journal, acknowledged when journaled. The rates are taken from the first message to the last that
 * has arrived, is on disk, or is told to be safe; objects are encoded and handed to a sink in this process meanwhile.
 * The other flows of docs/delivery.md are drained, too: a journal with announcements for a backup, `mqtt in` →
 * batch-backup to the last message that is announced, each batch a batch after its messages, and `mqtt-ack-in` →
 * s3-batch-out acknowledged when stored, in a window of one batch.
 */
export async function ingest(): Promise<Record<string, unknown>> {
  const memoryRatio = measureMemory();
  const loopBlockMs = await measureLoopBlock();
  const rates = await measureRates(environment('MQTT_URL'));
  const rateOf = (name: FlowName): number => Math.round(median(rates[name].map(({ rate }) => rate)));
  const ratiosOf = (name: FlowName): number[] =>
    rates[name].map(({ rate }, n) => rate / (rates.empty[n]?.rate ?? NaN));
  const ratioOf = (name: FlowName): number => round(median(ratiosOf(name)), 3);
  return {
    messages: MESSAGES,
    rounds: ROUNDS,
    ratio: ratioOf('batch'),
    journalRatio: ratioOf('journal'),
    heldAckRatio: ratioOf('held'),
    ratios: ratiosOf('batch').map((ratio) => round(ratio, 3)),
    journalRatios: ratiosOf('journal').map((ratio) => round(ratio, 3)),
    heldAckRatios: ratiosOf('held').map((ratio) => round(ratio, 3)),
    emptyFlow: rateOf('empty'),
    batchFlow: rateOf('batch'),
    journalFlow: rateOf('journal'),
    heldAckFlow: rateOf('held'),
    announcingFlow: rateOf('announcing'),
    backupFlow: rateOf('backup'),
    storedAckFlow: rateOf('stored'),
    batchFlowToLastObject: Math.round(median(rates.batch.map(({ stored }) => stored))),
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

/** A flow that drains what the broker has queued, and how far it is. */
interface Drain {
  flow: FlowNode[];
  /** Messages that came in, from 0 on or from what it is before. */
  arrived: () => number;
  /** Messages that it is done with: what ends the measurement. */
  done: () => number;
  /** Whether all of its objects are with the sink. */
  stored: () => boolean;
}

const FLOWS = ['empty', 'batch', 'journal', 'held', 'announcing', 'backup', 'stored'] as const;
type FlowName = (typeof FLOWS)[number];

interface Rate {
  /** Messages a second, to the last message. */
  rate: number;
  /** Messages a second, to the last object. */
  stored: number;
}

async function measureRates(url: string): Promise<Record<FlowName, Rate[]>> {
  const folder = await mkdtemp(path.join(await diskFolder(), 's3-batch-bench-'));
  const bench: Bench = { counter: { count: 0 }, sink: new SinkStore() };
  (globalThis as { s3BatchBench?: Bench }).s3BatchBench = bench;
  await writeBenchNodes(path.join(folder, 'nodes'));
  const { red, stop } = await startNodeRed(folder, 0);
  const rates = Object.fromEntries(FLOWS.map((name) => [name, []])) as unknown as Record<FlowName, Rate[]>;
  try {
    await clearSession(url);
    for (let n = -1; n < ROUNDS; n++) {
      // In turns, and every other round the other way round, so that a drift of the machine favours none.
      for (const name of n % 2 === 0 ? FLOWS : FLOWS.toReversed()) {
        await queueMessages(
          url,
          name === 'backup' ? withAnnouncements(weldingMessages()) : weldingMessages(),
        );
        const rate = await drain(red, drainOf(name, red, url, bench));
        if (n >= 0) rates[name].push(rate); // the first round warms up
      }
    }
  } finally {
    await stop();
    await clearSession(url);
    await rm(folder, { recursive: true, force: true });
  }
  return rates;
}

function drainOf(name: FlowName, red: NodeRed, url: string, { counter, sink }: Bench): Drain {
  if (name === 'empty') {
    const before = counter.count;
    const count = (): number => counter.count - before;
    return { flow: emptyFlow(url), arrived: count, done: count, stored: () => true };
  }
  if (name === 'backup') {
    const count = (what: 'received' | 'announced') => (): number => {
      const node: BackupNode | null = red.nodes.getNode(name);
      return node?.ledger?.[what] ?? 0;
    };
    const flow = outFlow(mqttIn(url, name), name, 'batch-backup', {
      controlTopic: CONTROL_TOPIC,
      journal: true,
    });
    return { flow, arrived: count('received'), done: count('announced'), stored: () => true };
  }
  const objects = sink.objects + MESSAGES / BATCH;
  const count = (what: keyof WriterCounts) => (): number => {
    const node: (Node & { counts?: WriterCounts }) | null = red.nodes.getNode(name);
    return node?.counts?.[what] ?? 0;
  };
  const flows = {
    batch: { flow: batchFlow(mqttIn(url, name), name, {}), done: count('received') },
    journal: { flow: batchFlow(mqttIn(url, name), name, { journal: true }), done: count('journaled') },
    held: {
      flow: batchFlow(mqttAckIn(url, name, 'journaled'), name, { journal: true }),
      done: count('acknowledged'),
    },
    announcing: {
      flow: batchFlow(mqttIn(url, name), name, { journal: true, controlTopic: CONTROL_TOPIC }),
      done: count('journaled'),
    },
    // A batch that was sealed early, because the broker paused, leaves fewer than a batch to the end.
    stored: {
      flow: batchFlow(mqttAckIn(url, name, 'stored'), name, { idle: 0.2 }),
      done: count('acknowledged'),
    },
  };
  return { ...flows[name], arrived: count('received'), stored: () => sink.objects >= objects };
}

async function drain(red: NodeRed, { flow, arrived, done, stored: isStored }: Drain): Promise<Rate> {
  await setFlows(red, flow);
  const began = await until(() => arrived() > 0);
  const ended = await until(() => done() >= MESSAGES);
  const stored = await until(isStored);
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

interface Message {
  topic: string;
  payload: Buffer;
}

function weldingMessages(): Iterable<Message> {
  return weldMessages({ count: MESSAGES, plants: 1, stations: STATIONS, seconds: 3600 });
}

/** What a backup gets: messages, and behind each batch the announcement of the batch before it. */
function* withAnnouncements(messages: Iterable<Message>): Generator<Message> {
  let announced: Message[] = [];
  let digests = Buffer.alloc(BATCH * DIGEST_LENGTH);
  let count = 0;
  for (const message of messages) {
    yield message;
    writeDigest(message.topic, message.payload, digests, DIGEST_LENGTH * count);
    if (++count < BATCH) continue;
    yield* announced;
    announced = announcementsOf(randomUUID(), digests).map((payload) => ({ topic: CONTROL_TOPIC, payload }));
    digests = Buffer.alloc(digests.length);
    count = 0;
  }
  yield* announced;
}

/** Lets the broker queue messages for the session that Node-RED will take up. */
async function queueMessages(url: string, queued: Iterable<Message>): Promise<void> {
  const session = await connectAsync(url, SESSION);
  await session.subscribeAsync(TOPIC, { qos: 1 });
  await session.endAsync();
  const publisher = await connectAsync(url);
  const left = queued[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      await publisher.publishAsync(next.value.topic, next.value.payload, { qos: 1 });
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, worker));
  await publisher.endAsync();
}

function brokerNode(url: string, settings: Record<string, unknown>): FlowNode {
  const { hostname, port } = new URL(url);
  return {
    id: 'broker',
    type: 'mqtt-broker',
    broker: hostname,
    port,
    autoConnect: true,
    autoUnsubscribe: false,
    protocolVersion: '4',
    keepalive: '60',
    ...settings,
  };
}

function canvas(type: string, id: string, settings: Record<string, unknown>): FlowNode {
  return { id, type, z: 'tab', x: 100, y: 100, wires: [[]], ...settings };
}

function mqttIn(url: string, target: string): FlowNode[] {
  const input = { topic: TOPIC, qos: '1', datatype: 'buffer', broker: 'broker', wires: [[target]] };
  return [brokerNode(url, { clientid: CLIENT_ID, cleansession: false }), canvas('mqtt in', 'in', input)];
}

/**
 * With the window that the test broker allows; a window of a whole batch, which acknowledging when stored wants, is
 * asked for by MQTT 5.
 */
function mqttAckIn(url: string, target: string, acknowledge: 'journaled' | 'stored'): FlowNode[] {
  const input = { topic: TOPIC, qos: '1', datatype: 'buffer', broker: 'broker', wires: [[target]] };
  const [protocolVersion, window] = acknowledge === 'stored' ? ['5', BATCH] : ['4', HELD_WINDOW];
  const held = { clientId: CLIENT_ID, acknowledge, window };
  return [brokerNode(url, { protocolVersion }), canvas('mqtt-ack-in', 'in', { ...input, ...held })];
}

function emptyFlow(url: string): FlowNode[] {
  return [TAB, ...mqttIn(url, 'counter'), canvas('bench-counter', 'counter', {})];
}

function batchFlow(input: FlowNode[], id: string, settings: Record<string, unknown>): FlowNode[] {
  return outFlow(input, id, 's3-batch-out', { completion: 'batched', ...settings });
}

function outFlow(
  input: FlowNode[],
  id: string,
  type: 's3-batch-out' | 'batch-backup',
  settings: Record<string, unknown>,
): FlowNode[] {
  return [
    TAB,
    ...input,
    { id: 'store', type: 'bench-store' },
    { id: 'layout', type: 'archive-layout', ...WELDING_LAYOUT, timeSource: 'field', timeZone: 'UTC' },
    canvas(type, id, {
      connection: 'store',
      layout: 'layout',
      count: BATCH,
      framing: 'newline',
      compression: 'gzip',
      ...settings,
    }),
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
