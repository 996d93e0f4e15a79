import assert from 'node:assert/strict';
import path from 'node:path';

import { mulberry32, weldMessages } from '../../demo/weld-messages';
import { BatchWriter } from '../../lib/batch';
import { Layout } from '../../lib/layout';
import { type Compression, encodeObject, type Framing } from '../../lib/object';
import {
  counted,
  fetchRecords,
  findObjects,
  noProgress,
  noTraffic,
  type ObjectMatch,
  type Query,
  requestsOf,
} from '../../lib/query';
import { RecordFlag } from '../../lib/record';
import type { ObjectStore } from '../../lib/store/object-store';
import { S3Store } from '../../lib/store/s3-store';
import { TestBuckets } from '../services/buckets';
import type { S3Access } from '../services/environment';
import { numberedMessages, ODD_KINDS } from '../services/numbered-messages';
import { recordsOf, type TestRecord } from '../support/records';
import { awsVariables, needsPackages, ROOT, run } from './python';

const SCRIPT = path.join(ROOT, 'test/python/read_archive.py');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** When weldMessages begins. */
const START = Date.UTC(2018, 9, 1, 17, 10, 35);

interface Told {
  object: string;
  key: string;
  series: string;
  topic: string;
  time: number;
  flags: number;
  payload: string;
}

interface Read {
  records: Told[];
  requests: number;
  bytes: number;
  /** Names of objects that could not be read, with the reason. */
  failed: Record<string, string>;
}

/** What both readers are asked. */
interface Asked {
  from?: number;
  to?: number;
  series?: string;
  /** What series begin with. */
  prefix?: string;
  /** In Python by ranges that could be fetched elsewhere. */
  ranges?: true;
}

/**
 * The reader in Python against the one in TypeScript: the same objects, the same records in the same order, the same
 * bytes, for the same requests.
 * @param run what bucket names of this run have and others have not
 */
