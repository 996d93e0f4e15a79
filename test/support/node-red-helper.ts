import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { inspect } from 'node:util';

import type { Node, NodeInitializer, NodeMessage, NodeStatus } from 'node-red';

import type { OpenBatchState, WriterCounts } from '../../lib/batch';
import archiveLayout from '../../nodes/archive-layout';
import batchBackup from '../../nodes/batch-backup';
import batchFlush from '../../nodes/batch-flush';
import mqttAckIn from '../../nodes/mqtt-ack-in';
import offsetIndex from '../../nodes/offset-index';
import s3BatchOut from '../../nodes/s3-batch-out';
import s3Connection from '../../nodes/s3-connection';
import s3RangeIn from '../../nodes/s3-range-in';
import type { BatchOutNode } from '../../nodes/common/types';
import objectBrowser from '../../plugins/object-browser';
import type { DeploymentType, FlowNode } from './node-red-process';

/** What Node-RED logs. */
export interface LogEntry {
  level: number;
  id?: string;
  type?: string;
  msg: unknown;
}

/** That a node has called `done`. */
export interface Completion {
  node: string;
  message: NodeMessage;
  error: Error | undefined;
}

type Credentials = Record<string, Record<string, string>>;

interface CompleteEvent {
  msg: NodeMessage;
  error?: unknown;
  node: { id: string };
}

/** What the admin API answers. */
export interface AdminAnswer {
  status: number;
  /** JSON, parsed. */
  body: unknown;
  headers: Record<string, string>;
}

/** What the test helper has inside; it publishes no types. */
interface TestHelper {
  load(nodes: NodeInitializer[], flow: FlowNode[], credentials: Credentials): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): Node | null;
  settings(settings: object): object;
  request(): Record<
    'get' | 'post',
    (path: string) => Promise<AdminAnswer> & { send(body: object): Promise<AdminAnswer> }
  >;
  _redNodes: {
    setFlows(flows: FlowNode[], credentials: Credentials | null, type: string): Promise<unknown>;
    loadFlows(forceStart: boolean): Promise<unknown>;
    getFlows(): { flows: FlowNode[] };
  };
  /** The admin API, an Express application. */
  _httpAdmin: RequestListener;
  _events: EventEmitter;
  _log: { addHandler(handler: EventEmitter): void; removeHandler(handler: EventEmitter): void };
}

interface Hooks {
  add(name: string, hook: (event: never) => void): void;
  remove(name: string): void;
}

const load = createRequire(__filename);
const helper = load('node-red-node-test-helper') as TestHelper;
const { hooks } = load('@node-red/util') as { hooks: Hooks };

export const LEVEL = { error: 20, warn: 30, info: 40, debug: 50 } as const;

const NODES: NodeInitializer[] = [
  archiveLayout,
  batchBackup,
  batchFlush,
  mqttAckIn,
  offsetIndex,
  s3BatchOut,
  s3Connection,
  s3RangeIn,
];
const PLUGINS: NodeInitializer[] = [objectBrowser];
/** Node-RED's own nodes, beside those that the helper knows. */
const CORE: Record<string, string> = {
  join: '@node-red/nodes/core/sequence/17-split.js',
  'mqtt in': '@node-red/nodes/core/network/10-mqtt.js',
  function: '@node-red/nodes/core/function/10-function.js',
};

/** What a node is given to close, ms: a stop while the store is away waits for two thirds of it. */
const CLOSE_TIMEOUT = 3000;

/** A rejection that nobody handles ends a Node-RED with all its flows, so it fails whatever test it falls into. */
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => {
  unhandled.push(reason);
});

/** Node-RED's runtime in this process, with the nodes of this package and one flow. */
export class FlowRunner {
  readonly logs: LogEntry[] = [];
  readonly completions: Completion[] = [];
  readonly #statuses = new Map<string, NodeStatus[]>();
  readonly #received = new Map<string, NodeMessage[]>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #logHandler = new EventEmitter();
  #sent = 0;
  #credentials: Credentials = {};

