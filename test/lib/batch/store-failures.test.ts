import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

import type { FaultKind } from '../../../embedded/s3-server';
import { startS3Server } from '../../../embedded/s3-server';
import { BatchWriter, type StoredObject } from '../../../lib/batch';
import type { ErrorCode, S3BatchError } from '../../../lib/errors';
import type { ObjectStore } from '../../../lib/store/object-store';
import { S3Store, type S3StoreOptions } from '../../../lib/store/s3-store';
import { KEYS, startTestStore, type TestStore } from '../../support/embedded';
import { FakeClock, until } from '../../support/fake-clock';
import { TestWriter } from './support';

describe('uploads to a real server', () => {
  let s3: TestStore;
  let store: S3Store;
  let impatient: S3Store;
  before(async () => {
    s3 = await startTestStore();
    await s3.createBucket('plant');
    store = storeAt({ endpoint: s3.server.url });
    impatient = storeAt({ endpoint: s3.server.url, requestTimeoutMs: 3000 });
  });
  after(async () => {
    store.destroy();
    impatient.destroy();
    await s3.stop();
  });
  afterEach(() => s3.server.faults.clear());

  function storeAt(options: Partial<S3StoreOptions>): S3Store {
    return new S3Store({
      region: KEYS.region,
      pathStyle: true,
      credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
      connectTimeoutMs: 10_000,
      // The SDK's own attempts at a busy store, with their pauses, end well within it.
      requestTimeoutMs: 20_000,
      ...options,
    });
  }

  function writerTo(target: ObjectStore) {
    const clock = new FakeClock();
    const stored: StoredObject[] = [];
    const failures: S3BatchError[] = [];
    const settings = { ...new TestWriter().settings, store: target };
    const writer = new BatchWriter(
      settings,
      { stored: (object) => stored.push(object), failed: (error) => failures.push(error) },
      clock,
    );
    return { clock, stored, failures, writer, settings };
  }

  async function linesOf({ bucket, key }: StoredObject): Promise<string[]> {
    const { bytes } = await store.getRange(bucket, key, { offset: 0, length: 1_000_000 });
    return gunzipSync(bytes).toString().trimEnd().split('\n');
  }

  const faults: [string, FaultKind, ErrorCode][] = [
    ['403', { kind: 'status', status: 403, code: 'AccessDenied' }, 'ACCESS_DENIED'],
    ['404 of the bucket', { kind: 'status', status: 404, code: 'NoSuchBucket' }, 'BUCKET_MISSING'],
    ['500', { kind: 'status', status: 500, code: 'InternalError' }, 'STORE_REFUSED'],
    ['503 SlowDown', { kind: 'status', status: 503, code: 'SlowDown' }, 'STORE_BUSY'],
    ['a silent store', { kind: 'hang' }, 'STORE_TIMEOUT'],
    ['a reset connection', { kind: 'reset' }, 'STORE_UNREACHABLE'],
    ['a reset after the object was stored', { kind: 'reset', when: 'after' }, 'STORE_UNREACHABLE'],
    ['500 after the object was stored', { kind: 'status', status: 500, when: 'after' }, 'STORE_REFUSED'],
  ];
  for (const [name, fault, code] of faults) {
    it(`survive ${name}: held, repeated, stored once`, async () => {
      const { clock, failures, writer } = writerTo(code === 'STORE_TIMEOUT' ? impatient : store);
      s3.server.faults.add(fault);
      for (let n = 0; n < 100; n++) writer.append('plant/a', Buffer.from(`{"case":"${name}","n":${n}}`), 1);
      const flushed = writer.flush();
      await until('a failure', () => failures.length === 1);
      assert.equal(failures[0]?.code, code, failures[0]?.message);
      assert.equal(writer.openRecords, 100);
      s3.server.faults.clear();
      await clock.pass(1000);
      const [object] = await flushed;
      assert.ok(object);
      assert.equal((await linesOf(object)).length, 100);
      let names = 0;
      for await (const page of store.list('plant'))
        names += page.objects.filter(({ key }) => key.includes(object.batch)).length;
      assert.equal(names, 1);
      assert.equal(writer.counts.stored, 100);
    });
  }

  it('survive a server that is away, and go on when it is back', async () => {
    const folder = `${s3.folder}-away`;
    const options = { folder, ...KEYS };
    let server = await startS3Server(options);
    const { port } = server;
    const target = storeAt({ endpoint: server.url });
    const { clock, failures, writer, stored } = writerTo(target);
    try {
      await server.stop();
      for (let n = 0; n < 3; n++) {
        writer.append('plant/a', Buffer.from(String(n)), 1);
        writer.sealAll('flush');
      }
      await until('a failure', () => failures.length === 1);
      assert.equal(failures[0]?.code, 'STORE_UNREACHABLE');
      server = await startS3Server({ ...options, port });
      // The bucket is not there yet: an answer, which ends the pause of the store.
      await clock.pass(1000);
      await until('all told', () => failures.length === 4);
      assert.deepEqual(
        failures.slice(1).map((error) => error.code),
        ['BUCKET_MISSING', 'BUCKET_MISSING', 'BUCKET_MISSING'],
      );
      assert.equal(stored.length, 0);
    } finally {
      target.destroy();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('survive wrong TLS and wrong keys, and go on with the right connection', async () => {
    const wrong: [S3Store, ErrorCode][] = [
      [storeAt({ endpoint: s3.server.url.replace('http:', 'https:') }), 'STORE_TLS'],
      [
        storeAt({
          endpoint: s3.server.url,
          credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: 'wrong-secret' },
        }),
        'CREDENTIALS_INVALID',
      ],
    ];
    for (const [target, code] of wrong) {
      const { failures, writer, settings } = writerTo(target);
      writer.append('plant/a', Buffer.from(`"${code}"`), 1);
      const flushed = writer.flush();
      await until('a failure', () => failures.length === 1);
      assert.equal(failures[0]?.code, code, failures[0]?.message);
      writer.configure({ ...settings, store });
      const [object] = await flushed;
      assert.ok(object);
      assert.deepEqual(await linesOf(object), [`"${code}"`]);
      target.destroy();
    }
  });
});
