import assert from 'node:assert/strict';

import { brokerOf } from '../../../lib/delivery/held-broker';
import { endSession } from '../../../lib/delivery/held-registry';
import { makeCertificate } from '../store/certificate';
import { FakeBroker } from './held-fake-broker';

describe('the broker of an address', () => {
  it('has host, port and protocol, and the settings beside them', () => {
    const { name, options } = brokerOf('mqtt://broker.example', { username: 'u', keepalive: 5 });
    assert.equal(name, 'mqtt://broker.example:1883');
    assert.deepEqual(options, {
      ...{ username: 'u', keepalive: 5, protocol: 'mqtt', port: 1883 },
      ...{ host: 'broker.example', hostname: 'broker.example' },
    });
  });

  it('takes what Node-RED writes and people type', () => {
    const cases: [string, string, string | undefined][] = [
      ['mqtts://h:8884', 'mqtts://h:8884', 'h'],
      ['tcp://h', 'tcp://h:1883', 'h'],
      ['ssl://h', 'ssl://h:8883', 'h'],
      ['mqtt://[::1]:1883', 'mqtt://[::1]:1883', '::1'],
      ['ws://h', 'ws://h:80', 'h'],
      ['wss://[::1]/mqtt?a=b', 'wss://[::1]:443', '[::1]'],
    ];
    for (const [address, name, host] of cases) {
      const broker = brokerOf(address, {});
      assert.equal(broker.name, name);
      assert.equal(broker.options.host, host);
    }
    assert.equal(brokerOf('wss://h/mqtt?a=b', {}).options.path, '/mqtt?a=b');
  });

  it('uses TLS when there is a client certificate, as MQTT.js does', () => {
    const certificate = { cert: 'c', key: 'k' };
    assert.equal(brokerOf('mqtt://h', certificate).name, 'mqtts://h:8883');
    assert.equal(brokerOf('ws://h', certificate).name, 'wss://h:443');
  });

  it('takes credentials from the address, and shows none', () => {
    const { name, options } = brokerOf('mqtt://me:a%40b@h:1', { username: 'other' });
    assert.equal(name, 'mqtt://h:1');
    assert.equal(options.username, 'me');
    assert.equal(options.password, 'a@b');
  });

  it("leaves out what belongs to the settings' own client", () => {
    const own = {
      clientId: 'x',
      clean: true,
      will: { topic: 't', payload: Buffer.alloc(0), qos: 0, retain: false },
    };
    const { options } = brokerOf('mqtt://h', { ...(own as object), reconnectPeriod: 5, properties: {} });
    for (const property of ['clientId', 'clean', 'will', 'reconnectPeriod', 'properties'])
      assert.equal(property in options, false, property);
  });

  it('refuses what is no address of a broker', () => {
    for (const address of ['', 'broker', 'http://h', 'mqtt://', 'mqtt://h:x', 'alis://h'])
      assert.throws(() => brokerOf(address, {}), { code: 'BROKER_INVALID' }, address);
  });
});

describe('a broker over TLS', () => {
  const authority = makeCertificate({ commonName: 'authority' });
  const good = makeCertificate({ commonName: 'broker', hosts: ['127.0.0.1'], issuer: authority });
  let broker: FakeBroker;
  beforeEach(async () => {
    broker = new FakeBroker();
    await broker.start({ ...good });
  });
  afterEach(() => broker.stop());
  const address = (): string => broker.url.replace('mqtt:', 'mqtts:');

  it('is connected to with the certificate of its authority', async () => {
    await endSession(brokerOf(address(), { ca: authority.cert }), 'tls', 15_000);
    assert.equal(broker.peers.length, 1);
  });

  it('is not connected to without, unless the settings say so', async () => {
    await assert.rejects(endSession(brokerOf(address(), {}), 'tls', 15_000), {
      code: 'BROKER_UNREACHABLE',
      message: /certificate/,
    });
    assert.equal(broker.peers.length, 0);
    await endSession(brokerOf(address(), { rejectUnauthorized: false }), 'tls', 15_000);
  });
});
