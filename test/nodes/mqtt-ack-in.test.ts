import assert from 'node:assert/strict';

import type { NodeMessage } from 'node-red';

import { acknowledgements } from '../../lib/delivery/acknowledgements';
import { FakeBroker, type Peer } from '../lib/delivery/held-fake-broker';
import { until } from '../support/fake-clock';
import { catchAll, onTab, type Settings, sink, tab } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import type { FlowNode } from '../support/node-red-process';

describe('mqtt-ack-in', () => {
  const runner = useFlows();
  let broker: FakeBroker;
  beforeEach(async () => {
    broker = new FakeBroker();
    await broker.start();
  });
  // After the flows, which the runner's hook has ended.
  afterEach(() => broker.stop());

  function brokerSettings(settings: Settings = {}): FlowNode {
    const defaults = {
      broker: '127.0.0.1',
      port: String(broker.port),
      clientid: '',
      autoConnect: true,
      usetls: false,
      protocolVersion: '4',
      keepalive: '60',
      cleansession: true,
    };
    return { id: 'broker', type: 'mqtt-broker', ...defaults, ...settings };
  }

  function ackIn(settings: Settings = {}, ...to: string[]): FlowNode {
    const defaults = {
      broker: 'broker',
      topic: 'a/#',
      qos: '1',
      clientId: '',
      datatype: 'buffer',
      acknowledge: 'journaled',
      window: '20',
      sessionExpiry: '86400',
      timeLimit: '600',
    };
    return onTab('ack', 'mqtt-ack-in', { ...defaults, ...settings }, ...(to.length > 0 ? to : ['sink']));
  }

  /** The package with Node-RED's own nodes is loaded for flows that have this one. */
  function mqttIn(settings: Settings = {}, ...to: string[]): FlowNode {
    const defaults = { topic: 'a/#', qos: '1', datatype: 'buffer', broker: 'broker', rap: true, rh: 0 };
    return onTab('in', 'mqtt in', { ...defaults, inputs: 0, ...settings }, ...to);
  }

  const flow = (...nodes: FlowNode[]): FlowNode[] => [
    tab(),
    ...(nodes.some(({ id }) => id === 'broker') ? [] : [brokerSettings()]),
    ...(nodes.some(({ id }) => id === 'in') ? [] : [mqttIn({ d: true })]),
    ...nodes,
    sink(),
  ];

  // Texts are not translated here.
  const CONNECTED = 'mqtt-ack-in.status.connected';
  const shown = (id = 'ack'): string => runner.current.status(id).text ?? '';

  /** The connection of the node, or of another client. */
  async function peerOf(id = 's3-batch-ack', number = 0): Promise<Peer> {
    const found = (): Peer[] => broker.peers.filter(({ connect }) => connect.clientId === id);
    await until(`a connection of ${id}`, () => found().length > number);
    return found()[number]!;
  }

  async function connected(): Promise<void> {
    await runner.current.until('it to connect', () => shown().startsWith(CONNECTED));
  }

  const release = ({ _msgid = '' }: NodeMessage): void => acknowledgements.get(_msgid)?.release();

  it('sends messages on, and acknowledges them when they are released', async () => {
    const { current } = runner;
    await current.load(flow(ackIn()));
    const peer = await peerOf();
    await connected();
    for (const id of [1, 2, 3]) peer.publish(id, { topic: `a/${id}` });
    const messages = await current.receives('sink', 3);
    assert.deepEqual(
      messages.map(({ topic, payload }) => [topic, String(payload)]),
      [1, 2, 3].map((id) => [`a/${id}`, String(id)]),
    );
    await current.until('three to be shown', () => shown() === `${CONNECTED} · mqtt-ack-in.status.held`);
    for (const message of messages) release(message);
    await until('all to be acknowledged', () => peer.idsOf('puback').length === 3);
    await current.until('none to be shown', () => shown() === CONNECTED);
  });

  for (const protocolVersion of ['4', '5']) {
    it(`sends the same messages as mqtt in, with version ${protocolVersion}`, async () => {
      const { current } = runner;
      const payloads = ['{"a":1}', 'text', '[1', '', Buffer.from([0xff, 0, 0xfe]), 'ü', '7'];
      const properties = [
        undefined,
        { contentType: 'application/json' },
        { contentType: 'application/zip', payloadFormatIndicator: true },
        { contentType: 'Text/Plain', payloadFormatIndicator: false },
        {
          payloadFormatIndicator: true,
          messageExpiryInterval: 60,
          responseTopic: 'r',
          correlationData: Buffer.from('c'),
          contentType: 'other',
          userProperties: { one: '1', many: ['2', '3'] },
        },
      ];
      const { length } = payloads;
      const packets = properties.slice(0, protocolVersion === '5' ? 5 : 1).flatMap((one, row) =>
        payloads.map((payload, index) => ({
          id: row * length + index + 1,
          settings: {
            topic: `a/${index}`,
            payload: Buffer.from(payload as string),
            retain: index === 2,
            ...(one ? { properties: one } : {}),
          },
        })),
      );
      for (const datatype of ['buffer', 'utf8', 'json', 'auto', 'auto-detect', 'base64']) {
        const settings = brokerSettings({ clientid: `other-${datatype}`, protocolVersion });
        const own = ackIn({ datatype, clientId: datatype, window: '100' });
        const nodes = flow(settings, own, mqttIn({ datatype }, 'other'), sink('other'), catchAll('caught'));
        nodes.push(sink('caught'));
        await current.load(nodes);
        const [mine, other] = [await peerOf(datatype), await peerOf(`other-${datatype}`)];
        await until('both to subscribe', () =>
          [mine, other].every((peer) => peer.idsOf('subscribe').length > 0),
        );
        await connected();
        await current.until('mqtt in to connect', () => current.statuses('in').length > 1);
        for (const { id, settings: message } of packets) {
          mine.publish(id, message);
          other.publish(id, message);
        }
        await current.until('all to come', () => {
          const caught = current.received('caught').length;
          return (
            current.received('sink').length + current.received('other').length + caught === 2 * packets.length
          );
        });
        const comparable = (messages: NodeMessage[]): unknown[] =>
          messages.map((message) => ({ ...message, _msgid: '', dup: false }));
        assert.deepEqual(
          comparable(current.received('sink')),
          comparable(current.received('other')),
          datatype,
        );
        await current.unload();
        runner.current.received('sink').splice(0);
        runner.current.received('other').splice(0);
        runner.current.received('caught').splice(0);
      }
      await current.load([tab()]);
    });
  }

  it('acknowledges what reaches its input', async () => {
    const { current } = runner;
    await current.load(flow(ackIn({}, 'sink', 'ack')));
    const peer = await peerOf();
    await connected();
    peer.publish(1);
    await until('it to be acknowledged', () => peer.idsOf('puback').length === 1);
    assert.equal(await current.send('ack', { payload: 'of somebody else' }), undefined);
  });

  it('holds what cannot be parsed, until the flow that catches the error ends it', async () => {
    const { current } = runner;
    await current.load(flow(ackIn({ datatype: 'json' }), catchAll('caught'), sink('caught')));
    const peer = await peerOf();
    await connected();
    peer.publish(1, { payload: Buffer.from('{') });
    peer.publish(2, { payload: Buffer.from('{}') });
    const [good] = await current.receives('sink', 1);
    release(good!);
    const [caught] = await current.receives('caught', 1);
    assert.deepEqual(caught?.payload, Buffer.from('{'));
    assert.match(String((caught as { error?: { message: string } }).error?.message), /no JSON/);
    assert.deepEqual(peer.idsOf('puback'), []);
    await current.send('ack', caught);
    current.node('ack').receive({ ...caught });
    await until('both to be acknowledged', () => peer.idsOf('puback').length === 2);
  });

  it('keeps the session through a deploy, and ends the subscription of another topic', async () => {
    const { current } = runner;
    await current.load(flow(ackIn()));
    const first = await peerOf();
    await connected();
    first.publish(1);
    const [message] = await current.receives('sink', 1);
    const deployed = current.deploy(flow(ackIn({ topic: 'b/#' })), 'nodes');
    release(message!);
    await deployed;
    const second = await peerOf('s3-batch-ack', 1);
    await until('the first to go', () => first.isGone);
    assert.deepEqual(first.idsOf('puback'), [1], 'what was due is written');
    assert.deepEqual(first.idsOf('unsubscribe'), []);
    assert.equal(second.connect.clean, false);
    await until('the change', () => second.idsOf('subscribe').length === 1);
    assert.equal(second.idsOf('unsubscribe').length, 1);
  });

  it('takes nothing while a deploy has stopped the nodes that messages go to', async () => {
    const { current } = runner;
    const nodes = (name: string): FlowNode[] => [
      ...flow(ackIn()).map((node) => (node.id === 'sink' ? { ...node, name } : node)),
      { ...ackIn({ name, clientId: 'slow' }, 'held'), id: 'slow' },
      sink('held'),
    ];
    await current.load(nodes('one'));
    const peer = await peerOf();
    await connected();
    // The other one's close waits for what somebody has in hand, and with it the deploy.
    (await peerOf('slow')).publish(1);
    const [inHand] = await current.receives('held', 1);
    acknowledgements.get(inHand?._msgid ?? '')?.waitsFor(() => undefined);
    const deployed = current.deploy(nodes('two'), 'nodes');
    await until('the sink to stop', () => current.find('sink') === undefined);
    peer.publish(2);
    await deployed;
    const [message] = await current.receives('sink', 1);
    assert.equal(String(message?.payload), '2');
    assert.equal(broker.peers.filter(({ connect }) => connect.clientId === 's3-batch-ack').length, 1);
  });

  it('goes on after a deploy that a missing type keeps from starting, as mqtt in does', async () => {
    const { current } = runner;
    await current.load(flow(ackIn()));
    const peer = await peerOf();
    await connected();
    await current.deployInVain([...flow(ackIn()), onTab('new', 'no-such-type')]);
    peer.publish(1);
    await current.receives('sink', 1);
  });

  it('ends the session of a deleted node, and keeps that of a disabled one', async () => {
    const { current } = runner;
    await current.load(flow(ackIn()));
    await peerOf();
    await connected();
    await current.deploy(flow(ackIn({ d: true })));
    assert.equal(broker.peers.length, 1);
    await current.deploy(flow(ackIn()));
    await peerOf('s3-batch-ack', 1);
    await current.deploy(flow());
    const third = await peerOf('s3-batch-ack', 2);
    assert.equal(third.connect.clean, true);
  });

  it('does not stop Node-RED when the broker is not there, and says so', async () => {
    const { current } = runner;
    await broker.stop();
    await current.load(flow(ackIn()));
    await current.until('the error', () => current.status('ack').fill === 'red');
    assert.match(current.logged('warn').join(), /no working connection to the broker mqtt:/);
    await broker.start();
    await connected();
  });

  it('refuses a client id that another node has, or the broker settings', async () => {
    const { current } = runner;
    const other = { ...ackIn({ clientId: 'same' }), id: 'other' };
    const third = { ...ackIn({ clientId: 'of-the-broker' }), id: 'third' };
    await current.load(
      flow(brokerSettings({ clientid: 'of-the-broker' }), ackIn({ clientId: 'same' }), other, third),
    );
    await peerOf('same');
    await connected();
    for (const id of ['other', 'third']) assert.match(current.status(id).text!, /headline\.BROKER_INVALID$/);
    const logged = current.logged('error').join();
    assert.match(logged, /another node has the client id "same"/);
    assert.match(logged, /is that of the broker settings/);
    assert.equal(broker.peers.length, 1);
  });

  for (const [what, settings, words] of [
    ['without a broker', { broker: '' }, /no broker settings are chosen/],
    ['without a topic', { topic: '' }, /no MQTT topic filter/],
    ['with a wrong topic', { topic: 'a/#/b' }, /no MQTT topic filter/],
    ['with a share without a topic', { topic: '$share/group' }, /no MQTT topic filter/],
  ] as const) {
    it(`tells what is wrong ${what}`, async () => {
      const { current } = runner;
      await current.load(flow(ackIn(settings)));
      assert.match(current.status('ack').text!, /headline\.BROKER_INVALID$/);
      assert.match(current.logged('error').join(), words);
      assert.equal(broker.peers.length, 0);
    });
  }

  it('takes settings that are empty for their defaults', async () => {
    const { current } = runner;
    await current.load(
      flow(
        brokerSettings({ protocolVersion: '5' }),
        ackIn({ window: '', sessionExpiry: '', timeLimit: '', qos: '2' }),
      ),
    );
    const { connect } = await peerOf();
    assert.deepEqual({ ...connect.properties }, { sessionExpiryInterval: 86_400, receiveMaximum: 20 });
  });
});
