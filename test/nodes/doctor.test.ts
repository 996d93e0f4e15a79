import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import type { NodeAPI } from 'node-red';

import { CHECKS, type DoctorEvent, type Finding } from '../../lib/store/doctor';
import { FINDINGS, hasRemedy } from '../../lib/store/doctor/finding';
import { isSameStore, serveDoctor } from '../../nodes/common/doctor';
import { PLACEHOLDER, type DoctorRequest } from '../../nodes/common/doctor-request';
import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { until } from '../support/fake-clock';
import { connection, tab } from '../support/flow';
import { useFlows } from '../support/node-red-helper';

const BUCKET = 'plant-1';
const TOKEN = 'session-token-of-the-test-0123456789';
const SECRET_OF_ENVIRONMENT = 'S3_BATCH_TEST_SECRET';

interface Texts {
  found: Record<string, string>;
  remedy: Record<string, string>;
  check: Record<string, string>;
}

describe('the connection doctor of the runtime', () => {
  const runner = useFlows();
  let embedded: TestStore;
  /** A test may have begun several. */
  let servers: Server[] = [];
  /** What requests to the store came with. */
  let seen: IncomingMessage['headers'][];

  before(async () => {
    embedded = await startTestStore();
    await embedded.createBucket(BUCKET);
  });
  after(() => embedded.stop());
  beforeEach(() => {
    seen = [];
    embedded.server.faults.add({
      kind: 'reset',
      match: ({ headers }) => {
        seen.push(headers);
        return false;
      },
    });
  });
  afterEach(async () => {
    embedded.server.faults.clear();
    const begun = servers;
    servers = [];
    for (const server of begun) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
    Reflect.deleteProperty(process.env, SECRET_OF_ENVIRONMENT);
  });

  async function serve(admin: RequestListener): Promise<string> {
    const server = createServer(admin);
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  type Form = Partial<DoctorRequest['settings']> & { credentials?: object } & Partial<
      Pick<DoctorRequest, 'bucket' | 'tlsChanged'>
    >;
  function requestOf({ credentials, bucket = BUCKET, tlsChanged = false, ...settings }: Form): object {
    return {
      settings: {
        endpoint: embedded.server.url,
        region: KEYS.region,
        pathStyle: true,
        auth: 'keys',
        tls: '',
        connectTimeout: '5',
        requestTimeout: '30',
        ...settings,
      },
      credentials: {
        accessKeyId: KEYS.accessKey,
        secretAccessKey: PLACEHOLDER,
        sessionToken: '',
        ...credentials,
      },
      z: '',
      bucket,
      createBucket: false,
      tlsChanged,
    };
  }

  const post = (url: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });

  /** Has a form examined, and looks for secrets in all that comes back. */
  async function examine(form: Form, id = 'connection'): Promise<Finding[]> {
    const base = await serve(runner.current.admin);
    const response = await post(`${base}/s3-batch/doctor/${id}`, requestOf(form));
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /x-ndjson/);
    const text = await response.text();
    for (const secret of [KEYS.secretKey, TOKEN, PLACEHOLDER])
      assert.equal(text.includes(secret), false, text);
    const logged = JSON.stringify(runner.current.logs);
    for (const secret of [KEYS.secretKey, TOKEN]) assert.equal(logged.includes(secret), false, logged);
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DoctorEvent);
    assert.equal(events.at(-1)?.event, 'ended');
    return events.flatMap((event) => (event.event === 'found' ? [event] : []));
  }
  const names = (findings: Finding[]): string[] => findings.map(({ finding }) => finding);
  const deploy = (endpoint = embedded.server.url, settings: object = {}): Promise<void> =>
    runner.current.load([tab(), connection(endpoint, { ...settings })]);
  const isSigned = (): boolean => seen.some(({ authorization }) => authorization !== undefined);

  it('examines with the keys that only the runtime has', async () => {
    await deploy();
    const findings = await examine({});
    assert.deepEqual(
      findings.map(({ check }) => check),
      CHECKS,
    );
    assert.deepEqual(
      findings.filter(({ verdict }) => verdict !== 'ok'),
      [],
    );
  });

  it('uses what stands in the form, deployed or not', async () => {
    await deploy('http://127.0.0.1:9');
    const credentials = { secretAccessKey: KEYS.secretKey };
    assert.ok(names(await examine({ credentials })).includes('cleanedUp'));
  });

  it('needs keys that are not deployed to be entered', async () => {
    await runner.current.load([tab()]);
    const findings = await examine({}, 'new-connection');
    assert.equal(findings[0]?.finding, 'keysUndeployed');
    assert.ok(names(findings).includes('clockFine'));
    assert.equal(isSigned(), false);
  });

  it('sends stored keys to no other host', async () => {
    const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey, sessionToken: TOKEN };
    await deploy('http://store.example.org:9000', { credentials });
    for (const kept of [
      { secretAccessKey: PLACEHOLDER, sessionToken: PLACEHOLDER },
      { secretAccessKey: PLACEHOLDER },
      { secretAccessKey: 'typed', sessionToken: PLACEHOLDER },
    ]) {
      const findings = await examine({ credentials: kept });
      assert.equal(findings[0]?.finding, 'keysElsewhere');
      assert.equal(findings[0].values?.host, 'store.example.org');
      for (const server of servers) server.closeAllConnections();
    }
    assert.ok(seen.length > 0);
    assert.equal(isSigned(), false);
    assert.equal(JSON.stringify(seen).includes(TOKEN), false);
  });

  it('sends a stored token to its host', async () => {
    const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey, sessionToken: TOKEN };
    await deploy(embedded.server.url, { credentials });
    await examine({ credentials: { sessionToken: PLACEHOLDER } });
    assert.ok(seen.some((headers) => headers['x-amz-security-token'] === TOKEN));
  });

  it('knows which store is the same', () => {
    const same: [string, string][] = [
      ['http://ceph:9000', 'http://ceph:7480'],
      ['http://ceph:9000', 'https://ceph'],
      ['', ''],
      ['', 'https://s3.eu-central-1.amazonaws.com'],
      ['https://s3.amazonaws.com', ''],
      ['', 'https://s3-eu-west-1.amazonaws.com'],
      ['', 'https://s3-fips.dualstack.us-gov-west-1.amazonaws.com'],
      ['', 'https://s3.cn-north-1.amazonaws.com.cn'],
    ];
    for (const [deployed, wanted] of same)
      assert.equal(isSameStore(deployed, wanted), true, `${deployed} ${wanted}`);
    const other: [string, string][] = [
      ['http://ceph:9000', 'http://ceph2:9000'],
      ['http://ceph', 'http://ceph.evil.org'],
      ['http://ceph', 'http://ceph@evil.org'],
      ['https://ceph', 'http://ceph'],
      ['', 'http://s3.eu-central-1.amazonaws.com'],
      ['', 'https://ec2-1-2-3-4.compute-1.amazonaws.com'],
      ['', 'https://s3-mine-0123456789abcdef.elb.eu-central-1.amazonaws.com'],
      ['', 'https://s3-mine-123456789.us-east-1.elb.amazonaws.com'],
      ['', 'https://s3.evil.org'],
      ['', 'https://s3.amazonaws.com.evil.org'],
      ['http://ceph', ''],
      ['not a URL', 'not a URL'],
    ];
    for (const [deployed, wanted] of other)
      assert.equal(isSameStore(deployed, wanted), false, `${deployed} ${wanted}`);
  });

  it('resolves environment variables as Node-RED does, and names one that is not set', async () => {
    await deploy();
    const credentials = { secretAccessKey: `\${${SECRET_OF_ENVIRONMENT}}` };
    const without = await examine({ credentials });
    assert.equal(without[0]?.finding, 'variableMissing');
    assert.equal(without[0].values?.name, SECRET_OF_ENVIRONMENT);
    assert.equal(isSigned(), false);
    process.env[SECRET_OF_ENVIRONMENT] = KEYS.secretKey;
    assert.ok(names(await examine({ credentials })).includes('rightsFine'));
  });

  it('says that chosen TLS settings are not deployed', async () => {
    await deploy();
    const findings = await examine({ tls: 'not-deployed', bucket: '' });
    assert.equal(findings[0]?.finding, 'tlsUndeployed');
    assert.equal(findings[0].verdict, 'warning');
  });

  it('refuses what is no form', async () => {
    await deploy();
    const base = await serve(runner.current.admin);
    for (const body of [{}, [], { settings: 1, credentials: {} }, { settings: {}, credentials: [] }]) {
      assert.equal((await post(`${base}/s3-batch/doctor/connection`, body)).status, 400);
    }
    const odd = {
      settings: { endpoint: { toString: 1 }, connectTimeout: [] },
      credentials: { accessKeyId: {} },
    };
    const response = await post(`${base}/s3-batch/doctor/connection`, odd);
    assert.match(await response.text(), /settingsWrong/);
  });

  it('makes one examination of a connection at a time, and stops it with the request', async () => {
    await deploy();
    embedded.server.faults.clear();
    embedded.server.faults.add({ kind: 'hang', match: ({ operation }) => operation === 'HeadObject' });
    const base = await serve(runner.current.admin);
    const controller = new AbortController();
    const first = await post(`${base}/s3-batch/doctor/connection`, requestOf({}), controller.signal);
    assert.equal(first.status, 200);
    const second = await post(`${base}/s3-batch/doctor/connection`, requestOf({}));
    assert.equal(second.status, 409);
    const objects = async (): Promise<number> => {
      let count = 0;
      for await (const page of embedded.store.list(BUCKET)) count += page.objects.length;
      return count;
    };
    await until('objects to be written', async () => (await objects()) > 0);
    controller.abort();
    await first.text().catch(() => undefined);
    await until('them to be deleted', async () => (await objects()) === 0);
    embedded.server.faults.clear();
    await until('the next one to be let in', async () => {
      const third = await post(`${base}/s3-batch/doctor/connection`, requestOf({ bucket: '' }));
      await third.text();
      return third.status === 200;
    });
  });

  it('is behind the rights to deploy and to write connections', () => {
    const needed: string[] = [];
    const middlewares: unknown[] = [];
    serveDoctor({
      auth: {
        needsPermission: (permission: string) => {
          needed.push(permission);
          return permission;
        },
      },
      httpAdmin: { post: (_path: string, ...handlers: unknown[]) => middlewares.push(...handlers) },
    } as unknown as NodeAPI);
    assert.deepEqual(needed, ['flows.write', 's3-connection.write']);
    assert.deepEqual(middlewares.slice(0, 2), needed);
  });

  it('has a sentence for each finding, and a remedy for each that has one', () => {
    const file = path.resolve(__dirname, '../../nodes/locales/en-US/s3-connection.json');
    const { doctor } = (JSON.parse(readFileSync(file, 'utf8')) as { 's3-connection': { doctor: Texts } })[
      's3-connection'
    ];
    const found = Object.keys(doctor.found).filter((name) => !name.endsWith('_plural'));
    assert.deepEqual(found.sort(), [...FINDINGS].sort());
    assert.deepEqual(Object.keys(doctor.remedy).sort(), FINDINGS.filter(hasRemedy).sort());
    assert.deepEqual(Object.keys(doctor.check), [...CHECKS]);
  });
});
