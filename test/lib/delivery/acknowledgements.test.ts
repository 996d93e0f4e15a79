import assert from 'node:assert/strict';

import { Acknowledgements } from '../../../lib/delivery/acknowledgements';
import { HeldWindow } from '../../../lib/delivery/held-window';

describe('acknowledgements', () => {
  let acknowledgements: Acknowledgements;
  let window: HeldWindow;
  let written: number[];
  /** By packet id. */
  let messageIds: string[];

  beforeEach(() => {
    acknowledgements = new Acknowledgements();
    written = [];
    window = new HeldWindow({
      acknowledgements,
      when: 'journaled',
      write: (packets) => {
        for (let at = 0; at < packets.length; at += 4) written.push(packets.readUInt16BE(at + 2));
      },
    });
    messageIds = [];
    for (const id of [1, 2, 3]) {
      messageIds[id] = window.arrive({ packetId: id, qos: 1, topic: 'topic', length: 0, checksum: 0 }, 0);
      window.hold(id, 0x40);
    }
  });

  /** What is written once the window writes. */
  function flushed(): number[] {
    window.flush();
    return written.splice(0);
  }

  it('knows the messages that are held, and when they are to be acknowledged', () => {
    assert.equal(acknowledgements.size, 3);
    assert.equal(acknowledgements.get(messageIds[1])?.when, 'journaled');
    for (const unknown of ['', 'm4', `${messageIds[1]}0`, messageIds[1]?.slice(0, -1), undefined, 7 as never])
      assert.equal(acknowledgements.get(unknown), undefined);
  });

  it('writes nothing that nobody released', () => {
    acknowledgements.get(messageIds[1]);
    assert.deepEqual(flushed(), []);
  });

  it('writes what its only taker released, and forgets it', () => {
    acknowledgements.get(messageIds[1])?.release();
    assert.deepEqual(flushed(), [1]);
    assert.equal(acknowledgements.get(messageIds[1]), undefined);
    assert.equal(acknowledgements.size, 2);
  });

  it('waits for every taker of a message that branched', () => {
    const one = acknowledgements.get(messageIds[1]);
    const other = acknowledgements.get(messageIds[1]);
    one?.release();
    one?.release();
    assert.deepEqual(flushed(), []);
    other?.release();
    assert.deepEqual(flushed(), [1]);
  });

  it('waits for a taker who came after the others had released, if nothing was written', () => {
    acknowledgements.get(messageIds[1])?.release();
    const late = acknowledgements.get(messageIds[1]);
    assert.deepEqual(flushed(), []);
    late?.release();
    assert.deepEqual(flushed(), [1]);
  });

  it('does not write a message that one of its takers refused', () => {
    const one = acknowledgements.get(messageIds[1]);
    const other = acknowledgements.get(messageIds[1]);
    one?.refuse();
    one?.release();
    other?.release();
    assert.deepEqual(flushed(), []);
  });

  it('writes what the flow dismissed: never taken, or refused', () => {
    assert.equal(acknowledgements.dismiss(messageIds[1]), true);
    acknowledgements.get(messageIds[2])?.refuse();
    assert.equal(acknowledgements.dismiss(messageIds[2]), true);
    assert.deepEqual(flushed(), [1, 2]);
    assert.equal(acknowledgements.dismiss(messageIds[1]), false);
  });

  it('writes what the flow dismissed only when its other takers released it', () => {
    const taker = acknowledgements.get(messageIds[1]);
    acknowledgements.dismiss(messageIds[1]);
    assert.deepEqual(flushed(), []);
    taker?.release();
    assert.deepEqual(flushed(), [1]);
  });

  it('lets takers go on when the connection is gone, and others take what somebody has in hand', () => {
    const taker = acknowledgements.get(messageIds[1]);
    window.void();
    assert.equal(acknowledgements.size, 1);
    assert.notEqual(acknowledgements.get(messageIds[1]), undefined);
    taker?.release();
    taker?.waitsFor(() => assert.fail());
    assert.deepEqual(flushed(), []);
  });
});