  constructor() {
    this.#logHandler.on('log', (entry: LogEntry) => {
      this.logs.push(entry);
      this.#changes.emit('change');
    });
  }

  async load(flow: FlowNode[], settings: object = {}): Promise<void> {
    helper.settings({ nodeCloseTimeout: CLOSE_TIMEOUT, ...settings });
    // Every load of the nodes listens anew.
    helper._events.setMaxListeners(0);
    helper._events.on('node-status', this.#onStatus);
    helper._log.addHandler(this.#logHandler);
    hooks.add('onReceive.test', ({ msg, destination }: { msg: NodeMessage; destination: { id: string } }) => {
      this.#add(this.#received, destination.id, msg);
    });
    hooks.add('onComplete.test', ({ msg, error, node }: CompleteEvent) => {
      this.completions.push({ node: node.id, message: msg, error: error as Error | undefined });
      this.#changes.emit('change');
    });
    const types = new Set(flow.map(({ type }) => type));
    const core = Object.entries(CORE).filter(([type]) => types.has(type));
    const own = [...NODES, ...PLUGINS].map(
      (node): NodeInitializer =>
        (RED) =>
          node(Object.assign(RED, { hooks })),
    );
    const nodes = [...own, ...core.map(([, module]) => load(module) as NodeInitializer)];
    this.#credentials = {};
    await helper.load(nodes, this.#withoutCredentials(flow), this.#credentials);
  }

  /** Deploys another flow as the editor does. */
  async deploy(flow: FlowNode[], type: DeploymentType = 'full'): Promise<void> {
    const started = once(helper._events, 'flows:started');
    if (type === 'reload') await helper._redNodes.loadFlows(true);
    else await helper._redNodes.setFlows(this.#withoutCredentials(flow), this.#credentials, type);
    await started;
  }

  /** Deploys changed nodes that Node-RED does not start, for types are missing; the others go on. */
  async deployInVain(flow: FlowNode[]): Promise<void> {
    const told = once(helper._events, 'runtime-event');
    await helper._redNodes.setFlows(this.#withoutCredentials(flow), this.#credentials, 'nodes');
    await told;
  }

  /** Stops all nodes as the end of the process does. */
  async unload(): Promise<void> {
    try {
      await helper.unload();
    } finally {
      helper._events.off('node-status', this.#onStatus);
      helper._log.removeHandler(this.#logHandler);
      hooks.remove('*.test');
    }
  }

  /** The node of this id; none while it is stopped. */
  find(id: string): Node | undefined {
    return helper.getNode(id) ?? undefined;
  }

  node(id: string): Node {
    const node = this.find(id);
    assert.ok(node, `the node ${id} runs`);
    return node;
  }

  get flows(): FlowNode[] {
    return helper._redNodes.getFlows().flows;
  }

  /** The admin API with what the nodes add to it, for a server of the test's own. */
  get admin(): RequestListener {
    return helper._httpAdmin;
  }

  async post(path: string): Promise<number> {
    return (await this.request('post', path)).status;
  }

  /** Asks the admin API, as the editor does. */
  async request(method: 'get' | 'post', path: string, body?: object): Promise<AdminAnswer> {
    const request = helper.request()[method](path);
    return body === undefined ? request : request.send(body);
  }

  async get(path: string): Promise<AdminAnswer> {
    return this.request('get', path);
  }

  /** Hands a message to a node, and answers when the node has called `done`: with its error, if any. */
  async send(id: string, message: object): Promise<Error | undefined> {
    const sent = this.give(id, message);
    await this.until(`${id} to be done`, () => this.completionsOf(sent).length > 0);
    return this.completionsOf(sent)[0]?.error;
  }

  /** Hands a message to a node, with an id where it has none, and answers it as it was handed over. */
  give(id: string, message: object): NodeMessage {
    const sent = { _msgid: `test-${++this.#sent}`, ...message };
    this.node(id).receive(sent);
    return sent;
  }

  /** Each time that a node has called `done` for this message. */
  completionsOf(message: NodeMessage): Completion[] {
    return this.completions.filter((completion) => completion.message === message);
  }

  /** What a node has received, first to last. */
  received(id: string): NodeMessage[] {
    return this.#received.get(id) ?? [];
  }

  /** Waits until a node has received so many messages, and answers them all. */
  async receives(id: string, count: number): Promise<NodeMessage[]> {
    await this.until(`${id} to receive ${count}`, () => this.received(id).length >= count);
    return this.received(id);
  }

  /** Every status that a node has shown, first to last. */
  statuses(id: string): NodeStatus[] {
    return this.#statuses.get(id) ?? [];
  }

  status(id: string): { fill?: string; shape?: string; text?: string } {
    return (this.statuses(id).at(-1) ?? {}) as { text?: string };
  }

  /** What the s3-batch-out `out` counts at this moment. */
  get counts(): Readonly<WriterCounts> {
    const { counts } = this.node('out') as BatchOutNode;
    assert.ok(counts);
    return counts;
  }

  /** What the s3-batch-out `out` shows in its context. */
  get shown(): { batches: OpenBatchState[]; counts: WriterCounts } {
    const [batches, counts] = this.node('out').context().get(['batches', 'counts']);
    return { batches: batches as OpenBatchState[], counts: counts as WriterCounts };
  }

  /** Log lines of this level as text. */
  logged(level: keyof typeof LEVEL): string[] {
    return this.logs.filter((entry) => entry.level === LEVEL[level]).map(({ msg }) => textOf(msg));
  }

  /** Waits until a condition holds; it is asked whenever something happens here, and now and then. */
  async until(what: string, condition: () => boolean, ms = 30_000): Promise<void> {
    const end = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}; ${this.#state()}`);
      const timer = setTimeout(() => this.#changes.emit('change'), 20);
      await once(this.#changes, 'change');
      clearTimeout(timer);
    }
  }

  /** What may not be there after any test. */
  check(): void {
    assert.deepEqual(unhandled.splice(0), [], 'no rejection without a handler');
    const twice = new Set<NodeMessage>();
    for (const { message, node } of this.completions) {
      // The same object may pass several nodes.
      const key = this.completions.filter((other) => other.message === message && other.node === node);
      if (key.length > 1) twice.add(message);
    }
    assert.deepEqual([...twice], [], 'no message is done twice');
  }

  #state(): string {
    const statuses = [...this.#statuses].map(([id, all]) => `${id}: ${all.at(-1)?.text ?? ''}`);
    return `statuses ${statuses.join(', ')}; log ${this.logs
      .filter(({ level }) => level <= LEVEL.warn)
      .map(({ msg }) => textOf(msg))
      .join(' | ')}`;
  }

  readonly #onStatus = ({ id, status }: { id: string; status?: NodeStatus }): void => {
    if (status) this.#add(this.#statuses, id, status);
  };

  #add<T>(to: Map<string, T[]>, id: string, one: T): void {
    const list = to.get(id);
    if (list) list.push(one);
    else to.set(id, [one]);
    this.#changes.emit('change');
  }

  /** Credentials stand apart from the flow, as in a flow file. */
  #withoutCredentials(flow: FlowNode[]): FlowNode[] {
    return flow.map(({ credentials, ...node }) => {
      if (credentials !== undefined) this.#credentials[node.id] = credentials as Record<string, string>;
      return node;
    });
  }
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value instanceof Error ? value.message : inspect(value);
}

/** A runner for each test of a `describe`; after each, all nodes are stopped and what must never be is looked for. */
export function useFlows(): { current: FlowRunner } {
  const runner = { current: new FlowRunner() };
  beforeEach(() => {
    runner.current = new FlowRunner();
  });
  afterEach(async () => {
    await runner.current.unload();
    runner.current.check();
  });
  return runner;
}
