import { MqttClient } from 'mqtt';

import { S3BatchError } from '../errors';
import { type Broker, openSocket } from './held-broker';
import { brokerError } from './held-connection';
import { HeldOver } from './held-over';

export interface Subscription {
  topic: string;
  qos: 1 | 2;
}

/** The subscriptions that this process made, by broker and client id: a session keeps what nobody ends. */
const subscriptions = new Map<string, Subscription>();
/** What nodes have in hand of each session's messages while it has no connection, in the same way. */
const heldOver = new Map<string, HeldOver>();
const inUse = new Set<string>();

/** A client id at a broker, which one session of this process may have: two would throw each other out for ever. */
export class SessionClaim {
  readonly #key: string;

  /** @throws BROKER_INVALID when another session of this process has it */
  constructor(broker: Broker, clientId: string) {
    this.#key = keyOf(broker, clientId);
    if (inUse.has(this.#key))
      throw new S3BatchError(
        'BROKER_INVALID',
        `another node has the client id "${clientId}" at ${broker.name}: give each node a client id of its own`,
      );
    inUse.add(this.#key);
  }

  /** What this process subscribed last in the session; undefined when it did not yet. */
  get subscription(): Subscription | undefined {
    return subscriptions.get(this.#key);
  }

  subscribed(subscription: Subscription): void {
    subscriptions.set(this.#key, subscription);
  }

  /** Of this session, over all that claim it one after the other. */
  get heldOver(): HeldOver {
    const own = heldOver.get(this.#key) ?? new HeldOver();
    heldOver.set(this.#key, own);
    return own;
  }

  release(): void {
    inUse.delete(this.#key);
  }
}

/**
 * Ends a session at the broker, with its subscription and all messages that wait in it, by connecting without it.
 * @throws BROKER_UNREACHABLE, BROKER_REFUSED when that did not succeed within `timeoutMs`
 */
export async function endSession(broker: Broker, clientId: string, timeoutMs: number): Promise<void> {
  const key = keyOf(broker, clientId);
  subscriptions.delete(key);
  heldOver.get(key)?.clear();
  heldOver.delete(key);
  const client = new MqttClient((own) => openSocket(own, broker), {
    ...broker.options,
    ...{ clientId, clean: true, reconnectPeriod: 0, connectTimeout: timeoutMs },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('connect', () => {
        resolve();
      });
      client.on('error', reject);
      client.on('close', () => {
        reject(new Error('connection closed'));
      });
    });
    await client.endAsync();
  } catch (error) {
    throw brokerError(error, broker);
  } finally {
    client.end(true);
  }
}

function keyOf({ name }: Broker, clientId: string): string {
  return `${name} ${clientId}`;
}
