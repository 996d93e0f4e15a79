import assert from 'node:assert/strict';

import fc from 'fast-check';

import { Acknowledgements, type HeldAcknowledgement } from '../../../lib/delivery/acknowledgements';
import { HeldWindow } from '../../../lib/delivery/held-window';
import { nextTurn } from '../../support/fake-clock';

/** A window that keeps what it writes: the packet ids of each write. */
function setUp() {
  const acknowledgements = new Acknowledgements();
  const writes: number[][] = [];
  const acknowledged: number[] = [];
  const window = new HeldWindow({
    acknowledgements,
    when: 'stored',
    write: (packets) => {
      const ids: number[] = [];
      for (let at = 0; at < packets.length; at += 4) ids.push(packets.readUInt16BE(at + 2));
      writes.push(ids);
    },
    acknowledged: ({ packetId }) => acknowledged.push(packetId),
  });
  const messageIds = new Map<number, string>();
  const arrive = (id: number, now = 0): void => {
    const identity = { packetId: id, qos: 1, topic: `topic/${id}`, length: 0, checksum: 0 };
    messageIds.set(id, window.arrive(identity, now));
  };
  /** Takes the message of a packet id. */
  const take = (id: number): HeldAcknowledgement | undefined => acknowledgements.get(messageIds.get(id));
  const hold = (id: number): boolean => window.hold(id, 0x40);
  return { acknowledgements, window, writes, acknowledged, arrive, take, hold };
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
        const { acknowledgements, take, window, writes, acknowledged, arrive, hold } = setUp();
        const taken = new Map(ids.map((id) => [id, [] as (() => void)[]]));
        for (const id of ids) {
          arrive(id);
          for (let n = 0; n < (counts[id - 1] ?? 1); n++) {
            const taker = take(id);
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
        assert.deepEqual(acknowledged, ids);
        assert.equal(window.held, 0);
        assert.equal(acknowledgements.size, 0);
      }),
    );
  });

  it('writes many in one write', async () => {
    const { take, writes, arrive, hold } = setUp();
    for (const id of ids) {
      arrive(id);
      hold(id);
      take(id)?.release();
    }
    await nextTurn();
    assert.deepEqual(writes, [ids]);
  });

  it('writes what was released before the client wanted to acknowledge it', async () => {
    const { take, writes, arrive, hold } = setUp();
    arrive(1);
    take(1)?.release();
    await nextTurn();
    assert.deepEqual(writes, []);
    hold(1);
    await nextTurn();
    assert.deepEqual(writes, [[1]]);
  });

  it('does not take acknowledgements of other messages, nor of those that are written', async () => {
    const { take, arrive, hold, window } = setUp();
    assert.equal(hold(1), false);
    arrive(1);
    assert.equal(hold(1), true);
    take(1)?.release();
    await nextTurn();
    assert.equal(hold(1), false);
    assert.equal(window.has(1), false);
  });

  it('takes a packet id again that was acknowledged', async () => {
    const { take, writes, arrive, hold } = setUp();
    for (let n = 0; n < 5000; n++) {
      arrive(7);
      hold(7);
      take(7)?.release();
      await nextTurn();
    }
    assert.equal(writes.flat().length, 5000);
  });

  it('calls every seal once, of each message', () => {
    const { take, arrive, window } = setUp();
    const sealed: string[] = [];
    const a = (): void => void sealed.push('a');
    const b = (): void => void sealed.push('b');
    for (const id of [1, 2, 3]) {
      arrive(id);
      take(id)?.waitsFor(id === 3 ? b : a);
    }
    window.seal();
    window.seal();
    assert.deepEqual(sealed, ['a', 'b']);
    take(1)?.waitsFor(b);
    window.seal();
    assert.deepEqual(sealed, ['a', 'b', 'b']);
  });

  it('tells what nobody has in hand from what takers have not released', () => {
    const { take, arrive, window } = setUp();
    arrive(1, 0); // never taken
    arrive(2, 10);
    take(2); // taken
    arrive(3, 20);
    take(3)?.refuse();
    arrive(4, 30);
    take(4)?.release(); // safe, behind others
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
    const { take, writes, arrive, hold, window } = setUp();
    arrive(1);
    hold(1);
    const taker = take(1);
    taker?.release();
    window.void();
    await nextTurn();
    window.flush();
    assert.deepEqual(writes, []);
    assert.equal(window.held, 0);
  });
});