export function readerSuite(name: string, start: () => Promise<S3Access>, runName: string): void {
  describe(`the Python reader on ${name}`, function () {
    this.timeout(120_000);
    let s3: S3Access;
    let store: S3Store;
    let buckets: TestBuckets;
    let cleanUp: (() => Promise<void>) | undefined;

    before(async function () {
      needsPackages(this, 'boto3');
      s3 = await start();
      buckets = new TestBuckets(s3);
      store = new S3Store({
        endpoint: s3.endpoint,
        region: s3.region,
        pathStyle: true,
        credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
        connectTimeoutMs: 5000,
        requestTimeoutMs: 15_000,
      });
      cleanUp = async () => {
        await buckets.removeAll();
        store.destroy();
      };
    });

    after(async () => {
      await cleanUp?.();
    });

    async function inPython(bucket: string, questions: readonly Asked[]): Promise<Read[]> {
      const input = questions.map((asked) => `${JSON.stringify(asked)}\n`).join('');
      const { code, stdout, stderr } = await run([SCRIPT, bucket], { env: awsVariables(s3), input });
      assert.equal(code, 0, stderr);
      const answers: Read[] = [];
      let records: Told[] = [];
      for (const line of stdout.split('\n').slice(0, -1)) {
        const told = JSON.parse(line) as Told | Omit<Read, 'records'>;
        if ('payload' in told) records.push(told);
        else {
          answers.push({ ...told, records });
          records = [];
        }
      }
      assert.equal(answers.length, questions.length);
      return answers;
    }

    async function sameAsTypeScript(
      bucket: string,
      layout: Layout,
      questions: readonly Asked[],
    ): Promise<Read[]> {
      const answers = await inPython(bucket, questions);
      for (const [number, answer] of answers.entries()) {
        const traffic = noTraffic();
        const expected = await inTypeScript(counted(store, traffic), layout, bucket, questions[number] ?? {});
        assert.deepEqual(answer.records, expected);
        assert.deepEqual(answer.failed, {});
        if (questions[number]?.ranges) continue;
        assert.ok(
          answer.requests <= requestsOf(traffic),
          `${answer.requests} requests: ${requestsOf(traffic)}`,
        );
        assert.ok(answer.bytes <= traffic.bytes, `${answer.bytes} bytes, in TypeScript ${traffic.bytes}`);
      }
      return answers;
    }

    const framings: Framing[] = ['newline', 'length', 'none'];
    const compressions: Compression[] = ['gzip', 'none'];
    for (const framing of framings) {
      for (const compression of compressions) {
        it(`gives the same records: framing ${framing}, compression ${compression}`, async () => {
          const bucket = `py-${framing}-${compression}-${runName}`;
          const layout = layoutOf(bucket);
          await buckets.create(bucket);
          await writePlant(store, layout, framing, compression);
          const device = { prefix: 'WELDING-STATION-7/' };
          const minute = { from: START + 3 * MINUTE, to: START + 4 * MINUTE };
          const [all, ofDevice, , , , none] = await sameAsTypeScript(bucket, layout, [
            {},
            device,
            { ...minute, series: 'WELDING-STATION-1/WELD/1' },
            { from: START - DAY, to: START - DAY + MINUTE, ...device },
            { ...minute, ...device, ranges: true },
            { series: 'WELDING-STATION-1' },
          ]);
          assert.equal(all?.records.length, MESSAGES);
          for (const flag of [RecordFlag.UNMATCHED_TOPIC, RecordFlag.ARRIVAL_TIME, RecordFlag.GUNZIPPED])
            assert.ok(all.records.some(({ flags }) => flags & flag));
          assert.ok(ofDevice && ofDevice.records.length > 30);
          assert.equal(none?.records.length, 0);
        });
      }
    }

    it('reads a large paged index, with attributes, without them, and without the map', async () => {
      const bucket = `py-large-${runName}`;
      await buckets.create(bucket);
      const list = scatteredRecords(90_000);
      const key = { template: 'A/T', timePosition: -1, timeFormat: 'iso', timeZone: 'UTC' };
      const format = { framing: 'length', compression: 'gzip', key, batch: 'large' } as const;
      const { body, attributes, contentType, indexLength } = await encodeObject(
        recordsOf(list, 'length'),
        format,
      );
      assert.ok(indexLength > 256 * 1024, `${indexLength} bytes of index`);
      const { 'map-pages': map, ...withoutMap } = attributes;
      const found: Told[][] = [];
      for (const [number, some] of [attributes, {}, withoutMap].entries()) {
        const name = `dt=2018-10-01/20181001T000000Z-20181001T235959Z-large${number}.bin.gz`;
        await store.put(bucket, name, body, { contentType, attributes: some });
        const asked = { series: 'device-3', from: START, to: START + 10 * MINUTE };
        const [answer] = await inPython(bucket, [asked]);
        assert.ok(answer);
        const { records, bytes } = answer;
        assert.deepEqual(records, await inTypeScript(store, layoutOf(bucket), bucket, asked));
        assert.ok(bytes < body.length / 4, `${bytes} of ${body.length} bytes`);
        found.push(records);
        await store.delete(bucket, name);
      }
      assert.ok(map === undefined || found[0]?.length);
      const wanted = list.filter(
        ({ series, time }) => series === 'device-3' && time >= START && time <= START + 10 * MINUTE,
      );
      assert.deepEqual(
        found.map((records) => records.map(({ payload }) => payload).sort()),
        found.map(() => wanted.map(({ payload }) => payload.toString('base64')).sort()),
      );
    });

    it('reads on when an object is foreign, damaged or without its sidecar, and tells of it', async () => {
      const bucket = `py-broken-${runName}`;
      const layout = layoutOf(bucket);
      await buckets.create(bucket);
      await writePlant(store, layout, 'newline', 'none');
      const [whole] = await inPython(bucket, [{}]);
      assert.ok(whole);
      const names = [...new Set(whole.records.map(({ object }) => object))];
      const [first = '', second = ''] = names;
      await store.delete(bucket, `${first}.index.gz`);
      const { size, attributes } = await store.head(bucket, second);
      const { bytes } = await store.getRange(bucket, second, { offset: 0, length: size });
      await store.put(bucket, second, Buffer.concat([bytes.subarray(1), Buffer.from('x')]), {
        contentType: 'application/x-ndjson',
        attributes,
      });
      const foreign = 'dt=2018-10-01/20181001T171035Z-20181001T171036Z-foreign.ndjson.gz';
      await store.put(bucket, foreign, Buffer.alloc(1000), {
        contentType: 'application/gzip',
        attributes: {},
      });
      const [{ records, failed } = whole] = await inPython(bucket, [{}]);
      assert.deepEqual(Object.keys(failed).sort(), [first, second, foreign].sort());
      assert.match(failed[first] ?? '', /^ForeignObject: .*no offset index/);
      assert.match(failed[second] ?? '', /^CorruptObject: /);
      assert.match(failed[foreign] ?? '', /^ForeignObject: /);
      assert.deepEqual(
        records,
        whole.records.filter(({ object }) => object !== first && object !== second),
      );
    });

    it('refuses an object that was replaced after its index was read', async () => {
      const bucket = `py-changed-${runName}`;
      await buckets.create(bucket);
      await writePlant(store, layoutOf(bucket), 'newline', 'gzip');
      const script = `
import sys; sys.path.insert(0, "examples/python")
import boto3
from offset_index import *
s3 = boto3.client("s3")
bucket = S3Bucket(s3, "${bucket}")
archive = Archive(bucket)
first = next(archive.find_objects())
part = archive.read_index(first.key).ranges()[0]
s3.put_object(Bucket=bucket.name, Key=first.key, Body=b"another")
try: fetch(bucket, part)
except ObjectChanged as error: print(error)
s3.delete_object(Bucket=bucket.name, Key=first.key)
try: archive.read_index(first.key)
except ObjectChanged as error: print(error)`;
      const { stdout, stderr } = await run(['-c', script], { env: awsVariables(s3) });
      assert.match(stdout, /was replaced while it was read.*\n.*is not there/, stderr);
    });

    it('says what to do about keys, buckets and addresses', async () => {
      const bucket = `py-none-${runName}`;
      const said = async (env: Record<string, string>): Promise<string> =>
        (await run([SCRIPT, bucket], { env: { ...awsVariables(s3), ...env }, input: '{}' })).stderr;
      assert.match(await said({}), /StoreError: there is no bucket py-none-.*check its name/);
      assert.match(await said({ AWS_SECRET_ACCESS_KEY: 'wrong' }), /StoreError: .*check the keys/);
      assert.match(await said({ AWS_ACCESS_KEY_ID: '' }), /StoreError: no keys: set AWS_ACCESS_KEY_ID/);
      assert.match(await said({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }), /StoreError: .*cannot be asked/);
    });

    it('lists a long range as one run of names, and no further than its end', async () => {
      const bucket = `py-days-${runName}`;
      const layout = layoutOf(bucket);
      await buckets.create(bucket);
      const writer = writerOf(store, layout, 'newline', 'gzip');
      for (let day = 0; day < 40; day++) {
        const [message] = weldMessages({ count: 1, start: START + day * DAY });
        assert.ok(message);
        writer.append(message.topic, message.payload, START);
      }
      await writer.flush();
      const [long, short] = await sameAsTypeScript(bucket, layout, [
        { from: START, to: START + 34 * DAY },
        { from: START + DAY, to: START + 3 * DAY },
      ]);
      // One listing, and for each object a HEAD that brings the index, and the range of its record.
      assert.deepEqual([long?.records.length, long?.requests], [35, 1 + 35 * 2]);
      assert.deepEqual([short?.records.length, short?.requests], [3, 3 + 3 * 2]);
    });
  });
}

