import { gunzipSync, gzipSync } from 'node:zlib';

import { type MqttClient } from 'mqtt';

/** Messages of a round, and the time in which they are published: a kill falls somewhere into it. */
export const MESSAGES = 1000;
export const PUBLISHING_MS = 1000;
const DEVICES = 10;
const LINES = 2;
/** About the size of a small telemetry message. */
const FILLER = 'x'.repeat(120);

/** A message that is known wherever it turns up. */
export interface CrashMessage {
  number: number;
  round: number;
  topic: string;
  payload: Buffer;
}

/** Topic pattern of the layout that belongs to these messages. */
export const TOPIC_PATTERN = 'RUN/ROUND/COMPRESSED/LINE/DEVICE';

/**
 * The messages of one round; every fourth is compressed.
 * @param root first level of the topics
 * @param mode for people who look into an object
 */
export function messagesOf(root: string, mode: string, round: number): CrashMessage[] {
  return Array.from({ length: MESSAGES }, (_, index) => {
    const number = round * MESSAGES + index;
    const device = index % DEVICES;
    const json = Buffer.from(JSON.stringify({ number, mode, round, filler: FILLER }));
    const isCompressed = index % 4 === 3;
    return {
      number,
      round,
      topic: `${root}/${round}/${isCompressed ? 'GZIP' : 'NONE'}/LINE-${device % LINES}/DEVICE-${device}`,
      payload: isCompressed ? gzipSync(json) : json,
    };
  });
}

/** The number in a payload as it was published. */
export function numberIn(payload: Buffer): number {
  const json = payload[0] === 0x1f ? gunzipSync(payload) : payload;
  return numberInLine(json.toString());
}

/** The number in a line of a stored object. */
export function numberInLine(line: string): number {
  const { number } = JSON.parse(line) as { number?: unknown };
  if (typeof number !== 'number') throw new Error(`no message's number in ${line}`);
  return number;
}

/**
 * Publishes with QoS 1, spread evenly over the time; resolves when the broker has acknowledged all.
 * @param times takes when each number was published, by `performance.now()`
 * @param ms in which they are published
 */
export async function publishEvenly(
  client: MqttClient,
  messages: readonly CrashMessage[],
  times: Map<number, number>,
  ms: number,
): Promise<void> {
  const began = performance.now();
  const acknowledged: Promise<unknown>[] = [];
  for (const { number, topic, payload } of messages) {
    const due = began + (acknowledged.length * ms) / messages.length;
    if (due > performance.now()) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    times.set(number, performance.now());
    acknowledged.push(client.publishAsync(topic, payload, { qos: 1 }));
  }
  await Promise.all(acknowledged);
}
