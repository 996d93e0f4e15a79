import assert from 'node:assert/strict';

import fc from 'fast-check';

import { Acknowledgements } from '../../../lib/delivery/acknowledgements';
import { HeldWindow } from '../../../lib/delivery/held-window';
import { nextTurn } from '../../support/fake-clock';

/** A window that keeps what it writes: the packet ids of each write. */
function setUp() {
  const acknowledgements = new Acknowledgements();
  const writes: number[][] = [];
  const acknowledged: string[] = [];
  const window = new HeldWindow({
    acknowledgements,
    when: 'stored',
    write: (packets) => {
      const ids: number[] = [];
      for (let at = 0; at < packets.length; at += 4) ids.push(packets.readUInt16BE(at + 2));
      writes.push(ids);
    },
    acknowledged: ({ messageId }) => acknowledged.push(messageId),
  });
  const arrive = (id: number, now = 0): void =>
    window.arrive(`m${id}`, { packetId: id, qos: 1, topic: `topic/${id}`, length: 0, checksum: 0 }, now);
  const hold = (id: number): boolean => window.hold(id, Buffer.from([0x40, 2, id >> 8, id & 0xff]));
  return { acknowledgements, window, writes, acknowledged, arrive, hold };
}

const MESSAGES = 40;
const ids = Array.from({ length: MESSAGES }, (_, index) => index + 1);

describe('the window of held acknowledgements', () => {
  it('writes all acknowledgements in the order of arrival, whatever the order of takes and releases', async () => {
    const order = fc.shuffledSubarray(ids, { minLength: MESSAGES });
    const takers = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: MESSAGES, maxLength: MESSAGES });
    const pauses = fc.func(fc.boolean());
    await fc.assert(
      fc.asyncProperty(order, order, takers, pauses, async (releases, agreements, counts, pausesAfter) => {
        const { acknowledgements, window, writes, acknowledged, arrive, hold } = setUp();
        const taken = new Map(ids.map((id) => [id, [] as (() => void)[]]));
        for (const id of ids) {
          arrive(id);
          for (let n = 0; n < (counts[id - 1] ?? 1); n++) {
            const taker = acknowledgements.get(`m${id}`);
            taken.get(id)?.push(() => taker?.release());
          }
        }
        const released = new Set<number>();
        for (const [step, id] of releases.entries()) {
          assert.ok(hold(agreements[step]!));
          for (const release of taken.get(id)!) release();
          released.add(id);
          if (pausesAfter(step)) await nextTurn();
          for (const one of writes.flat())
            assert.ok(released.has(one), 'nothing is written that is not safe');
        }
        await nextTurn();
        assert.deepEqual(writes.flat(), ids);
        assert.deepEqual(
          acknowledged,
          ids.map((id) => `m${id}`),
        );
        assert.equal(window.held, 0);
        assert.equal(acknowledgements.size, 0);
      }),
    );
  });

  it('writes many in one write', async () => {
    const { acknowledgements, writes, arrive, hold } = setUp();
    for (const id of ids) {
      arrive(id);
      hold(id);
      acknowledgements.get(`m${id}`)?.release();
    }
    await nextTurn();
    assert.deepEqual(writes, [ids]);
  });

  it('writes what was released before the client wanted to acknowledge it', async () => {
    const { acknowledgements, writes, arrive, hold } = setUp();
    arrive(1);
    acknowledgements.get('m1')?.release();
    await nextTurn();
    assert.deepEqual(writes, []);
    hold(1);
    await nextTurn();
    assert.deepEqual(writes, [[1]]);
  });

  it('does not take acknowledgements of other messages, nor of those that are written', async () => {
    const { acknowledgements, arrive, hold, window } = setUp();
    assert.equal(hold(1), false);
    arrive(1);
    assert.equal(hold(1), true);
    acknowledgements.get('m1')?.release();
    await nextTurn();
    assert.equal(hold(1), false);
    assert.equal(window.has(1), false);
  });

  it('takes a packet id again that was acknowledged', async () => {
    const { acknowledgements, writes, arrive, hold } = setUp();
    for (let n = 0; n < 5000; n++) {
      arrive(7);
      hold(7);
      acknowledgements.get('m7')?.release();
      await nextTurn();
    }
    assert.equal(writes.flat().length, 5000);
  });

  it('calls every seal once, of each message', () => {
    const { acknowledgements, arrive, window } = setUp();
    const sealed: string[] = [];
    const a = (): void => void sealed.push('a');
    const b = (): void => void sealed.push('b');
    for (const id of [1, 2, 3]) {
      arrive(id);
      acknowledgements.get(`m${id}`)?.waitsFor(id === 3 ? b : a);
    }
    window.seal();
    window.seal();
    assert.deepEqual(sealed, ['a', 'b']);
    acknowledgements.get('m1')?.waitsFor(b);
    window.seal();
    assert.deepEqual(sealed, ['a', 'b', 'b']);
  });

  it('tells what nobody has in hand from what takers have not released', () => {
    const { acknowledgements, arrive, window } = setUp();
    arrive(1, 0); // never taken
    arrive(2, 10);
    acknowledgements.get('m2'); // taken
    arrive(3, 20);
    acknowledgements.get('m3')?.refuse();
    arrive(4, 30);
    acknowledgements.get('m4')?.release(); // safe, behind others
    arrive(5, 1000); // too young
    const { unfinished, waiting } = window.overdue(1030, 1000);
    assert.equal(unfinished.count, 2);
    assert.equal(unfinished.oldest?.topic, 'topic/1');
    assert.equal(waiting.count, 1);
    assert.equal(waiting.oldest?.topic, 'topic/2');
    assert.equal(window.hasWaiting, true);
    assert.equal(window.held, 5);
  });

  it('writes nothing more when the connection is gone', async () => {
    const { acknowledgements, writes, arrive, hold, window } = setUp();
    arrive(1);
    hold(1);
    const taker = acknowledgements.get('m1');
    taker?.release();
    window.void();
    await nextTurn();
    window.flush();
    assert.deepEqual(writes, []);
    assert.equal(window.held, 0);
  });
});
