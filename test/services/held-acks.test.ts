import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { connectAsync } from 'mqtt';

import { endSession } from '../../lib/delivery/held-registry';
import { brokerOf } from '../../lib/delivery/held-broker';
import { until } from '../support/fake-clock';
import { freePort } from '../support/free-port';
import { Mosquitto } from '../support/mosquitto';
import { Receiver, type ReceiverSettings } from './held-acks-receiver';

const WINDOW = 100;
const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => n + from);

describe('held acknowledgements with Mosquitto', () => {
  let broker: Mosquitto;
  const receivers: Receiver[] = [];
  beforeEach(async () => {
    broker = await Mosquitto.start([`max_inflight_messages ${WINDOW}`]);
  });
  afterEach(async () => {
    for (const { session } of receivers.splice(0)) await session.close(0);
    await broker.remove();
  });

  async function receive(settings: Partial<ReceiverSettings> = {}): Promise<Receiver> {
    const receiver = new Receiver({ url: broker.url, window: WINDOW, ...settings });
    receivers.push(receiver);
    await receiver.connected();
    return receiver;
  }

  async function publish(all: number[], qos: 1 | 2 = 1): Promise<void> {
    const client = await connectAsync(broker.url);
    // Mosquitto 2.0 loses QoS 2 messages of which more are under way at a time than its limit.
    for (let at = 0; at < all.length; at += WINDOW / 2)
      await Promise.all(
        all.slice(at, at + WINDOW / 2).map((n) => client.publishAsync(`held/${n % 7}`, String(n), { qos })),
      );
    await client.endAsync();
  }

  async function close({ session }: Receiver): Promise<void> {
    await session.close(0);
  }

  for (const protocolVersion of [4, 5] as const) {
    for (const qos of [1, 2] as const) {
      describe(`MQTT ${protocolVersion === 4 ? '3.1.1' : '5'}, QoS ${qos}`, () => {
        it('gets every message once, in order, when all are released', async () => {
          const receiver = await receive({ protocolVersion, qos });
          receiver.releaseAll();
          await publish(numbers(3000), qos);
          await receiver.receives(3000);
          assert.deepEqual(receiver.numbers, numbers(3000));
          await until('nothing to be held', () => receiver.session.held === 0);
          await close(receiver);
          const next = await receive({ protocolVersion, qos });
          await publish([3000], qos);
          await next.receives(1);
          assert.deepEqual(next.numbers, [3000], 'the broker has forgotten the others');
        });

        it('gets no more than the window while nothing is released, and goes on then', async () => {
          const receiver = await receive({ protocolVersion, qos });
          await publish(numbers(300), qos);
          await receiver.receives(WINDOW);
          assert.equal(receiver.session.held, WINDOW);
          receiver.releaseAll();
          await receiver.receives(300);
          assert.deepEqual(receiver.numbers, numbers(300));
        });

        it('gets all again that a killed process held', async () => {
          await close(await receive({ protocolVersion, qos }));
          await publish(numbers(500), qos);
          const settings = JSON.stringify({ url: broker.url, window: WINDOW, protocolVersion, qos });
          const child = fork(path.join(__dirname, 'held-acks-child.js'), [settings]);
          const exited = once(child, 'exit');
          await new Promise<void>((resolve) => {
            child.on('message', (count) => {
              if (Number(count) >= WINDOW) resolve();
            });
          });
          child.kill('SIGKILL');
          await exited;

          const receiver = await receive({ protocolVersion, qos });
          receiver.releaseAll();
          await receiver.receives(500);
          assert.deepEqual(receiver.numbers, numbers(500));
          assert.equal(receiver.received.filter(({ dup }) => dup).length, WINDOW);
        });
      });
    }
  }

  it('acknowledges in the order of arrival: a message that is not safe keeps those after it, over a connection', async () => {
    const receiver = await receive();
    await publish(numbers(10));
    await receiver.receives(10);
    for (const { messageId, number } of receiver.received)
      if (number !== 4) receiver.acknowledgements.get(messageId)?.release();
    await until('those before to be acknowledged', () => receiver.session.held === 6);
    await close(receiver);
    const next = await receive();
    await until('those to come again, too, that were safe', () => next.session.held === 6);
    assert.deepEqual(next.numbers, [4]);
    next.releaseAll();
    await until('all to be acknowledged', () => next.session.held === 0);
  });

  it('shares a subscription', async () => {
    const topic = '$share/group/held/#';
    const one = await receive({ clientId: 'one', topic });
    const other = await receive({ clientId: 'other', topic });
    one.releaseAll();
    other.releaseAll();
    await publish(numbers(200));
    await until('all to come', () => one.received.length + other.received.length >= 200);
    assert.deepEqual(
      [...one.numbers, ...other.numbers].sort((a, b) => a - b),
      numbers(200),
    );
    assert.ok(one.received.length > 0 && other.received.length > 0);
  });

  it('speaks over WebSocket', async () => {
    const port = await freePort();
    const web = await Mosquitto.start([
      `listener ${port} 127.0.0.1`,
      'protocol websockets',
      'socket_domain ipv4',
    ]);
    try {
      const url = `ws://127.0.0.1:${port}`;
      const receiver = new Receiver({ url, clientId: 'web' });
      receivers.push(receiver);
      await receiver.connected();
      const client = await connectAsync(url);
      for (const number of numbers(5)) await client.publishAsync('held/1', String(number), { qos: 1 });
      await receiver.receives(5);
      receiver.releaseAll();
      await until('all to be acknowledged', () => receiver.session.held === 0);
      await client.endAsync();
      await close(receiver);
    } finally {
      await web.remove();
    }
  });

  it('gets all messages of a broker that is stopped and started, and those again that nobody had in hand', async () => {
    const receiver = await receive();
    await publish(numbers(50));
    await receiver.receives(50);
    const takers = receiver.received
      .slice(0, 2)
      .map(({ messageId }) => receiver.acknowledgements.get(messageId));
    await broker.end('SIGTERM');
    await until('the loss to be noticed', () => receiver.session.state !== 'connected');
    assert.equal(receiver.session.held, 0, 'what was held is void');
    takers[0]?.release();
    await broker.run();
    await receiver.connected();
    await receiver.receives(98);
    assert.deepEqual(receiver.numbers, [...numbers(50), ...numbers(48, 2)]);
    await until('the one to be acknowledged that was made safe', () => receiver.session.held === 49);
    takers[1]?.release();
    await until('the next one to be acknowledged', () => receiver.session.held === 48);
    receiver.releaseAll();
    await publish(numbers(50, 50));
    await until('all to come', () => new Set(receiver.numbers).size === 100);
    assert.equal(receiver.failures.length > 0, true);
  });

  it('subscribes again when the broker was killed and has forgotten the session', async () => {
    const receiver = await receive();
    receiver.releaseAll();
    await broker.end('SIGKILL');
    await until('the loss to be noticed', () => receiver.session.state !== 'connected');
    await broker.run();
    await receiver.connected();
    await publish(numbers(20));
    await until('all to come', () => new Set(receiver.numbers).size === 20);
  });

  it('seals batches when arrivals stop, though the window of the settings is larger', async () => {
    const receiver = await receive({ window: 5000 });
    const open: (() => void)[] = [];
    const seal = (): void => {
      for (const release of open.splice(0)) release();
    };
    receiver.onMessage = ({ messageId }) => {
      const taker = receiver.acknowledgements.get(messageId);
      open.push(() => taker?.release());
      taker?.waitsFor(seal);
    };
    await publish(numbers(2 * WINDOW));
    await receiver.receives(2 * WINDOW);
    assert.deepEqual(receiver.numbers, numbers(2 * WINDOW));
  });

  it('has messages sent again that nobody took within the time limit', async () => {
    const receiver = await receive({ timeLimit: 1 });
    await publish(numbers(3));
    await receiver.receives(3);
    receiver.acknowledgements.get(receiver.received[0]!.messageId)?.release();
    await receiver.receives(5);
    assert.deepEqual(receiver.numbers, [0, 1, 2, 1, 2]);
    assert.deepEqual(receiver.sentAgain, [2]);
    receiver.releaseAll();
    await until('nothing to be held', () => receiver.session.held === 0);
  });

  it('ends the subscription of another topic that it had before', async () => {
    await close(await receive({ topic: 'held/1' }));
    const receiver = await receive({ topic: 'held/2' });
    receiver.releaseAll();
    await publish(numbers(7));
    await receiver.receives(1);
    await publish([9]);
    await receiver.receives(2);
    assert.deepEqual(receiver.numbers, [2, 9]);
  });

  it('ends a session with all that waits in it', async () => {
    await close(await receive());
    await publish(numbers(10));
    await endSession(brokerOf(broker.url, {}), 'held-acks', 5000);
    const receiver = await receive();
    await publish([10]);
    await receiver.receives(1);
    assert.deepEqual(receiver.numbers, [10]);
  });

  it('tells a loss to another client of its id, and comes back', async () => {
    const receiver = await receive({ protocolVersion: 5 });
    const other = await connectAsync(broker.url, {
      clientId: 'held-acks',
      reconnectPeriod: 0,
      protocolVersion: 5,
    });
    await until('the loss to be told', () => receiver.failures.length > 0);
    assert.match(receiver.failures[0]!, /another client/);
    await receiver.connected();
    other.end(true);
  });
});
