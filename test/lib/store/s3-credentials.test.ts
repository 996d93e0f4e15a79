import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { S3Store, type S3StoreOptions } from '../../../lib/store/s3-store';
import { BUCKET, CREDENTIALS, startEmbedded, type Embedded } from './embedded';
import { assertNoSecrets, PLAIN } from './support';

const { accessKeyId, secretAccessKey } = CREDENTIALS;
const ROLE = 'arn:aws:iam:::role/archive';
const TOKEN = 'session-token-of-the-role';

describe('credentials of an S3 store', () => {
  const environment = { ...process.env };
  let embedded: Embedded;
  let folder: string;
  let files = 0;
  const stores: S3Store[] = [];

  before(async () => {
    embedded = await startEmbedded();
    folder = await mkdtemp(path.join(tmpdir(), 's3-credentials-'));
  });
  beforeEach(() => {
    for (const name of Object.keys(process.env)) {
      if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
    }
    process.env.AWS_EC2_METADATA_DISABLED = 'true';
    process.env.AWS_CONFIG_FILE = path.join(folder, 'no-config');
    process.env.AWS_SHARED_CREDENTIALS_FILE = path.join(folder, 'no-credentials');
  });
  afterEach(() => {
    for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, environment);
    embedded.server.faults.clear();
    for (const store of stores.splice(0)) store.destroy();
  });
  after(async () => {
    await embedded.stop();
    await rm(folder, { recursive: true });
  });

  function connect(options: Partial<S3StoreOptions> = {}): S3Store {
    const { endpoint, region, pathStyle } = embedded.options;
    const store = new S3Store({ endpoint, region, pathStyle, ...options });
    stores.push(store);
    return store;
  }
  /** A credentials file of this content; its name is new each time, because the SDK remembers files by name. */
  async function sharedFile(content: string): Promise<void> {
    const file = path.join(folder, `credentials-${++files}`);
    await writeFile(file, content);
    process.env.AWS_SHARED_CREDENTIALS_FILE = file;
  }
  const works = (store: S3Store): Promise<unknown> => store.put(BUCKET, 'o', Buffer.from('x'), PLAIN);
  const fails = (store: S3Store, message: RegExp, code = 'CREDENTIALS_INVALID'): Promise<void> =>
    assert.rejects(works(store), (error: { code: string; message: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assertNoSecrets(error, TOKEN, 'hunter2');
      return true;
    });

  it('come from the environment', async () => {
    process.env.AWS_ACCESS_KEY_ID = accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
    await works(connect());
  });

  it('come from a profile of the shared files', async () => {
    const keys = `aws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`;
    await sharedFile(`[default]\naws_access_key_id=x\naws_secret_access_key=hunter2\n[plant]\n${keys}`);
    await works(connect({ profile: 'plant' }));
    await fails(connect(), /does not accept the credentials.*InvalidAccessKeyId/);
    await fails(connect({ profile: 'other' }), /no usable credentials, profile "other"/);
  });

  it('are missed in clear words', async () => {
    await fails(
      connect(),
      /default credential chain has no usable credentials.*environment or the shared files/s,
    );
  });

  it('do not show the command of a process that failed to give them', async () => {
    await sharedFile('[plant]\ncredential_process = false --password=hunter2\n');
    await fails(connect({ profile: 'plant' }), /no usable credentials, profile "plant"/);
  });

  it('do not make a call wait for longer than it may', async () => {
    // The process outlives the test: it must end before those who wait for all tests lose patience.
    await sharedFile('[plant]\ncredential_process = sleep 20\n');
    const start = Date.now();
    await fails(connect({ profile: 'plant', requestTimeoutMs: 200 }), /20\d ms/, 'STORE_TIMEOUT');
    assert.ok(Date.now() - start < 19_000);
  });

  it('have a session token, which goes with each request', async () => {
    const seen: unknown[] = [];
    embedded.server.faults.add({
      kind: 'reset',
      match: ({ headers }) => {
        seen.push(headers['x-amz-security-token']);
        return false;
      },
    });
    const store = connect({ credentials: { ...CREDENTIALS, sessionToken: TOKEN } });
    await works(store);
    assert.deepEqual(seen, [TOKEN]);
    embedded.server.faults.clear();
    embedded.server.faults.add({
      kind: 'status',
      status: 400,
      code: 'ExpiredToken',
      message: `Token ${TOKEN} has expired`,
    });
    await fails(store, /ExpiredToken.*expired/);
  });

  describe('of a role', () => {
    let front: Server;
    let endpoint: string;
    let asked: URLSearchParams[];
    let answer: { status: number; body: string };

    // In front of the embedded server, which has no roles: a service that answers for them at the same address.
    before(async () => {
      front = createServer((incoming, response) => {
        if (incoming.method === 'POST' && incoming.url === '/') {
          void text(incoming).then((body) => {
            asked.push(new URLSearchParams(body));
            response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.body);
          });
          return;
        }
        const { method, url, headers } = incoming;
        const forwarded = request(embedded.server.url + (url ?? ''), { method, headers }, (reply) => {
          response.writeHead(reply.statusCode ?? 500, reply.headers);
          reply.pipe(response);
        });
        incoming.pipe(forwarded);
      });
      front.listen(0, '127.0.0.1');
      await new Promise((resolve) => front.once('listening', resolve));
      endpoint = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    });
    beforeEach(() => {
      asked = [];
      const expiration = new Date(Date.now() + 3_600_000).toISOString();
      answer = {
        status: 200,
        body:
          '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>' +
          `<AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey>` +
          `<SessionToken>${TOKEN}</SessionToken><Expiration>${expiration}</Expiration>` +
          '</Credentials></AssumeRoleResult></AssumeRoleResponse>',
      };
    });
    after(() => {
      front.closeAllConnections();
      front.close();
    });

    const credentials = { accessKeyId: 'caller', secretAccessKey: 'hunter2' };

    it('are asked for once, at the endpoint, with what the role needs', async () => {
      const store = connect({
        endpoint,
        credentials,
        role: { arn: ROLE, externalId: 'plant-7', sessionName: 'line-3' },
      });
      await works(store);
      await Promise.all([works(store), works(store)]);
      assert.equal(asked.length, 1);
      const parameters = Object.fromEntries(asked[0]!);
      assert.equal(parameters.Action, 'AssumeRole');
      assert.equal(parameters.RoleArn, ROLE);
      assert.equal(parameters.ExternalId, 'plant-7');
      assert.equal(parameters.RoleSessionName, 'line-3');
    });

    it('are asked for with the keys of the default chain, when there are no others', async () => {
      process.env.AWS_ACCESS_KEY_ID = 'caller';
      process.env.AWS_SECRET_ACCESS_KEY = 'hunter2';
      await works(connect({ endpoint, role: { arn: ROLE } }));
      assert.equal(asked[0]?.get('RoleSessionName'), 'node-red-contrib-s3-batch');
      assert.equal(asked[0].has('ExternalId'), false);
    });

    it('are refused in words that name the role', async () => {
      const code =
        '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>';
      answer = { status: 403, body: code };
      const store = connect({ endpoint, credentials, role: { arn: ROLE } });
      await fails(store, /role arn:aws:iam:::role\/archive could not be assumed.*not you.*trust policy/);
    });

    it('are as far away as the store', async () => {
      const away = connect({ endpoint: 'http://127.0.0.1:1', credentials, role: { arn: ROLE } });
      await fails(away, /role .* could not be assumed.*ECONNREFUSED/, 'STORE_UNREACHABLE');
    });
  });
});