async function inTypeScript(
  store: ObjectStore,
  layout: Layout,
  bucket: string,
  { from, to, series, prefix }: Asked,
): Promise<Told[]> {
  const query: Query = {
    bucket,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(series !== undefined && { series }),
    ...(prefix !== undefined && { seriesPrefix: prefix }),
  };
  const objects: ObjectMatch[] = [];
  for await (const match of findObjects(store, layout, query, noProgress())) objects.push(match);
  const told: Told[] = [];
  for await (const records of fetchRecords(store, objects)) {
    for (const { object, key, series, topic, time, flags, payload } of records) {
      told.push({ object: object.key, key, series, topic, time, flags, payload: payload.toString('base64') });
    }
  }
  return told;
}

function layoutOf(bucket: string): Layout {
  return new Layout({
    topic: 'ROOT/FORMAT/COMPRESSED/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION',
    key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    buckets: [{ topic: '#', bucket }],
    time: { source: 'field', field: 'weldspot.Timestamp', format: 'yyyyMMdd HHmmss', zone: 'UTC' },
  });
}

function writerOf(
  store: ObjectStore,
  layout: Layout,
  framing: Framing,
  compression: Compression,
): BatchWriter {
  return new BatchWriter(
    {
      layout,
      store,
      limits: { count: 400, bytes: 0, age: 0, idle: 0 },
      framing,
      compression,
      blockSize: 4096,
      uploads: 4,
      memory: 256 << 20,
      instance: 'test',
    },
    { stored: () => undefined, failed: (error) => assert.fail(error) },
  );
}

const MESSAGES = 1500;

/** Messages of every odd kind, records of the day before that come late, and topics that do not fit. */
async function writePlant(
  store: ObjectStore,
  layout: Layout,
  framing: Framing,
  compression: Compression,
): Promise<void> {
  const writer = writerOf(store, layout, framing, compression);
  for (const { topic, payload } of numberedMessages({
    plant: 'PLANT-7',
    count: 1000,
    kinds: ['plain', ...ODD_KINDS],
    unmatchedBucket: 'unmatched',
  }))
    writer.append(topic, payload, START);
  for (const { topic, payload } of weldMessages({ count: MESSAGES - 1000, plants: 1, start: START - DAY }))
    writer.append(topic, payload, START);
  await writer.flush();
}

/** Records whose times and lengths do not compress, so that the index is large. */
function scatteredRecords(count: number): TestRecord[] {
  const random = mulberry32(5);
  return Array.from({ length: count }, (_, n) => ({
    topic: `t/${n % 8}`,
    series: `device-${n % 8}`,
    time: START - 10 * MINUTE + Math.floor(random() * 60 * MINUTE),
    payload: Buffer.alloc(1 + random() * 250, `${n} `),
  }));
}
