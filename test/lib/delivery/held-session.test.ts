import assert from 'node:assert/strict';

import type { Packet } from 'mqtt-packet';

import { Acknowledgements } from '../../../lib/delivery/acknowledgements';
import { brokerOf } from '../../../lib/delivery/held-broker';
import { endSession } from '../../../lib/delivery/held-registry';
import { HeldSession, type HeldSessionSettings } from '../../../lib/delivery/held-session';
import { S3BatchError } from '../../../lib/errors';
import { FakeClock, nextTurn, until } from '../../support/fake-clock';
import { FakeBroker, type Peer } from './held-fake-broker';

let clients = 0;

describe('a session with held acknowledgements', () => {
  let broker: FakeBroker;
  let clock: FakeClock;
  let acknowledgements: Acknowledgements;
  let clientId: string;
  const sessions: HeldSession[] = [];
  let messages: { messageId: string | undefined; packetId: number; dup: boolean }[];
  let told: string[];

  beforeEach(async () => {
    broker = new FakeBroker();
    await broker.start();
    clock = new FakeClock();
    acknowledgements = new Acknowledgements();
    clientId = `client-${++clients}`;
    messages = [];
    told = [];
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) await closed(session);
    await broker.stop();
  });

  function open(settings: Partial<HeldSessionSettings> = {}, protocolVersion: 4 | 5 = 4): HeldSession {
    const session = new HeldSession(
      {
        broker: brokerOf(broker.url, { protocolVersion }),
        ...{ clientId, topic: 'a', qos: 1, when: 'stored', window: 20, sessionExpiry: 3600, timeLimit: 600 },
        ...{ acknowledgements, clock },
        ...settings,
      },
      {
        message: ({ messageId: packetId = 0, dup }, messageId) => messages.push({ messageId, packetId, dup }),
        changed: () => undefined,
        failed: ({ code, message }) => told.push(`${code}: ${message}`),
        sentAgain: ({ count, oldest }, age, next) =>
          told.push(`again ${count} ${oldest?.topic ?? ''} ${Math.floor(age)} ${next}`),
        waiting: ({ count }, age) => told.push(`waiting ${count} ${Math.floor(age)}`),
      },
    );
    sessions.push(session);
    session.start();
    return session;
  }

  /** Closes it; its clock moves by hand. */
  async function closed(session: HeldSession, waitMs = 0): Promise<void> {
    let isClosed = false as boolean;
    const closing = session.close(waitMs).then(() => (isClosed = true));
    while (!isClosed) await clock.pass(10);
    await closing;
  }

  async function connected(session: HeldSession): Promise<void> {
    await until('the session to connect', () => session.state === 'connected');
  }

  async function arrived(count: number): Promise<void> {
    await until(`${count} messages`, () => messages.length >= count);
  }

  /** Ends the connection of the peer, and answers the next one. */
  async function reconnected(session: HeldSession, peer: Peer): Promise<Peer> {
    const next = broker.peers.length;
    peer.cut();
    await until('the loss', () => session.state === 'error');
    await clock.pass(clock.untilNext);
    const again = await broker.peer(next);
    await connected(session);
    return again;
  }

  const release = (index: number): void => acknowledgements.get(messages[index]!.messageId)?.release();

  it('asks for a persistent session of its own and subscribes', async () => {
    const session = open({ topic: '$share/group/a/#', window: 50 }, 5);
    await connected(session);
    const peer = await broker.peer(0);
    assert.equal(peer.connect.clean, false);
    assert.equal(peer.connect.clientId, clientId);
    assert.deepEqual({ ...peer.connect.properties }, { sessionExpiryInterval: 3600, receiveMaximum: 50 });
    const subscribe = peer.packets.find(({ cmd }) => cmd === 'subscribe') as Packet & {
      subscriptions: { topic: string; qos: number }[];
    };
    assert.equal(subscribe.subscriptions[0]?.topic, '$share/group/a/#');
    assert.equal(subscribe.subscriptions[0].qos, 1);
  });

  it('subscribes again only when the broker has lost the session', async () => {
    const session = open();
    await connected(session);
    (await broker.peer(0)).cut();
    await until('the loss', () => session.state === 'error');
    await clock.pass(1000);
    const second = await broker.peer(1);
    await connected(session);
    assert.deepEqual(second.idsOf('subscribe'), []);
    broker.answers.sessionPresent = false;
    second.cut();
    await until('the loss', () => session.state === 'error');
    await clock.pass(2000);
    const third = await broker.peer(2);
    await connected(session);
    assert.equal(third.idsOf('subscribe').length, 1);
  });

  it('acknowledges QoS 1 and 2 when they are released, in the order of arrival', async () => {
    const session = open({ qos: 2 });
    await connected(session);
    const peer = await broker.peer(0);
    peer.publish(1, { qos: 1 });
    peer.publish(2, { qos: 2 });
    peer.publish(3, { qos: 1 });
    peer.publish(4, { qos: 0, messageId: undefined });
    await arrived(4);
    release(2);
    release(1);
    await nextTurn();
    release(0);
    await until('all to be acknowledged', () => session.held === 0);
    await until('all to arrive', () => peer.idsOf('puback').length === 2);
    const acks = peer.packets.filter(({ cmd }) => cmd === 'puback' || cmd === 'pubrec');
    assert.deepEqual(
      acks.map(({ messageId }) => messageId),
      [1, 2, 3],
    );
    peer.send({ cmd: 'pubrel', messageId: 2 });
    await until('the handshake to end', () => peer.idsOf('pubcomp').length === 1);
    assert.equal(messages.length, 4, 'the end of the handshake brings no message');
  });

  it('does not take a QoS 2 message twice that it has acknowledged, until the broker lets it go', async () => {
    const session = open({ qos: 2 });
    await connected(session);
    const first = await broker.peer(0);
    first.publish(7, { qos: 2 });
    first.publish(8, { qos: 2 });
    await arrived(2);
    release(0);
    await until('one to be acknowledged', () => first.idsOf('pubrec').length === 1);
    first.cut();
    await until('the loss', () => session.state === 'error');
    await clock.pass(1000);
    const second = await broker.peer(1);
    second.publish(7, { qos: 2, dup: true });
    second.publish(8, { qos: 2, dup: true });
    await arrived(3);
    await until('it to be acknowledged', () => second.idsOf('pubrec').length === 1);
    assert.deepEqual(second.idsOf('pubrec'), [7]);
    assert.deepEqual(messages[2], { messageId: messages[2]!.messageId, packetId: 8, dup: true });
    second.send({ cmd: 'pubrel', messageId: 7 });
    await until('the handshake to end', () => second.idsOf('pubcomp').length === 1);
    second.publish(7, { qos: 2 });
    await arrived(4);
  });

  it('takes a message once that the broker repeats on the same connection', async () => {
    const session = open();
    await connected(session);
    const peer = await broker.peer(0);
    peer.publish(1);
    peer.publish(1, { dup: true });
    peer.publish(2);
    await arrived(2);
    assert.equal(session.held, 2);
    release(0);
    await until('it to be acknowledged', () => peer.idsOf('puback').length === 1);
    assert.equal(session.held, 1);
    assert.deepEqual(peer.idsOf('puback'), [1]);
  });

  it('voids what nobody has in hand with the connection', async () => {
    const session = open();
    await connected(session);
    const peer = await broker.peer(0);
    peer.publish(1);
    peer.publish(2);
    await arrived(2);
    acknowledgements.get(messages[1]!.messageId)?.refuse();
    const second = await reconnected(session, peer);
    assert.equal(acknowledgements.size, 0);
    second.publish(1, { dup: true });
    second.publish(2, { dup: true });
    await arrived(4);
    assert.notEqual(messages[2]!.messageId, messages[0]!.messageId);
    release(2);
    await until('it to be acknowledged', () => second.idsOf('puback').length === 1);
    assert.deepEqual(second.idsOf('puback'), [1]);
  });

  for (const protocolVersion of [4, 5] as const) {
    for (const qos of [1, 2] as const) {
      const ack = qos === 1 ? 'puback' : 'pubrec';
      it(`takes nothing again after a reconnect that somebody has in hand (MQTT ${protocolVersion}, QoS ${qos})`, async () => {
        const session = open({ qos }, protocolVersion);
        await connected(session);
        const first = await broker.peer(0);
        for (const id of [1, 2, 3]) first.publish(id, { qos });
        await arrived(3);
        const takers = messages.map(({ messageId }) => acknowledgements.get(messageId));
        takers[0]?.waitsFor(() => told.push('seal'));
        const second = await reconnected(session, first);
        takers[1]?.release();
        for (const id of [1, 2, 3]) second.publish(id, { qos, dup: true });
        second.publish(4, { qos });
        await arrived(4);
        assert.equal(messages[3]!.packetId, 4);
        assert.equal(session.held, 4);
        assert.deepEqual(second.idsOf(ack), [], 'none before the first is safe');

        const third = await reconnected(session, second);
        for (const id of [1, 2, 3]) third.publish(id, { qos, dup: true });
        await until('all to come again', () => session.held === 3);
        for (const taker of takers) taker?.release();
        await until('all to be acknowledged', () => third.idsOf(ack).length === 3);
        assert.deepEqual(third.idsOf(ack), [1, 2, 3]);
        assert.equal(messages.length, 4);
      });
    }
  }

  it('seals what came again and still waits when the window is full', async () => {
    const session = open({ window: 2 });
    await connected(session);
    const first = await broker.peer(0);
    for (const id of [1, 2]) first.publish(id);
    await arrived(2);
    for (const { messageId } of messages)
      acknowledgements.get(messageId)?.waitsFor(() => told.push(`seal ${messageId}`));
    const second = await reconnected(session, first);
    for (const id of [1, 2]) second.publish(id, { dup: true });
    await until('all to come again', () => session.held === 2);
    await clock.pass(300);
    assert.deepEqual(
      told.filter((text) => text.startsWith('seal')),
      messages.map(({ messageId }) => `seal ${messageId}`),
    );
  });

  it('takes again what is not certainly the message that somebody has in hand', async () => {
    const session = open();
    await connected(session);
    const first = await broker.peer(0);
    for (const id of [1, 2, 3, 4, 5]) first.publish(id);
    await arrived(5);
    const takers = messages.map(({ messageId }) => acknowledgements.get(messageId));
    const second = await reconnected(session, first);
    takers[3]?.refuse();
    second.publish(1); // not flagged: another message
    second.publish(2, { dup: true, topic: 'b' });
    second.publish(3, { dup: true, payload: Buffer.from('4') });
    second.publish(4, { dup: true });
    second.publish(5, { dup: true, qos: 2 });
    await arrived(10);
    for (const taker of takers) taker?.release();
    await clock.pass(50);
    assert.deepEqual(second.idsOf('puback'), [], 'what was released is of another connection');
    assert.equal(acknowledgements.size, 5);
    for (const index of [5, 6, 7, 8, 9]) release(index);
    await until('all to be acknowledged', () => session.held === 0);
  });

  it('takes everything again in a session that the broker began anew', async () => {
    const session = open();
    await connected(session);
    const first = await broker.peer(0);
    first.publish(1);
    await arrived(1);
    const taker = acknowledgements.get(messages[0]!.messageId);
    broker.answers.sessionPresent = false;
    const second = await reconnected(session, first);
    second.publish(1, { dup: true });
    await arrived(2);
    taker?.release();
    await clock.pass(50);
    assert.deepEqual(second.idsOf('puback'), []);
    release(1);
    await until('it to be acknowledged', () => second.idsOf('puback').length === 1);
    assert.equal(acknowledgements.size, 0);
  });

  it('goes on with what is in hand after a deploy, unless it is to be safe at another time', async () => {
    const before = open({ when: 'journaled' });
    await connected(before);
    const first = await broker.peer(0);
    for (const id of [1, 2]) first.publish(id);
    await arrived(2);
    const takers = messages.map(({ messageId }) => acknowledgements.get(messageId));
    await closed(before);
    const after = open({ when: 'journaled' });
    await connected(after);
    const second = await broker.peer(1);
    for (const id of [1, 2]) second.publish(id, { dup: true });
    await until('all to come again', () => after.held === 2);
    takers[0]?.release();
    await until('it to be acknowledged', () => second.idsOf('puback').length === 1);
    assert.equal(messages.length, 2);

    await closed(after);
    const stored = open({ when: 'stored' });
    await connected(stored);
    const third = await broker.peer(2);
    third.publish(2, { dup: true });
    await arrived(3);
    takers[1]?.release();
    await clock.pass(50);
    assert.deepEqual(third.idsOf('puback'), []);
  });

  it('tries again for ever with growing pauses, and tells the same reason once', async () => {
    await broker.stop();
    const session = open();
    const pauses: number[] = [];
    for (let n = 0; n < 8; n++) {
      await until('the attempt to fail', () => session.state === 'error');
      pauses.push(clock.untilNext);
      await clock.pass(clock.untilNext);
    }
    assert.deepEqual(
      pauses,
      [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000),
    );
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^BROKER_UNREACHABLE: .*127\.0\.0\.1.*ECONNREFUSED/);
    await until('the attempt to fail', () => session.state === 'error');
    await broker.start();
    await clock.pass(30_000);
    await connected(session);
    assert.equal(session.error, undefined);
  });

  it('survives a broker that refuses, grants nothing or speaks nonsense', async () => {
    broker.answers.code = 5;
    const session = open();
    await until('the refusal', () => told.length === 1);
    assert.match(told[0]!, /^BROKER_REFUSED: .*Not authorized/);
    broker.answers.code = 0;
    broker.answers.sessionPresent = false;
    for (const granted of [128, 0]) {
      broker.answers.granted = granted;
      const before = told.length;
      await until('the pause', () => session.state === 'error');
      await clock.pass(clock.untilNext);
      await until('the failure', () => told.length > before);
      assert.match(told.at(-1)!, /^BROKER_REFUSED: .*does not grant "a"/);
    }
    broker.answers.granted = 1;
    await until('the pause', () => session.state === 'error');
    await clock.pass(clock.untilNext);
    await connected(session);
    broker.peers.at(-1)!.raw(Buffer.alloc(64, 0xff));
    await until('the failure', () => session.state === 'error');
    await clock.pass(clock.untilNext);
    await connected(session);
  });

  it('tells that another client took over', async () => {
    const session = open({}, 5);
    await connected(session);
    const peer = await broker.peer(0);
    peer.send({ cmd: 'disconnect', reasonCode: 142 });
    await until('its arrival', () => peer.packets.length > 0);
    peer.cut();
    await until('the loss', () => told.length === 1);
    assert.match(told[0]!, /another client took over the session of client id/);
  });

  it('does not give a client id to two sessions of a process', async () => {
    const session = open();
    assert.throws(() => open(), { name: 'S3BatchError', code: 'BROKER_INVALID' });
    await closed(session);
    sessions.splice(0);
    await connected(open());
  });

  it('seals what is held when the window is full and nothing comes, once', async () => {
    const session = open({ window: 3 });
    await connected(session);
    const peer = await broker.peer(0);
    let seals = 0;
    for (const id of [1, 2, 3]) peer.publish(id);
    await arrived(3);
    const takers = messages.map(({ messageId }) => acknowledgements.get(messageId));
    const seal = (): void => {
      seals++;
    };
    for (const taker of takers) taker?.waitsFor(seal);
    await clock.pass(99);
    assert.equal(seals, 0);
    await clock.pass(500);
    assert.equal(seals, 1);
    for (const taker of takers) taker?.release();
    await until('all to be acknowledged', () => session.held === 0);
    assert.equal(acknowledgements.size, 0);
  });

  it('takes nothing while it pauses, not even a connection', async () => {
    const session = open();
    await connected(session);
    const peer = await broker.peer(0);
    session.pause();
    peer.publish(1);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.equal(messages.length, 0);
    session.resume();
    await arrived(1);
    session.pause();
    peer.cut();
    await until('the loss', () => session.state === 'error');
    await clock.pass(clock.untilNext);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.equal(broker.peers.length, 1);
    session.resume();
    await connected(session);
    assert.equal(broker.peers.length, 2);
  });

  it('has the broker send again what nobody took or somebody refused, ever more rarely', async () => {
    const session = open({ timeLimit: 60 });
    await connected(session);
    const publish = (number: number): void => {
      for (const id of [1, 2]) broker.peers[number]!.publish(id, { dup: number > 0 });
    };
    publish(0);
    await arrived(2);
    acknowledgements.get(messages[1]!.messageId)?.refuse();
    await clock.pass(59_000);
    assert.deepEqual(told, []);
    await clock.pass(2000);
    assert.deepEqual(told, ['again 2 a 60 120']);
    await broker.peer(1);
    await connected(session);
    publish(1);
    await arrived(4);
    await clock.pass(100_000);
    assert.equal(session.overdue, 2);
    assert.equal(told.length, 1);
    await clock.pass(21_000);
    assert.equal(told.length, 2);
    assert.match(told[1]!, /^again 2 a 1\d\d 240$/);
    await broker.peer(2);
    await connected(session);
    publish(2);
    await arrived(6);
    release(4);
    acknowledgements.dismiss(messages[5]!.messageId);
    await until('all to be acknowledged', () => session.held === 0);
    await clock.pass(200);
    publish(2);
    await arrived(8);
    await clock.pass(181_000);
    assert.match(told[2]!, /^again 2 a \d+ 120$/, 'from the start again, once nothing was held');
  });

  it('has nothing sent again that somebody has in hand, and says so once', async () => {
    const session = open({ timeLimit: 60 });
    await connected(session);
    (await broker.peer(0)).publish(1);
    await arrived(1);
    const taker = acknowledgements.get(messages[0]!.messageId);
    await clock.pass(3_600_000);
    assert.deepEqual(told, ['waiting 1 60']);
    assert.equal(broker.peers.length, 1);
    taker?.release();
    await until('it to be acknowledged', () => session.held === 0);
  });

  it('waits at its close for those who have messages in hand, and writes what they release', async () => {
    const session = open();
    await connected(session);
    const peer = await broker.peer(0);
    for (const id of [1, 2, 3]) peer.publish(id);
    await arrived(3);
    const takers = messages.slice(0, 2).map(({ messageId }) => acknowledgements.get(messageId));
    takers[0]?.release();
    const closing = session.close(10_000);
    await clock.pass(500);
    assert.equal(peer.isGone, false);
    takers[1]?.release();
    await clock.pass(20);
    await closing;
    await until('the end', () => peer.isGone);
    assert.deepEqual(peer.idsOf('puback'), [1, 2]);
    assert.equal(peer.packets.at(-1)?.cmd, 'disconnect');
    assert.deepEqual(peer.idsOf('unsubscribe'), []);
    assert.equal(acknowledgements.size, 0);
    sessions.splice(0);
  });

  it('ends a session by connecting without it, and tells when the broker is not there', async () => {
    const at = brokerOf(broker.url, {});
    await endSession(at, clientId, 5000);
    assert.equal((await broker.peer(0)).connect.clean, true);
    await broker.stop();
    await assert.rejects(endSession(at, clientId, 5000), (error: unknown) => {
      assert.ok(error instanceof S3BatchError);
      return error.code === 'BROKER_UNREACHABLE';
    });
  });
});
