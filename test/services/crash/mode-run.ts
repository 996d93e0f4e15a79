import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { connectAsync, type MqttClient } from 'mqtt';

import { TestBuckets } from '../buckets';
import { mqttUrl, RUN, s3Access } from '../environment';
import { balance, type Books, isBalanced } from './books';
import { doneTopic, type FlowChanges, flushTopic } from './flow';
import { GatewayProxy } from './gateway-proxy';
import { Instance } from './instance';
import { type CrashMessage, numberIn, publishEvenly, PUBLISHING_MS } from './messages';
import type { Mode, Role } from './modes';
import { StoredNumbers } from './stored-numbers';

/** A Node-RED of a mode with what belongs to it. */
export interface Member {
  role: Role;
  instance: Instance;
  /** Between it and the gateway. */
  proxy: GatewayProxy;
}

/** What differs from the usual. */
export interface ModeRunOptions {
  mqttUrl?: string;
  changes?: FlowChanges;
  /** Variables of the Node-REDs. */
  environment?: Record<string, string>;
}

/** How long whatever is waited for may take, ms. */
const PATIENCE = 180_000;
const POLL = 100; // ms

let runs = 0;

/** A mode at work: its Node-REDs, with broker sessions, a bucket, and proxies of their own, and a publisher. */
export class ModeRun {
  readonly members: Member[] = [];
  /** Numbers of messages that s3-batch-out said it was done with. */
  readonly done = new Set<number>();
  /** Ledgers that did not balance. */
  readonly wrongLedgers: string[] = [];
  /** When each number was published, by `performance.now()`. */
  readonly published = new Map<number, number>();
  readonly mode: Mode;
  /** First level of its topics, and the name of its bucket. */
  readonly root = `crash-${RUN}-${++runs}`;
  readonly #mqttUrl: string;
  readonly #listeners = new Map<string, (payload: Buffer) => void>();
  readonly #cleanups: (() => Promise<void>)[] = [];
  /** Beginnings of names, with the bucket, of objects that s3-batch-out was told to store and has stored. */
  readonly #flushed = new Set<string>();
  #client!: MqttClient;
  #stored!: StoredNumbers;

  private constructor(mode: Mode, url: string) {
    this.mode = mode;
    this.#mqttUrl = url;
  }

  /** Its flows run when it resolves. */
  static async start(mode: Mode, options: ModeRunOptions = {}): Promise<ModeRun> {
    const run = new ModeRun(mode, options.mqttUrl ?? mqttUrl());
    try {
      await run.#start(options);
      return run;
    } catch (error) {
      await run.remove();
      throw error;
    }
  }

