import { acknowledgements, type Acknowledgements } from '../../lib/delivery/acknowledgements';
import { brokerOf } from '../../lib/delivery/held-broker';
import { HeldSession, type HeldSessionSettings } from '../../lib/delivery/held-session';
import { until } from '../support/fake-clock';

export interface ReceiverSettings extends Partial<Omit<HeldSessionSettings, 'broker'>> {
  url: string;
  protocolVersion?: 4 | 5;
}

export interface Received {
  messageId: string;
  number: number;
  dup: boolean;
}

/** A session that keeps what arrives; payloads are numbers. */
export class Receiver {
  readonly received: Received[] = [];
  readonly failures: string[] = [];
  readonly sentAgain: number[] = [];
  readonly acknowledgements: Acknowledgements;
  readonly session: HeldSession;
  /** What is done with each message that comes; nothing, so all are held, unless it is set. */
  onMessage: (received: Received) => void = () => undefined;

  constructor({ url, protocolVersion = 4, ...settings }: ReceiverSettings) {
    this.acknowledgements = settings.acknowledgements ?? acknowledgements;
    this.session = new HeldSession(
      {
        broker: brokerOf(url, { protocolVersion, keepalive: 60 }),
        clientId: 'held-acks',
        topic: 'held/#',
        qos: 1,
        when: 'stored',
        window: 1000,
        sessionExpiry: 3600,
        timeLimit: 600,
        ...settings,
      },
      {
        message: ({ payload, dup }, messageId = '') => {
          const received = { messageId, number: Number(payload.toString()), dup };
          this.received.push(received);
          this.onMessage(received);
        },
        changed: () => undefined,
        failed: ({ message }) => this.failures.push(message),
        sentAgain: ({ count }) => this.sentAgain.push(count),
        waiting: () => undefined,
      },
    );
    this.session.start();
  }

  get numbers(): number[] {
    return this.received.map(({ number }) => number);
  }

  async connected(): Promise<void> {
    await until('the session to connect', () => this.session.state === 'connected');
  }

  async receives(count: number): Promise<void> {
    await until(
      `${count} messages, not ${this.received.length}`,
      () => this.received.length >= count,
      30_000,
    );
  }

  /** Releases everything that has come, and what comes. */
  releaseAll(): void {
    const release = ({ messageId }: Received): void => this.acknowledgements.get(messageId)?.release();
    this.onMessage = release;
    for (const received of this.received) release(received);
  }
}
