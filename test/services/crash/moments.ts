import { setTimeout as pause } from 'node:timers/promises';

import type { GatewayProxy } from './gateway-proxy';
import type { Instance } from './instance';
import { PUBLISHING_MS } from './messages';

/** Who is killed, and what of its surroundings helps to bring the moment about. */
export interface Victim {
  instance: Instance;
  /** Between it and the gateway. */
  proxy: GatewayProxy;
  /** Those of the others that work beside it. */
  otherProxies: readonly GatewayProxy[];
  /** Chance: numbers from 0 to 1. */
  random: () => number;
}

/** Brings about a moment while messages are published, and kills; the victim is down when it resolves. */
export interface Moment {
  name: string;
  kill(victim: Victim): Promise<void>;
}

/** How long what is waited for may take, ms. */
const PATIENCE = 30_000;
/** From the start of the flows on: the journal is read, sealed batches are uploaded, the broker sends again, ms. */
const RECOVERY_MS = 300;
/** Time in which what follows an answer of the gateway is done, ms. */
const AFTERWARDS_MS = 10;

export const WHILE_TAKING: Moment = {
  name: 'while messages come',
  async kill({ instance, random }) {
    await pause(random() * PUBLISHING_MS * 1.1);
    await instance.kill();
  },
};

export const WHILE_UPLOADING: Moment = {
  name: 'while an object is on its way',
  async kill({ instance, proxy, random }) {
    await pause((random() * PUBLISHING_MS) / 2);
    await reached(proxy.holdUploads(), this.name);
    await pause(random() * AFTERWARDS_MS);
    await instance.kill();
    proxy.reset();
  },
};

export const BEFORE_THE_ANSWER: Moment = {
  name: 'when an object is stored, before the answer comes',
  async kill({ instance, proxy, random }) {
    await pause((random() * PUBLISHING_MS) / 2);
    await reached(proxy.holdAnswers(), this.name);
    await pause(random() * AFTERWARDS_MS);
    await instance.kill();
    proxy.reset();
  },
};

export const AFTER_THE_ANSWER: Moment = {
  name: 'just after the answer has come',
  async kill({ instance, proxy, random }) {
    await pause((random() * PUBLISHING_MS) / 2);
    await reached(proxy.holdAnswers(), this.name);
    proxy.pass();
    await pause(random() * AFTERWARDS_MS);
    await instance.kill();
  },
};

export const WHILE_RECOVERING: Moment = {
  name: 'while messages come, and again while it recovers',
  async kill({ instance, random }) {
    await pause(random() * PUBLISHING_MS);
    await instance.kill();
    instance.spawn();
    await instance.starting();
    await pause(random() * RECOVERY_MS);
    await instance.kill();
  },
};

/** For a victim that uploads only what another one has not: the other's objects do not get through meanwhile. */
export const WHILE_STANDING_IN: Moment = {
  name: 'while an object is on its way that the other could not store',
  async kill({ instance, proxy, otherProxies, random }) {
    for (const other of otherProxies) void other.holdUploads();
    await reached(proxy.holdUploads(), this.name);
    await pause(random() * AFTERWARDS_MS);
    await instance.kill();
    for (const each of [proxy, ...otherProxies]) each.reset();
  },
};

/** Every kind of moment that a node which stores batches can be killed at. */
export const MOMENTS = [
  WHILE_TAKING,
  WHILE_UPLOADING,
  BEFORE_THE_ANSWER,
  AFTER_THE_ANSWER,
  WHILE_RECOVERING,
] as const;

async function reached(moment: Promise<void>, name: string): Promise<void> {
  const late = new AbortController();
  const limit = pause(PATIENCE, undefined, { signal: late.signal }).then(
    () => {
      throw new Error(`waited ${PATIENCE / 1000} s in vain for the moment ${name}`);
    },
    () => undefined,
  );
  await Promise.race([moment, limit]);
  late.abort();
}
