import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';

import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';

import {
  type Acknowledgement,
  acknowledgementIn,
  AcknowledgementWriter,
  PacketCutter,
} from '../../../lib/delivery/held-packets';
import { HeldStream } from '../../../lib/delivery/held-stream';
import { nextTurn } from '../../support/fake-clock';

const acknowledgement = fc.record({
  cmd: fc.constantFrom('puback' as const, 'pubrec' as const),
  messageId: fc.integer({ min: 1, max: 0xffff }),
  reasonCode: fc.constantFrom(0, 16, 131),
  properties: fc.option(fc.record({ reasonString: fc.string({ maxLength: 300 }) }), { nil: undefined }),
});
const other = fc.oneof(
  fc.constant<Packet>({ cmd: 'pingreq' }),
  fc.record({ cmd: fc.constant('pubcomp' as const), messageId: fc.integer({ min: 1, max: 0xffff }) }),
  fc.record({
    cmd: fc.constant('subscribe' as const),
    messageId: fc.integer({ min: 1, max: 0xffff }),
    subscriptions: fc.constant([{ topic: '$share/group/a/#', qos: 1 as const }]),
  }),
  fc.record({
    cmd: fc.constant('publish' as const),
    topic: fc.constant('a/b'),
    qos: fc.constant(0 as const),
    dup: fc.constant(false),
    retain: fc.constant(false),
    payload: fc.integer({ min: 0, max: 40_000 }).map((length) => Buffer.alloc(length, 0x40)),
  }),
);
const packets = fc.array(fc.oneof(acknowledgement, other), { minLength: 1, maxLength: 12 });
const version = fc.constantFrom(4 as const, 5 as const);

const bytesOf = (packet: unknown, protocolVersion: 4 | 5): Buffer =>
  generate(packet as Packet, { protocolVersion });

/** The bytes in pieces, cut where the numbers say. */
function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index] ?? bytes.length));
}

/** The packets that a cutter finds. */
function cut(cutter: PacketCutter, bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  cutter.cut(bytes, (all, start, end) => found.push(Buffer.from(all.subarray(start, end))));
  return found;
}

/** The packet's bytes, by way of what is kept of an acknowledgement. */
function written(packetId: number, acknowledgement: Acknowledgement): Buffer {
  const writer = new AcknowledgementWriter();
  writer.add(packetId, acknowledgement);
  return writer.take() ?? Buffer.alloc(0);
}

describe('the stream that holds acknowledgements', () => {
  it('cuts whatever a client writes into its packets', () => {
    fc.assert(
      fc.property(packets, version, fc.array(fc.nat()), (sent, protocolVersion, cuts) => {
        const expected = sent.map((packet) => bytesOf(packet, protocolVersion));
        const cutter = new PacketCutter();
        const found = pieces(Buffer.concat(expected), cuts).flatMap((piece) => cut(cutter, piece));
        assert.deepEqual(found, expected);
        for (const [index, packet] of sent.entries()) {
          const bytes = found[index]!;
          const known = acknowledgementIn(bytes, 0, bytes.length);
          if (packet.cmd !== 'puback' && packet.cmd !== 'pubrec') {
            assert.equal(known, undefined);
            continue;
          }
          assert.ok(known);
          assert.equal(known.packetId, packet.messageId);
          assert.deepEqual(written(known.packetId, known.acknowledgement), bytes);
        }
      }),
    );
  });

  it('passes everything on but the acknowledgements that are held, in whole packets', async () => {
    await fc.assert(
      fc.asyncProperty(packets, version, fc.array(fc.nat()), async (sent, protocolVersion, cuts) => {
        const [socket, broker] = duplexPair({
          writableHighWaterMark: 1 << 20,
          readableHighWaterMark: 1 << 20,
        });
        const received: Buffer[] = [];
        broker.on('data', (bytes: Buffer) => received.push(bytes));
        const held: Buffer[] = [];
        const stream = new HeldStream(socket, (packetId, acknowledgement) => {
          if (packetId % 2 === 0) return false;
          held.push(written(packetId, acknowledgement));
          return true;
        });
        const own = Buffer.from([0x40, 2, 0xff, 0xff]);
        const all = sent.map((packet) => bytesOf(packet, protocolVersion));
        for (const piece of pieces(Buffer.concat(all), cuts)) {
          stream.write(piece);
          // Between any two pieces of a packet an acknowledgement may be due.
          stream.acknowledge(own);
        }
        await nextTurn();
        await nextTurn();
        const cutter = new PacketCutter();
        const arrived = cut(cutter, Buffer.concat(received)).filter((packet) => !packet.equals(own));
        const isHeld = (packet: Buffer): boolean =>
          (acknowledgementIn(packet, 0, packet.length)?.packetId ?? 0) % 2 === 1;
        assert.deepEqual(held, all.filter(isHeld));
        assert.deepEqual(
          arrived,
          all.filter((packet) => !isHeld(packet) && !packet.equals(own)),
        );
        stream.destroy();
      }),
      { numRuns: 50 },
    );
  });

  it('passes on what the broker writes, at the speed of the reader', async () => {
    const [socket, broker] = duplexPair();
    const stream = new HeldStream(socket, () => true);
    const sent = Buffer.alloc(1_000_000, 7);
    broker.end(sent);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      await nextTurn();
      if (bytes === sent.length) break;
    }
    assert.ok(Buffer.concat(chunks).equals(sent));
  });

  it('gives the reader little in a turn of the event loop, however much the broker had queued', async () => {
    const [socket, broker] = duplexPair({ readableHighWaterMark: 1 << 20, writableHighWaterMark: 1 << 20 });
    const stream = new HeldStream(socket, () => true);
    const sent = Buffer.from(Array.from({ length: 500_000 }, (_, at) => at & 0xff));
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    broker.write(sent);
    let [bytes, most] = [0, 0];
    while (bytes < sent.length) {
      await nextTurn();
      const now = chunks.reduce((sum, { length }) => sum + length, 0);
      most = Math.max(most, now - bytes);
      bytes = now;
    }
    assert.ok(most <= 32 * 1024, `${most} bytes in a turn`);
    assert.ok(Buffer.concat(chunks).equals(sent));
  });

  it('ends with the socket, and the socket with it', async () => {
    const [socket] = duplexPair();
    const stream = new HeldStream(socket, () => true);
    const closed = once(stream, 'close');
    socket.destroy();
    await closed;

    const [another] = duplexPair();
    const failing = new HeldStream(another, () => true);
    const failed = once(failing, 'error');
    another.destroy(new Error('reset'));
    assert.match(String((await failed)[0]), /reset/);

    const [third] = duplexPair();
    const ended = once(third, 'close');
    new HeldStream(third, () => true).destroy();
    await ended;
    new HeldStream(third, () => true).acknowledge(Buffer.from([0x40, 2, 0, 1]));
  });

  it('reads nothing more when it is paused', async () => {
    const [socket, broker] = duplexPair();
    const stream = new HeldStream(socket, () => true);
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    broker.write('a');
    while (bytes === 0) await nextTurn();
    stream.pauseReading();
    broker.write('b');
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.equal(bytes, 1);
  });
});
