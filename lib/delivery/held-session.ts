import type { IPublishPacket } from 'mqtt';

import { systemClock, type Clock, type Timer } from '../clock';
import { S3BatchError } from '../errors';
import { acknowledgements, type Acknowledgements, type AcknowledgeWhen } from './acknowledgements';
import type { Broker } from './held-broker';
import { HeldConnection, type HeldConnectionSettings } from './held-connection';
import { SessionClaim } from './held-registry';
import type { Overdue } from './held-window';
import { QUIET } from './held-window-size';

export interface HeldSessionSettings {
  broker: Broker;
  clientId: string;
  /** A topic filter, also of a shared subscription. */
  topic: string;
  qos: 1 | 2;
  when: AcknowledgeWhen;
  /** Messages that may be held at a time, 1 to 65,535. */
  window: number;
  /** How long a broker of MQTT 5 keeps the session without a connection, s. */
  sessionExpiry: number;
  /** How long a message may be in nobody's hands before the broker is made to send it again, s. */
  timeLimit: number;
  acknowledgements?: Acknowledgements;
  clock?: Clock;
}

export interface HeldSessionEvents {
  /** @param messageId of a message whose acknowledgement is held: what it is released by */
  message(packet: IPublishPacket, messageId: string | undefined): void;
  /** Connected or not, with another error or number of overdue messages. */
  changed(): void;
  /** Told when it is another one than the last. */
  failed(error: S3BatchError): void;
  /** Nobody has these in hand; the broker is made to send them again now. `next`: the earliest time for that after this, s. */
  sentAgain(overdue: Overdue, ageSeconds: number, next: number): void;
  /** Nodes have these in hand and do not release them; told once until all are released. */
  waiting(overdue: Overdue, ageSeconds: number): void;
}

export type HeldSessionState = 'connecting' | 'connected' | 'error';

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;
/** A connection that lasts so long, ms, was no part of a fight for the client id, nor of a series of failures. */
const LASTING = 10_000;
/** Longest time between two reconnects for the sake of overdue messages, s, unless the limit itself is longer. */
const LONGEST_AGAIN = 3600;
/** How often messages are looked through for overdue ones, ms. */
const LOOK_EVERY = 1000;

/**
 * A persistent session with a broker, over as many connections as it takes, whose acknowledgements are held. It is never
 * given up: pauses between attempts grow up to half a minute.
 */
export class HeldSession {
  readonly #settings: HeldSessionSettings;
  readonly #clock: Clock;
  readonly #claim: SessionClaim;
  readonly #connectionSettings: HeldConnectionSettings;
  #connection: HeldConnection | undefined;
  #timer: Timer | undefined;
  #watch: Timer | undefined;
  #state: HeldSessionState = 'connecting';
  #error: S3BatchError | undefined;
  #pause = FIRST_PAUSE;
  #connectedAt: number | undefined;
  #overdue = 0;
  #lookedAt = -Infinity;
  #sentAgainAt = -Infinity;
  #again: number;
  #toldWaiting = false;
  #isClosing = false;
  #isPaused = false;
  /** A connection is to be made after the pause. */
  #isStartDue = false;

