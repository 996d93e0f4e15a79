import { type IClientOptions, type IPublishPacket, MqttClient } from 'mqtt';
import type { IConnackPacket, Packet } from 'mqtt-packet';

import type { Clock } from '../clock';
import { messageOf, S3BatchError } from '../errors';
import type { Acknowledgements, AcknowledgeWhen } from './acknowledgements';
import { type Broker, openSocket } from './held-broker';
import { type HeldMessage, identityOf } from './held-message';
import type { HeldOver } from './held-over';
import { PacketType, typeOf } from './held-packets';
import { HeldStream } from './held-stream';
import { HeldWindow } from './held-window';
import { WindowSize } from './held-window-size';

export interface HeldConnectionSettings {
  broker: Broker;
  clientId: string;
  when: AcknowledgeWhen;
  /** Messages that may be held at a time, 1 to 65,535; told to brokers of MQTT 5. */
  window: number;
  /** How long a broker of MQTT 5 keeps the session without a connection, s. */
  sessionExpiry: number;
  acknowledgements: Acknowledgements;
  clock: Clock;
  /** Packet ids of QoS 2 messages that are acknowledged and not yet let go by the broker; outlives a connection. */
  released: Set<number>;
  /** What the session's connections before left in the nodes' hands. */
  heldOver: HeldOver;
}

export interface HeldConnectionEvents {
  /** The broker took the connection; messages of a session that it kept may have come before. */
  connected(isSessionKept: boolean): void;
  /** @param messageId of a message whose acknowledgement is held */
  message(packet: IPublishPacket, messageId: string | undefined): void;
  /** The broker sent a message again that nodes have in hand, or have made safe. */
  cameAgain(): void;
  /** The connection is gone, or never came about, for this reason if one is known. Told once. */
  closed(error: S3BatchError | undefined): void;
}

/** MQTT 5: another client connected with this client id. */
const TAKEN_OVER = 142;
const CONNECT_TIMEOUT = 30_000;
/** What the end of a connection may take before it is cut, ms. */
const END_TIMEOUT = 2000;

/** What tells an MQTT client, for which it is nothing to report, that it must not acknowledge a message. */
const HELD_BACK = new Error('the acknowledgement is held');

/** One connection to the broker: an MQTT client and the acknowledgements that are held back from it. */
export class HeldConnection {
  readonly window: HeldWindow;
  readonly size: WindowSize;
  #client: MqttClient | undefined;
  #stream: HeldStream | undefined;
  #error: S3BatchError | undefined;
  #isClosed = false;

  constructor(
    private readonly settings: HeldConnectionSettings,
    private readonly events: HeldConnectionEvents,
  ) {
    const { clock, released } = settings;
    this.size = new WindowSize(settings.window);
    this.window = new HeldWindow({
      acknowledgements: settings.acknowledgements,
      when: settings.when,
      acknowledged: ({ acknowledgement = 0, packetId }: HeldMessage) => {
        if (typeOf(acknowledgement) === PacketType.pubrec) released.add(packetId);
      },
      write: (packets) => {
        this.size.acknowledged(clock.elapsed());
        this.#stream?.acknowledge(packets);
      },
    });
  }

  /** The client; undefined before `open`. */
  get client(): MqttClient | undefined {
    return this.#client;
  }

  open(): void {
    try {
      const client = new MqttClient((own) => {
        this.#stream = new HeldStream(openSocket(own, this.settings.broker), (packetId, acknowledgement) =>
          this.window.hold(packetId, acknowledgement),
        );
        return this.#stream;
      }, clientOptions(this.settings));
      this.#client = client;
      client.handleMessage = (packet, callback) => {
        callback(this.#holdBack(packet) ? HELD_BACK : undefined);
      };
      // The first packet; see clientOptions.
      client.once('packetsend', (packet) => {
        if (packet.cmd === 'connect' && packet.properties)
          packet.properties.receiveMaximum = this.settings.window;
      });
      client.on('packetreceive', (packet) => {
        this.#receive(packet);
      });
      client.on('connect', ({ sessionPresent }: IConnackPacket) => {
        this.events.connected(sessionPresent);
      });
      client.on('disconnect', ({ reasonCode }) => {
        if (reasonCode === TAKEN_OVER) this.#error = takenOver(this.settings);
      });
      client.on('error', (error) => {
        // The client itself goes on after some errors, in a state that is not defined.
        this.fail(brokerError(error, this.settings.broker));
      });
      client.on('close', () => {
        this.#close();
      });
      client.connect();
    } catch (error) {
      this.fail(brokerError(error, this.settings.broker));
    }
  }

