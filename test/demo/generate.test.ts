import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';

import type { Aedes } from 'aedes' with { 'resolution-mode': 'import' };

import { weldMessages } from '../../demo/weld-messages';
import { freePort } from '../support/free-port';

const PROGRAM = path.resolve(__dirname, '../../demo/generate.js');

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** No generator may outlive the tests. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

function generate(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, ...env } });
  living.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]): Ended => {
    living.delete(child);
    return { code: code as number | null, stdout, stderr };
  });
  return { child, ended };
}

/** What the last line tells. */
function told({ stdout }: Ended): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

describe('npm run generate', function () {
  this.timeout(60_000);
  let broker: Aedes;
  let server: Server;
  let url: string;
  const received: { topic: string; payload: Buffer; qos: number }[] = [];
  /** Whether the broker wants a password. */
  let guarded = false;
  /** Holds the broker back from acknowledging anything more. */
  let silentAfter = Infinity;

  before(async () => {
    const aedes = await import('aedes');
    // What MQTT 3.1.1 calls this.
    const refusal = Object.assign(new Error('not authorized'), { returnCode: 5 });
    broker = await aedes.Aedes.createBroker({
      authenticate: (_client, username, password, done) => {
        const isKnown = username === 'joe' && password?.toString() === 'secret';
        if (!guarded || isKnown) done(null, true);
        else done(refusal, false);
      },
      authorizePublish: (client, packet, done) => {
        if (!client) return;
        received.push({ topic: packet.topic, payload: Buffer.from(packet.payload), qos: packet.qos });
        if (received.length <= silentAfter) done(null);
      },
    });
    server = createServer(broker.handle);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(async () => {
    await new Promise<void>((resolve) => {
      broker.close(resolve);
    });
    server.close();
  });

  beforeEach(() => {
    received.length = 0;
    guarded = false;
    silentAfter = Infinity;
  });

  it('publishes exactly the spots of its seed, and tells in JSON what it did', async () => {
    const options = { plants: 2, stations: 4, late: 20, duplicates: 5, gzip: 25, seed: 9 };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const rest = [
      '--rate',
      '0',
      '--messages',
      '2000',
      '--minutes',
      '3',
      '--start',
      '20181001 171035',
      '--json',
    ];
    const ended = await generate(['--broker', url, ...args, ...rest]).ended;
    assert.equal(ended.code, 0, ended.stderr);
    const expected = [...weldMessages({ count: 2000, seconds: 180, ...options })];
    assert.deepEqual(
      received,
      expected.map(({ topic, payload }) => ({ topic, payload, qos: 1 })),
    );
    const { seconds, ...rest2 } = told(ended);
    assert.ok(Number(seconds) > 0);
    assert.deepEqual(rest2, {
      broker: url,
      qos: 1,
      plants: 2,
      stations: 4,
      seed: 9,
      start: '2018-10-01T17:10:35.000Z',
      published: expected.length,
      spots: 2000,
      duplicates: expected.filter(({ duplicate }) => duplicate).length,
      late: expected.filter(({ late }) => late).length,
      gzip: expected.filter(({ gzip }) => gzip).length,
      acknowledged: expected.length,
      bytes: expected.reduce((sum, { payload }) => sum + payload.length, 0),
      complete: true,
    });
  });

  it('keeps to its rate, and publishes at QoS 0 and 2', async () => {
    for (const qos of ['0', '2']) {
      received.length = 0;
      const args = ['--broker', url, '--rate', '400', '--messages', '600', '--qos', qos, '--json'];
      const ended = await generate(args).ended;
      assert.equal(ended.code, 0, ended.stderr);
      const { seconds } = told(ended) as { seconds: number };
      assert.ok(seconds >= 1.4 && seconds < 10, `${seconds} s`);
      assert.deepEqual([received.length, received[0]?.qos], [600, Number(qos)]);
    }
  });

  it('ends cleanly at Ctrl-C, with what the broker has acknowledged', async () => {
    const { child, ended } = generate(['--broker', url, '--rate', '500', '--json']);
    while (received.length < 100) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    const end = await ended;
    assert.equal(end.code, 130);
    assert.match(end.stdout, /^Ended early\. [\d,]+ of [\d,]+ messages acknowledged/);
    const { acknowledged, published, complete } = told(end);
    assert.deepEqual([acknowledged, published, complete], [received.length, received.length, false]);
  });

  it('has a bounded number under way, and counts what was not acknowledged as that', async () => {
    silentAfter = 50;
    const { child, ended } = generate(['--broker', url, '--rate', '0', '--messages', '5000', '--json']);
    while (received.length < 51) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const end = await ended;
    assert.equal(end.code, 130);
    const { acknowledged, published } = told(end);
    assert.equal(acknowledged, 50);
    assert.equal(published, 350);
  });

  it('says where no broker answers, and which one wants a password', async () => {
    const nobody = await generate(['--broker', `mqtt://127.0.0.1:${await freePort()}`]).ended;
    assert.deepEqual([nobody.code, nobody.stderr.split('\n').length], [1, 2]);
    assert.match(nobody.stderr, /^generate: mqtt:.*: no broker answers there: start one/);
    guarded = true;
    const refused = await generate(['--broker', url]).ended;
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /the broker refuses the connection .*: set MQTT_USERNAME and MQTT_PASSWORD\n$/,
    );
    const env = { MQTT_USERNAME: 'joe', MQTT_PASSWORD: 'secret' };
    const known = await generate(['--broker', url, '--rate', '0', '--messages', '10'], env).ended;
    assert.deepEqual([known.code, received.length], [0, 10], known.stderr);
    assert.doesNotMatch(known.stdout + known.stderr, /secret/);
  });

  it('tells its options, and a wrong one', async () => {
    const help = await generate(['--help']).ended;
    assert.equal(help.code, 0);
    assert.match(help.stdout, /--duplicates PERCENT/);
    const wrong = await generate(['--rate', 'fast']).ended;
    assert.deepEqual(
      [wrong.code, wrong.stderr],
      [1, 'generate: --rate takes a number from 0 to 1000000, not "fast"\n'],
    );
  });
});
