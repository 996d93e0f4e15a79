import { Duplex } from 'node:stream';

import type { IStream } from 'mqtt';

import { type Acknowledgement, acknowledgementIn, PacketCutter } from './held-packets';

/** Takes an acknowledgement that the client wants to send; false when it is to be sent at once. */
export type Hold = (packetId: number, acknowledgement: Acknowledgement) => boolean;

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

  /** Does nothing: the client has the pieces of each packet collected, which the cutter does for less. */
  override cork(): void {
    return;
  }

  override uncork(): void {
    return;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    let passed: Buffer | undefined;
    this.#cutter.cut(chunk, (bytes, start, end) => {
      const found = acknowledgementIn(bytes, start, end);
      if (found && this.hold(found.packetId, found.acknowledgement)) return;
      const packet = bytes.subarray(start, end);
      passed = passed ? Buffer.concat([passed, packet]) : Buffer.from(packet);
    });
    // A write that fails ends the socket, and with it this stream.
    if (passed) this.#socket.write(passed, () => callback());
    else callback();
  }

  override _final(callback: () => void): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }
}
