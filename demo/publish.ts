import type { MqttClient } from 'mqtt';

import type { WeldMessage } from './weld-messages';

/** What came of publishing so far. */
export interface PublishProgress {
  /** Messages handed to the client; of these, spots and such that were published before. */
  published: number;
  spots: number;
  duplicates: number;
  /** Spots of stations that deliver a day later, and gzipped messages, as often as they were published. */
  late: number;
  gzip: number;
  /** Messages that the broker has acknowledged; at QoS 0, which has no such thing, those handed to the network. */
  acknowledged: number;
  /** Bytes of payload that were handed over. */
  bytes: number;
}

export interface PublishOptions {
  qos?: 0 | 1 | 2;
  /** Spots a second, without what is published twice; 0: as fast as the broker takes them. */
  rate?: number;
  /** No more is published once this is aborted; what is under way is waited for as long as `patience` says. */
  signal?: AbortSignal;
  /** ms */
  patience?: number;
}

export function noPublishProgress(): PublishProgress {
  return { published: 0, spots: 0, duplicates: 0, late: 0, gzip: 0, acknowledged: 0, bytes: 0 };
}

/** Publishes under way; a broker whose clients have more of them unacknowledged than it takes stands still. */
const WINDOW = 300;

/**
 * Publishes messages in their order, with a bounded number under way, and waits for the last of them.
 * @param progress is kept up to date
 * @throws what the client says when it cannot publish
 */
export async function publishMessages(
  client: Pick<MqttClient, 'publish'>,
  messages: Iterable<WeldMessage>,
  progress: PublishProgress,
  { qos = 1, rate = 0, signal, patience = 5000 }: PublishOptions = {},
): Promise<void> {
  const began = performance.now();
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const underWay = (): number => progress.published - progress.acknowledged;
  const change = (ms?: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const stop = (): void => {
    wake();
  };
  signal?.addEventListener('abort', stop);
  const isStopped = (): boolean => failure !== undefined || signal?.aborted === true;
  try {
    for (const message of messages) {
      while (!isStopped() && rate > 0) {
        const early = began + (progress.spots * 1000) / rate - performance.now();
        if (early < 1) break;
        await change(early);
      }
      while (!isStopped() && underWay() >= WINDOW) await change();
      if (isStopped()) break;
      count(message, progress);
      client.publish(message.topic, message.payload, { qos }, (error) => {
        if (error) failure ??= error;
        else progress.acknowledged++;
        wake();
      });
    }
    let end = Infinity;
    while (!failure && underWay() > 0) {
      if (signal?.aborted) end = Math.min(end, performance.now() + patience);
      const left = end - performance.now();
      if (left <= 0) break;
      await change(left === Infinity ? undefined : left);
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (failure) throw failure;
}

function count({ payload, duplicate, late, gzip }: WeldMessage, progress: PublishProgress): void {
  progress.published++;
  progress[duplicate ? 'duplicates' : 'spots']++;
  if (late) progress.late++;
  if (gzip) progress.gzip++;
  progress.bytes += payload.length;
}