  async #start({ changes = {}, environment = {} }: ModeRunOptions): Promise<void> {
    const s3 = s3Access();
    const buckets = new TestBuckets(s3);
    this.#cleanups.push(() => buckets.removeAll());
    await buckets.create(this.root);
    this.#stored = new StoredNumbers(s3, this.root);
    this.#cleanups.push(() => {
      this.#stored.destroy();
      return Promise.resolve();
    });
    const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-crash-'));
    this.#cleanups.push(() => rm(folder, { recursive: true, force: true }));
    await this.#connect();
    for (const role of this.mode.roles) {
      const proxy = await GatewayProxy.start(s3.endpoint);
      this.#cleanups.push(() => proxy.close());
      const client = `${this.root}-${role.name}`;
      await this.#makeSession(client, role.filters(this.root));
      const { root } = this;
      const access = { ...s3, endpoint: proxy.endpoint };
      const ledgerTopic = `${client}-ledger`;
      const place = { s3: access, mqttUrl: this.#mqttUrl, bucket: root, root, client, ledgerTopic };
      const flow = role.flow(place, changes);
      const instance = await Instance.create(path.join(folder, role.name), flow, environment);
      this.#cleanups.push(() => instance.end());
      await this.#listen(ledgerTopic, (payload) => {
        this.#enter(instance, JSON.parse(payload.toString()) as Record<string, number>);
      });
      this.members.push({ role, instance, proxy });
    }
    await Promise.all(this.members.map(({ instance }) => instance.start()));
  }

  async #connect(): Promise<void> {
    const client = await connectAsync(this.#mqttUrl, { reconnectPeriod: 200 });
    this.#client = client;
    this.#cleanups.push(() => client.endAsync());
    client.on('message', (topic, payload) => this.#listeners.get(topic)?.(payload));
    await this.#listen(doneTopic(this.root), (payload) => {
      const text = payload.toString();
      if (text.startsWith(this.root)) this.#flushed.add(text);
      else this.done.add(numberIn(payload));
    });
  }

  async #listen(topic: string, listener: (payload: Buffer) => void): Promise<void> {
    this.#listeners.set(topic, listener);
    await this.#client.subscribeAsync(topic, { qos: 1 });
  }

  #enter(instance: Instance, ledger: Record<string, number>): void {
    instance.ledger = ledger;
    if (!isBalanced(ledger)) this.wrongLedgers.push(JSON.stringify(ledger));
  }

  /** Makes the broker keep messages for a client that has not connected yet. */
  async #makeSession(clientId: string, filters: string[]): Promise<void> {
    const client = await connectAsync(this.#mqttUrl, { clientId, clean: false });
    await client.subscribeAsync(filters, { qos: 1 });
    await client.endAsync();
    this.#cleanups.push(async () => {
      await (await connectAsync(this.#mqttUrl, { clientId, clean: true })).endAsync();
    });
  }

  /** Resolves when the broker has acknowledged all, `ms` after the first one was published at the earliest. */
  async publish(messages: readonly CrashMessage[], ms = PUBLISHING_MS): Promise<void> {
    await publishEvenly(this.#client, messages, this.published, ms);
  }

  /**
   * Seals everything of a round, and waits until it is stored. Only where messages are taken in their order, so not
   * while acknowledgements are held.
   */
  async flush(round: number): Promise<void> {
    const objects = `${this.root}/${round}/`;
    await this.#client.publishAsync(flushTopic(this.root), objects, { qos: 1 });
    await this.until('everything to be stored', () => this.#flushed.has(objects));
  }

  /** Waits until every message of a round is in S3. Does not fail when some never come: the books will tell. */
  async settle(messages: readonly CrashMessage[]): Promise<void> {
    await this.#waitFor(async () => (await this.booksOf(messages)).lost.length === 0);
  }

  /** Waits until no Node-RED holds anything any more: the books will not change. */
  async rest(): Promise<void> {
    await this.until('nothing to be held', () => this.members.every(({ instance }) => instance.isIdle));
  }

  /** @throws when the condition does not come true in time, or a Node-RED has ended by itself */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    if (await this.#waitFor(condition)) return;
    const logs = this.members.map(({ instance }) => instance.process.log.slice(-2000));
    throw new Error(
      [`waited ${PATIENCE / 1000} s in vain for ${what}; the logs end in:`, ...logs].join('\n'),
    );
  }

  async #waitFor(condition: () => boolean | Promise<boolean>): Promise<boolean> {
    const began = performance.now();
    while (!(await condition())) {
      if (performance.now() - began > PATIENCE) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL));
      for (const { instance } of this.members) instance.assertRuns();
    }
    return true;
  }

  /** What became of messages of one round, by the objects that are there now. */
  async booksOf(messages: readonly CrashMessage[]): Promise<Books> {
    return balance(
      messages.map(({ number }) => number),
      await this.#stored.count(`${messages[0]?.round ?? ''}/`),
    );
  }

  /** What became of all that was published. */
  async books(): Promise<Books> {
    return balance(this.published.keys(), await this.#stored.count());
  }

  /** Records that the Node-REDs said to have found in their journals, all starts together. */
  get recovered(): number {
    const found = this.members.flatMap(({ instance }) => [
      ...instance.log.matchAll(/recovered (\d+) records|holds (\d+) messages again/g),
    ]);
    return found.reduce((sum, [, records, messages]) => sum + Number(records ?? messages), 0);
  }

  /** Ends and removes everything; tells the first failure of that when all is done. */
  async remove(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.reverse())
      await cleanup().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