  /** Ends the connection; the broker keeps the session. What is safe is acknowledged before. */
  async end(): Promise<void> {
    this.window.flush();
    const client = this.#client;
    if (client?.connected && !this.#isClosed) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, END_TIMEOUT)));
      await Promise.race([client.endAsync(), late]);
      clearTimeout(timer);
    }
    this.cut();
  }

  /** Nothing more is taken from the broker, until reading is resumed. */
  pauseReading(): void {
    this.#stream?.pauseReading();
  }

  resumeReading(): void {
    this.#stream?.resumeReading();
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#client?.end(true);
    this.#close();
  }

  /** Ends the connection for this reason. */
  fail(error: S3BatchError): void {
    this.#error ??= error;
    this.cut();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.settings.heldOver.keep(this.window.void());
    this.events.closed(this.#error);
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') this.#arrive(packet);
    else if (packet.cmd === 'pubrel') this.settings.released.delete(packet.messageId ?? 0);
    else if (packet.cmd === 'connack') this.#take(packet);
  }

  /**
   * The client would write the PUBACK now, each through a stream of its own making: it is written with others instead.
   * That of a message that is not held here is the client's to write, and so is a PUBREC; see HeldStream.
   */
  #holdBack({ qos, messageId = 0 }: IPublishPacket): boolean {
    return qos === 1 && this.window.hold(messageId, PacketType.puback << 4);
  }

  /** Ids of a session that is gone may come again for other messages, and messages may come before 'connect' is told. */
  #take({ returnCode, reasonCode, sessionPresent }: IConnackPacket): void {
    const isRefused = Boolean(returnCode) || Boolean(reasonCode);
    if (isRefused || sessionPresent) return;
    this.settings.released.clear();
    this.settings.heldOver.clear();
  }

  /** MQTT.js gives QoS 2 messages away only after the second half of their handshake, which is what is held here. */
  #arrive(packet: IPublishPacket): void {
    const { qos, dup, messageId: packetId = 0 } = packet;
    const { released, heldOver, clock, when } = this.settings;
    if (this.#isClosed) return;
    if (qos > 0) {
      if (this.window.has(packetId)) return;
      if (qos === 2 && released.has(packetId)) {
        if (dup) return;
        released.delete(packetId);
      }
    }
    const now = clock.elapsed();
    const identity = qos > 0 ? identityOf(packet) : undefined;
    const before = identity && heldOver.take(identity, dup, when);
    if (before) {
      this.window.arriveAgain(before, now);
      this.size.arrived(this.window.held, now);
      this.events.cameAgain();
      return;
    }
    let messageId: string | undefined;
    if (identity) {
      messageId = this.window.arrive(identity, now);
      this.size.arrived(this.window.held, now);
    }
    this.events.message(packet, messageId);
  }
}

/**
 * The options of every client with this session. The Receive Maximum of MQTT 5 is not among them: Mosquitto 2.0 exceeds
 * it with QoS 2, which MQTT.js would answer by ending the connection, again and again. The broker is told all the same.
 */
function clientOptions({ broker, clientId, sessionExpiry }: HeldConnectionSettings): IClientOptions {
  const { options } = broker;
  return {
    ...options,
    clientId,
    clean: false,
    manualConnect: true,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT,
    log: () => undefined,
    ...(options.protocolVersion === 5 ? { properties: { sessionExpiryInterval: sessionExpiry } } : {}),
  };
}

function takenOver({ clientId, broker }: HeldConnectionSettings): S3BatchError {
  return new S3BatchError(
    'BROKER_REFUSED',
    `another client took over the session of client id "${clientId}" at ${broker.name}: give each client an id of its own`,
  );
}

/** What MQTT.js says, in words that tell what to do. */
export function brokerError(error: unknown, { name }: Broker): S3BatchError {
  if (error instanceof S3BatchError) return error;
  const cause = { cause: error };
  // Of several addresses that all fail, the error has no text.
  const text =
    messageOf(error) === '' ? ((error as { code?: string }).code ?? 'no reason known') : messageOf(error);
  // Refusals have the broker's number as their code, failures of the network a name.
  if (typeof (error as { code?: unknown }).code === 'number')
    return new S3BatchError(
      'BROKER_REFUSED',
      `the broker ${name} refuses (${text}): check its settings and rights`,
      cause,
    );
  return new S3BatchError(
    'BROKER_UNREACHABLE',
    `no working connection to the broker ${name} (${text}): check host, port and TLS, and whether it runs`,
    cause,
  );
}
