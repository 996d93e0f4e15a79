import { Duplex } from 'node:stream';

import type { IStream } from 'mqtt';

import { type Acknowledgement, acknowledgementIn, PacketCutter } from './held-packets';

/**
 * Bytes that the client is given in one turn of the event loop. All that a socket has, 2 MiB of small messages that a
 * broker had queued, would hold the loop for 200 ms; and messages that wait for the nodes they go to outlive a collection
 * of garbage, which then has to copy them.
 */
const A_TURN = 32 * 1024;

/** Takes an acknowledgement that the client wants to send; false when it is to be sent at once. */
export type Hold = (packetId: number, acknowledgement: Acknowledgement) => boolean;

/**
 * The stream that an MQTT client speaks over: everything passes between it and the socket but the acknowledgements
 * PUBACK and PUBREC that `hold` takes. Only whole packets are passed on, so that `acknowledge` can write in between.
 */
export class HeldStream extends Duplex {
  readonly #cutter = new PacketCutter();
  readonly #socket: IStream;
  /** What the socket gave and the client has not. */
  #came: Buffer | undefined;
  /** The client takes more. */
  #isWanted = true;
  /** Bytes that the client may still be given in this turn of the event loop. */
  #room = A_TURN;
  #turn: NodeJS.Immediate | undefined;
  #isPaused = false;

  constructor(
    socket: IStream,
    private readonly hold: Hold,
  ) {
    super();
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#came = this.#came ? Buffer.concat([this.#came, bytes]) : bytes;
      this.#flow();
    });
    socket.on('error', (error: Error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Writes acknowledgements that were held. */
  acknowledge(packets: Buffer): void {
    if (this.#socket.writable) this.#socket.write(packets);
  }

  /** Nothing more arrives until reading is resumed. */
  pauseReading(): void {
    this.#isPaused = true;
    this.#flow();
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#flow();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#flow();
  }

  /** Gives the client what came, as far as it wants it and the turn has room, and then lets more come. */
  #flow(): void {
    while (this.#came && this.#isWanted && this.#room > 0 && !this.#isPaused) {
      const piece = this.#came.subarray(0, this.#room);
      this.#came = piece.length < this.#came.length ? this.#came.subarray(piece.length) : undefined;
      this.#room -= piece.length;
      this.#turn ??= setImmediate(() => {
        this.#turn = undefined;
        this.#room = A_TURN;
        this.#flow();
      });
      // Where it asks for more while it takes this, it calls _read.
      this.#isWanted = false;
      if (this.push(piece)) this.#isWanted = true;
    }
    if (this.#came || !this.#isWanted || this.#isPaused) this.#socket.pause();
    else this.#socket.resume();
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
    // The broker sends again what was not acknowledged.
    this.#came = undefined;
    clearImmediate(this.#turn);
    this.#socket.destroy();
    callback(error);
  }
}
