import { Duplex } from 'node:stream';

import type { IStream } from 'mqtt';

import { PacketCutter, packetIdOf, PacketType, packetType } from './held-packets';

/** Takes an acknowledgement that the client wants to send; false when it is to be sent at once. */
export type Hold = (packetId: number, packet: Buffer) => boolean;

interface Chunk {
  chunk: Buffer;
}

/**
 * The stream that an MQTT client speaks over: everything passes between it and the socket but the acknowledgements
 * PUBACK and PUBREC that `hold` takes. Only whole packets are passed on, so that `acknowledge` can write in between.
 */
export class HeldStream extends Duplex {
  readonly #cutter = new PacketCutter();
  readonly #socket: IStream;
  #paused = false;

  constructor(
    socket: IStream,
    private readonly hold: Hold,
  ) {
    super();
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) socket.pause();
    });
    socket.on('error', (error: Error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Writes acknowledgements that were held. */
  acknowledge(packets: Buffer): void {
    if (this.#socket.writable) this.#socket.write(packets);
  }

  /** Nothing more arrives from now on. */
  pauseReading(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  override _read(): void {
    if (!this.#paused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#take(chunk, callback);
  }

  override _writev(chunks: Chunk[], callback: () => void): void {
    this.#take(Buffer.concat(chunks.map(({ chunk }) => chunk)), callback);
  }

  override _final(callback: () => void): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }

  #take(bytes: Buffer, callback: () => void): void {
    const passed: Buffer[] = [];
    for (const packet of this.#cutter.cut(bytes)) {
      const type = packetType(packet);
      const isAcknowledgement = type === PacketType.puback || type === PacketType.pubrec;
      if (!isAcknowledgement || !this.hold(packetIdOf(packet), packet)) passed.push(packet);
    }
    if (passed.length === 0) {
      callback();
      return;
    }
    // A write that fails ends the socket, and with it this stream.
    this.#socket.write(Buffer.concat(passed), () => {
      callback();
    });
  }
}
