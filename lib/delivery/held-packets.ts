/** The types of MQTT control packets, from the high half of their first byte. */
export const PacketType = { puback: 4, pubrec: 5 } as const;

/**
 * A PUBACK or PUBREC: its first byte when nothing but a packet id follows, which is nearly always so, and all its bytes
 * when it has a reason or properties. So the thousands that are held take no memory of their own.
 */
export type Acknowledgement = number | Buffer;

/** Bytes of an acknowledgement without reason and properties: type, length, packet id. */
const SHORT = 4;
const FIRST_SIZE = 1024;

export function typeOf(acknowledgement: Acknowledgement): number {
  return (typeof acknowledgement === 'number' ? acknowledgement : (acknowledgement[0] ?? 0)) >> 4;
}

/** What `visit` is called with: the packet is `bytes[start, end)`, and valid until it returns. */
export type PacketVisitor = (bytes: Buffer, start: number, end: number) => void;

/** The packet's acknowledgement and packet id; undefined when it is another packet. */
export function acknowledgementIn(
  bytes: Buffer,
  start: number,
  end: number,
): { packetId: number; acknowledgement: Acknowledgement } | undefined {
  const first = bytes[start] ?? 0;
  if (typeOf(first) !== PacketType.puback && typeOf(first) !== PacketType.pubrec) return undefined;
  const packetId = bytes.readUInt16BE(start + 1 + lengthBytes(bytes, start));
  const acknowledgement = end - start === SHORT ? first : Buffer.from(bytes.subarray(start, end));
  return { packetId, acknowledgement };
}

/** The bytes of acknowledgements, one behind the other. */
export class AcknowledgementWriter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #used = 0;

  add(packetId: number, acknowledgement: Acknowledgement): void {
    if (typeof acknowledgement === 'number') {
      this.#bytes = withRoom(this.#bytes, this.#used, SHORT);
      this.#bytes[this.#used] = acknowledgement;
      this.#bytes[this.#used + 1] = SHORT - 2;
      this.#bytes.writeUInt16BE(packetId, this.#used + 2);
      this.#used += SHORT;
      return;
    }
    this.#bytes = withRoom(this.#bytes, this.#used, acknowledgement.length);
    this.#bytes.set(acknowledgement, this.#used);
    this.#used += acknowledgement.length;
  }

  /** What was added since the last call; undefined when that is nothing. */
  take(): Buffer | undefined {
    if (this.#used === 0) return undefined;
    const taken = Buffer.from(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
    return taken;
  }
}

/** Puts what an MQTT client writes, in pieces of any size, together to whole packets. It is trusted to be valid. */
export class PacketCutter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #used = 0;

  /** Calls `visit` with each packet that is whole now. */
  cut(piece: Buffer, visit: PacketVisitor): void {
    this.#bytes = withRoom(this.#bytes, this.#used, piece.length);
    this.#bytes.set(piece, this.#used);
    this.#used += piece.length;
    let start = 0;
    for (let end = this.#endOf(start); end > 0; end = this.#endOf(start)) {
      visit(this.#bytes, start, end);
      start = end;
    }
    if (start === 0) return;
    this.#bytes.copyWithin(0, start, this.#used);
    this.#used -= start;
  }

  /** Where the packet ends that begins at `start`; 0 when it is not all there. */
  #endOf(start: number): number {
    let length = 0;
    for (let at = start + 1, factor = 1; at < this.#used; at++, factor *= 128) {
      const byte = this.#bytes[at] ?? 0;
      length += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      const end = at + 1 + length;
      return end <= this.#used ? end : 0;
    }
    return 0;
  }
}

/** Bytes that the remaining length of a packet takes, 1 to 4: all but the last have the high bit. */
function lengthBytes(bytes: Buffer, start: number): number {
  let count = 1;
  while (count < 4 && (bytes[start + count] ?? 0) >= 0x80) count++;
  return count;
}

/** The buffer, or a larger one that begins with its `used` bytes, with room for so many more. */
function withRoom(bytes: Buffer, used: number, more: number): Buffer {
  if (used + more <= bytes.length) return bytes;
  const larger = Buffer.allocUnsafe(Math.max(used + more, 2 * bytes.length));
  larger.set(bytes.subarray(0, used));
  return larger;
}
