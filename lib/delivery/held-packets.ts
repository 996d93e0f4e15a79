const EMPTY = Buffer.alloc(0);

/** The types of MQTT control packets, from the high half of their first byte. */
export const PacketType = { puback: 4, pubrec: 5 } as const;

export function packetType(packet: Buffer): number {
  return (packet[0] ?? 0) >> 4;
}

/** The packet id of a PUBACK or PUBREC: it follows the length, which is short, or has more bytes with properties. */
export function packetIdOf(packet: Buffer): number {
  return packet.readUInt16BE(1 + lengthBytes(packet));
}

/** Bytes that the remaining length takes, 1 to 4: all but the last have the high bit. */
function lengthBytes(packet: Buffer): number {
  let bytes = 1;
  while (bytes < 4 && (packet[bytes] ?? 0) >= 0x80) bytes++;
  return bytes;
}

/** Cuts what an MQTT client writes, in pieces of any size, into whole packets. It is trusted to be valid. */
export class PacketCutter {
  #rest: Buffer = EMPTY;

  cut(bytes: Buffer): Buffer[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const packets: Buffer[] = [];
    let start = 0;
    for (let end = packetEnd(all, start); end !== undefined; end = packetEnd(all, start)) {
      packets.push(all.subarray(start, end));
      start = end;
    }
    this.#rest = all.subarray(start);
    return packets;
  }
}

/** Where the packet ends that begins at `start`; undefined when it is not all there. */
function packetEnd(bytes: Buffer, start: number): number | undefined {
  let length = 0;
  for (let at = start + 1, factor = 1; ; at++, factor *= 128) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * factor;
    if (byte >= 0x80) continue;
    const end = at + 1 + length;
    return end <= bytes.length ? end : undefined;
  }
}