  /** @throws BROKER_INVALID when another session of this process has the client id */
  constructor(
    settings: HeldSessionSettings,
    private readonly events: HeldSessionEvents,
  ) {
    const { broker, clientId, when, window, sessionExpiry } = settings;
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
    this.#again = settings.timeLimit;
    this.#claim = new SessionClaim(broker, clientId);
    this.#connectionSettings = {
      ...{ broker, clientId, when, window, sessionExpiry },
      acknowledgements: settings.acknowledgements ?? acknowledgements,
      clock: this.#clock,
      released: new Set(),
      heldOver: this.#claim.heldOver,
    };
  }

  get state(): HeldSessionState {
    return this.#state;
  }

  /** Why there is no connection, or no subscription. */
  get error(): S3BatchError | undefined {
    return this.#error;
  }

  /** Messages whose acknowledgements are held. */
  get held(): number {
    return this.#connection?.window.held ?? 0;
  }

  /** Messages beyond the time limit that nobody has in hand. */
  get overdue(): number {
    return this.#overdue;
  }

  /** The broker's window where it was found to be smaller than the setting. */
  get learnedWindow(): number | undefined {
    return this.#connection?.size.learned;
  }

  start(): void {
    this.#isStartDue = this.#isPaused;
    if (this.#isClosing || this.#isPaused) return;
    const connection = new HeldConnection(this.#connectionSettings, {
      connected: (isSessionKept) => {
        this.#subscribe(connection, isSessionKept);
      },
      message: (packet, messageId) => {
        this.#lookSoon();
        this.events.message(packet, messageId);
      },
      cameAgain: () => {
        this.#lookSoon();
      },
      closed: (error) => {
        // One that was given up for another is not missed.
        if (this.#connection === connection) this.#closed(error);
      },
    });
    this.#connection = connection;
    connection.open();
  }

  /** Takes nothing from the broker until `resume`: the nodes that messages go to are not there. */
  pause(): void {
    this.#isPaused = true;
    this.#connection?.pauseReading();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isClosing) return;
    if (this.#isStartDue) this.start();
    else this.#connection?.resumeReading();
  }

  /**
   * Ends the connection and keeps the session. What is not acknowledged by then comes again with the next one.
   * @param waitMs how long the nodes that have messages in hand are given to release them
   */
  async close(waitMs: number): Promise<void> {
    this.#isClosing = true;
    this.#stop(this.#timer);
    this.#stop(this.#watch);
    const connection = this.#connection;
    if (connection) {
      connection.pauseReading();
      const until = this.#clock.elapsed() + waitMs;
      // What was released in this turn of the event loop is due in any case.
      do await this.#sleep(10);
      while (connection.window.hasWaiting && this.#clock.elapsed() < until);
      await connection.end();
    }
    this.#claim.release();
  }

  #subscribe(connection: HeldConnection, isSessionKept: boolean): void {
    const { topic, qos, broker } = this.#settings;
    const { client } = connection;
    const before = isSessionKept ? this.#claim.subscription : undefined;
    if (before?.topic === topic && before.qos === qos) {
      this.#connected();
      return;
    }
    // The filter that the node had before this deploy: its messages would come for ever.
    if (before && before.topic !== topic) client?.unsubscribe(before.topic);
    // As mqtt in does, messages keep their retain flag; retained ones come with a new subscription only.
    const options = broker.options.protocolVersion === 5 ? { qos, rap: true, rh: 1 } : { qos };
    client?.subscribe(topic, options, (error, granted) => {
      if (this.#connection !== connection || this.#isClosing) return;
      const lacks = granted?.[0]?.qos === 0 ? 'with QoS 0 only, which knows no acknowledgements' : undefined;
      const problem = error?.message ?? lacks;
      if (problem === undefined) {
        this.#claim.subscribed({ topic, qos });
        this.#connected();
        return;
      }
      connection.fail(
        new S3BatchError(
          'BROKER_REFUSED',
          `the broker ${broker.name} does not grant "${topic}" (${problem}): check the filter and the rights of its user`,
        ),
      );
    });
  }

  #connected(): void {
    this.#connectedAt = this.#clock.elapsed();
    this.#error = undefined;
    this.#state = 'connected';
    this.events.changed();
  }

  #closed(error: S3BatchError | undefined): void {
    if (this.#isClosing) return;
    this.#stop(this.#watch);
    this.#watch = undefined;
    this.#overdue = 0;
    const lasted = this.#connectedAt === undefined ? 0 : this.#clock.elapsed() - this.#connectedAt;
    if (lasted >= LASTING) this.#pause = FIRST_PAUSE;
    this.#connectedAt = undefined;
    const before = this.#error;
    this.#error = error ?? connectionLost(this.#settings.broker);
    this.#state = 'error';
    this.#timer = this.#clock.setTimer(() => {
      this.#state = 'connecting';
      this.events.changed();
      this.start();
    }, this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    if (this.#error.message !== before?.message || lasted > 0) this.events.failed(this.#error);
    this.events.changed();
  }

  /** Now and then while messages are held: is the broker's window full, and are any overdue? */
  #look(): void {
    this.#watch = undefined;
    const connection = this.#connection;
    if (!connection) return;
    const now = this.#clock.elapsed();
    const { held } = connection.window;
    if (held === 0) {
      this.#again = this.#settings.timeLimit;
      this.#toldWaiting = false;
    }
    if (connection.size.isFull(held, now)) connection.window.seal();
    if (now - this.#lookedAt >= LOOK_EVERY || held === 0) this.#lookForOverdue(connection, now);
    if (this.held > 0) this.#lookSoon();
  }

  #lookSoon(): void {
    this.#watch ??= this.#clock.setTimer(() => {
      this.#look();
    }, QUIET);
  }

  #lookForOverdue(connection: HeldConnection, now: number): void {
    this.#lookedAt = now;
    const { unfinished, waiting } = connection.window.overdue(now, this.#settings.timeLimit * 1000);
    const isChanged = this.#overdue !== unfinished.count;
    this.#overdue = unfinished.count;
    if (waiting.oldest && !this.#toldWaiting) {
      this.#toldWaiting = true;
      this.events.waiting(waiting, (now - waiting.oldest.arrived) / 1000);
    }
    if (unfinished.oldest && now - this.#sentAgainAt >= this.#again * 1000) {
      this.#sentAgainAt = now;
      this.#again = Math.min(2 * this.#again, Math.max(LONGEST_AGAIN, this.#settings.timeLimit));
      this.events.sentAgain(unfinished, (now - unfinished.oldest.arrived) / 1000, this.#again);
      this.#reconnect(connection);
    } else if (isChanged) this.events.changed();
  }

  /** A new connection at once: with it the broker sends everything again that is not acknowledged. */
  #reconnect(connection: HeldConnection): void {
    this.#connection = undefined;
    this.#overdue = 0;
    this.#state = 'connecting';
    this.#connectedAt = undefined;
    this.events.changed();
    connection.pauseReading();
    void connection.end().then(() => {
      this.start();
    });
  }

  #stop(timer: Timer | undefined): void {
    if (timer) this.#clock.clearTimer(timer);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(resolve, ms);
    });
  }
}

function connectionLost({ name }: Broker): S3BatchError {
  return new S3BatchError(
    'BROKER_UNREACHABLE',
    `the connection to the broker ${name} was lost: check whether it runs, and whether another client has this client id`,
  );
}
