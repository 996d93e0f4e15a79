import path from 'node:path';

import { connectAsync } from 'mqtt';

import { type DeploymentType, type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { mqttUrl, RUN } from './environment';
import type { NumberedMessage } from './numbered-messages';
import { nodeNamed, plantFlow, type PlantSettings, PROBE_TOPIC } from './plant-flow';

const REPOSITORY = path.resolve(__dirname, '../../..');
/** Publishes under way; a broker whose clients have more of them unacknowledged than it takes stands still. */
const WINDOW = 200;
/** Longer than the flow takes to connect to the broker anew, ms. */
const QUIET = 3000;
const PATIENCE = 60_000; // ms, for whatever is waited for

/** What s3-batch-out and batch-flush tell about a stored object. */
export interface ToldObject {
  bucket: string;
  key: string;
  count: number;
  /** Size of the object. */
  bytes: number;
  first: string;
  last: string;
}

/** What the nodes said since Node-RED started, oldest first. */
export interface Told {
  objects: ToldObject[];
  probes: string[];
  /** Texts under the s3-batch-out. */
  statuses: string[];
  errors: string[];
}

export interface Plan {
  objects: { listed: number; matching: number };
  failed: unknown[];
  records: number;
  asked: { requests: number; bytes: number };
  toFetch: { requests: number; bytes: number };
  download: number;
}

export interface QueriedRecord {
  topic: string;
  /** In base64. */
  payload: string;
  time: number;
  key: string;
  series: string;
}

/** The example flow in a Node-RED process of its own, between the real broker and the real store. */
export class Plant {
  readonly nodeRed: NodeRedProcess;
  readonly #settings: PlantSettings;
  #batchOut = '';
  #deploys = 0;

  private constructor(nodeRed: NodeRedProcess, settings: PlantSettings) {
    this.nodeRed = nodeRed;
    this.#settings = settings;
  }

  /** Starts it; it has subscribed when this resolves. */
  static async start(settings: PlantSettings): Promise<Plant> {
    const nodeRed = await startNodeRed({
      packageFolder: REPOSITORY,
      settings: { mqttReconnectTime: 500 },
    });
    const plant = new Plant(nodeRed, settings);
    try {
      await plant.deploy({}, 'full');
    } catch (error) {
      await plant.remove();
      throw error;
    }
    return plant;
  }

  /** Deploys the flow with these settings in the place of its first ones, and waits until it has subscribed. */
  async deploy(changes: Partial<PlantSettings>, type: DeploymentType): Promise<void> {
    const flow = await plantFlow({ ...this.#settings, ...changes });
    this.#batchOut = nodeNamed(flow, 's3-batch-out').id;
    await this.nodeRed.deploy(flow, { type });
    const probe = `${RUN} ${++this.#deploys}`;
    const client = await connectAsync(mqttUrl());
    await this.until('the flow to subscribe', async () => {
      await client.publishAsync(PROBE_TOPIC, probe, { qos: 1 });
      return (await this.told()).probes.includes(probe);
    });
    await client.endAsync();
  }

  /** Publishes with QoS 1, several at a time; resolves when the broker has acknowledged all. */
  async publish(messages: readonly NumberedMessage[]): Promise<void> {
    const client = await connectAsync(mqttUrl(), { reconnectPeriod: 200 });
    const next = messages.values();
    const worker = async (): Promise<void> => {
      for (const { topic, payload } of next) await client.publishAsync(topic, payload, { qos: 1 });
    };
    await Promise.all(Array.from({ length: WINDOW }, worker));
    await client.endAsync();
  }

  /** What the s3-batch-out shows in its context, up to a second old. */
  async counts(): Promise<Record<string, number>> {
    const url = `${this.nodeRed.url}/context/node/${this.#batchOut}/counts`;
    const { msg } = (await (await fetch(url)).json()) as { msg: string };
    return JSON.parse(msg) as Record<string, number>;
  }

  async told(): Promise<Told> {
    return (await this.#ask('GET', '/told')) as Told;
  }

  /** Seals everything and waits until it is stored. */
  async flush(): Promise<ToldObject[]> {
    return (await this.#ask('POST', '/flush', {})) as ToldObject[];
  }

  async query(query: object): Promise<{ plan: Plan; records: QueriedRecord[] }> {
    return (await this.#ask('POST', '/query', query)) as { plan: Plan; records: QueriedRecord[] };
  }

  /** Only what the query would cost. */
  async plan(query: object): Promise<Plan> {
    return ((await this.#ask('POST', '/plan', query)) as { plan: Plan }).plan;
  }

  /** Waits until the s3-batch-out has taken `count` records since it was started. */
  async received(count: number): Promise<void> {
    await this.until(
      `s3-batch-out to receive ${count} records`,
      async () => (await this.counts()).received === count,
    );
  }

  /** Waits until no more records have come for a while. */
  async quiet(): Promise<void> {
    let last = { received: NaN, since: performance.now() };
    await this.until('no more records to come', async () => {
      const { received = 0 } = await this.counts();
      if (received !== last.received) last = { received, since: performance.now() };
      return performance.now() - last.since > QUIET;
    });
  }

  /** Waits until the text under the s3-batch-out matches; of those that it had before, `after` are left out. */
  async status(pattern: RegExp, after = 0): Promise<void> {
    await this.until(`a status ${String(pattern)}`, async () =>
      (await this.told()).statuses.slice(after).some((text) => pattern.test(text)),
    );
  }

  /** @throws Error that shows what the nodes said, when it takes too long */
  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const began = performance.now();
    while (!(await condition())) {
      if (performance.now() - began > PATIENCE) {
        const { statuses, errors } = await this.told();
        const counts = JSON.stringify(await this.counts());
        const last = [...statuses.slice(-10), ...errors.slice(-10), counts].join('\n');
        throw new Error(`waited ${PATIENCE / 1000} s in vain for ${what}; the nodes told last:\n${last}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends it without a warning if it runs, and removes its folder. */
  async remove(): Promise<void> {
    await this.nodeRed.remove();
  }

  async #ask(method: string, where: string, body?: object): Promise<unknown> {
    const response = await fetch(this.nodeRed.url + where, {
      method,
      headers: { 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(PATIENCE),
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${where} is answered with ${response.status}: ${text}`);
    return JSON.parse(text) as unknown;
  }
}
