import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';

import { until } from '../../support/fake-clock';

/** One client's connection, as the broker sees it. */
export class Peer {
  readonly packets: Packet[] = [];
  isGone = false;
  readonly #version: number;

  constructor(
    private readonly socket: Socket,
    readonly connect: IConnectPacket,
  ) {
    this.#version = connect.protocolVersion ?? 4;
  }

  send(...packets: unknown[]): void {
    const options = { protocolVersion: this.#version };
    this.socket.write(Buffer.concat(packets.map((packet) => generate(packet as Packet, options as object))));
  }

  /** A message with this packet id and QoS. */
  publish(messageId: number, settings: object = {}): void {
    const message = {
      topic: 'a',
      payload: Buffer.from(String(messageId)),
      qos: 1,
      dup: false,
      retain: false,
    };
    this.send({ cmd: 'publish', messageId, ...message, ...settings });
  }

  raw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  cut(): void {
    this.socket.destroy();
  }

  /** Packet ids of all packets of a type that came. */
  idsOf(cmd: Packet['cmd']): number[] {
    return this.packets.filter((packet) => packet.cmd === cmd).map(({ messageId }) => messageId ?? 0);
  }
}

/** How the broker answers a CONNECT. */
export interface Answers {
  sessionPresent: boolean;
  code: number;
  /** The QoS that a subscription is granted, or a failure from 128 on. */
  granted: number;
}

/** A broker that does only what a test tells it to, but for the start of a connection. */
export class FakeBroker {
  readonly peers: Peer[] = [];
  readonly answers: Answers = { sessionPresent: true, code: 0, granted: 1 };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  async start(tls?: TlsOptions): Promise<void> {
    this.#server = tls
      ? createTlsServer(tls, (socket) => this.#accept(socket)).on('tlsClientError', () => undefined)
      : createServer((socket) => this.#accept(socket));
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** The connection of this number, once it is there and the client has subscribed or a session was kept. */
  async peer(number: number): Promise<Peer> {
    await until(`connection ${number}`, () => this.peers.length > number);
    return this.peers[number]!;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let peer: Peer | undefined;
    const packets = parser();
    packets.on('packet', (packet: Packet) => {
      peer?.packets.push(packet);
      if (packet.cmd === 'connect') {
        peer = new Peer(socket, packet);
        const { sessionPresent, code } = this.answers;
        peer.send({ cmd: 'connack', sessionPresent, returnCode: code, reasonCode: code });
        this.peers.push(peer);
      } else if (packet.cmd === 'subscribe') {
        peer?.send({ cmd: 'suback', messageId: packet.messageId, granted: [this.answers.granted] });
      } else if (packet.cmd === 'unsubscribe') {
        peer?.send({ cmd: 'unsuback', messageId: packet.messageId, granted: [0] });
      } else if (packet.cmd === 'pingreq') peer?.send({ cmd: 'pingresp' });
    });
    socket.on('data', (bytes: Buffer) => packets.parse(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (peer) peer.isGone = true;
    });
  }
}
