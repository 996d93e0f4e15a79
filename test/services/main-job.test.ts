import assert from 'node:assert/strict';

import { TestBuckets } from './buckets';
import { mqttUrl, RUN, s3Access } from './environment';
import { type Kind, type NumberedMessage, numberedMessages, ODD_KINDS } from './numbered-messages';
import { Plant, type QueriedRecord, type ToldObject } from './plant';
import { assertEachOnce, listWithS3cmd, type Scan, scanBuckets } from './scan';

const MESSAGES = 12_000;
/** Most come from one plant, so that its batch is sealed by its count before anybody flushes it. */
const SHARES = { first: 10_600, second: 800, odd: 600 };
const PLANTS = { first: `PLANT-${RUN}-1`, second: `PLANT-${RUN}-2`, odd: `PLANT-${RUN}-3` };
const UNMATCHED = `unmatched-${RUN}`;
const BUCKETS = [...Object.values(PLANTS).map((plant) => plant.toLowerCase()), UNMATCHED];
/** Bytes of all names and values, the names as they are sent: the limit of AWS. */
const ATTRIBUTES_LIMIT = 2048;

describe('The main job on Mosquitto and Ceph RGW', () => {
  const s3 = s3Access();
  const buckets = new TestBuckets(s3);
  const messages = publishedMessages();
  const cleanups = [() => buckets.removeAll()];
  let plant: Plant;
  let flushed: ToldObject[] = [];
  let scan: Scan;

  before(async () => {
    for (const bucket of BUCKETS) await buckets.create(bucket);
    plant = await Plant.start({ s3, mqttUrl: mqttUrl(), unmatchedBucket: UNMATCHED });
    cleanups.push(() => plant.remove());
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  it('takes 12,000 messages and stores them: 10,000 by their count, the others by a flush', async () => {
    await plant.publish(messages);
    await plant.received(MESSAGES);
    flushed = await plant.flush();
    await plant.until('every record to be stored', async () => (await plant.counts()).stored === MESSAGES);
    const { objects, errors } = await plant.told();
    assert.deepEqual(errors, []);
    assert.equal(sum(objects.map(({ count }) => count)), MESSAGES);
    assert.equal(Math.max(...objects.map(({ count }) => count)), 10_000);
    const unflushed = objects.filter(({ key }) => !flushed.some((object) => object.key === key));
    assert.ok(unflushed.every(({ count }) => count === 10_000));
  });

  it('counts what did not fit or had no usable time', async () => {
    const { refused, unmatchedTopic, arrivalTime, notDecompressed } = await plant.counts();
    assert.deepEqual(
      { refused, unmatchedTopic, arrivalTime, notDecompressed },
      {
        refused: 0,
        unmatchedTopic: ofKind(messages, 'other topic').length,
        arrivalTime: messages.filter(({ time }) => time === undefined).length,
        notDecompressed: ofKind(messages, 'no gzip').length,
      },
    );
  });

  describe('what is stored, to tools that know nothing of the index (boto3, zcat)', () => {
    before(async () => {
      scan = await scanBuckets(s3, BUCKETS, { tools: true });
    });

    it('has every message exactly once', () => {
      assertEachOnce(scan.numbers, messages);
      const linesOf = (bucket: string): string[] =>
        scan.objects.filter((object) => object.bucket === bucket).flatMap(({ lines }) => lines);
      for (const bucket of BUCKETS.slice(0, 2)) {
        const wanted = messages.filter((message) => message.bucket === bucket).map(({ content }) => content);
        assert.deepEqual(linesOf(bucket).sort(), wanted.map(String).sort(), `lines in ${bucket}`);
      }
    });

    it('tells of each object what it holds', async () => {
      const { objects } = await plant.told();
      assert.deepEqual(
        scan.objects.map(({ bucket, key, size, lines }) => ({
          bucket,
          key,
          bytes: size,
          count: lines.length,
        })),
        inOrder(objects.map(({ bucket, key, bytes, count }) => ({ bucket, key, bytes, count }))),
      );
    });

    it('is listed by s3cmd as by boto3', async () => {
      const listed = (await Promise.all(BUCKETS.map((bucket) => listWithS3cmd(s3, bucket)))).flat();
      assert.deepEqual(
        inOrder(listed),
        scan.objects.map(({ bucket, key, size }) => ({ bucket, key, size })),
      );
    });

    it('is NDJSON to DuckDB', function () {
      if (scan.duckdb === null) skipWithout(this, 'duckdb');
      assert.deepEqual(
        scan.objects.map(({ key, duckdb }) => ({ key, rows: duckdb })),
        scan.objects.map(({ key, lines }) => ({ key, rows: lines.length })),
      );
    });

    it('is NDJSON to pandas', function () {
      if (scan.pandas === null) skipWithout(this, 'pandas');
      assert.deepEqual(
        scan.objects.map(({ key, pandas }) => ({ key, rows: pandas })),
        scan.objects.map(({ key, lines }) => ({ key, rows: lines.length })),
      );
    });

    it('has attributes that tell count, times, index and map within 2 KB', async () => {
      const { objects } = await plant.told();
      for (const { bucket, key, contentType, contentEncoding, attributes, lines, size } of scan.objects) {
        const told = objects.find((object) => object.bucket === bucket && object.key === key);
        assert.equal(contentType, 'application/gzip');
        assert.equal(contentEncoding, null);
        assert.equal(attributes.format, 's3-batch/1');
        assert.equal(attributes.count, String(lines.length));
        assert.equal(attributes.framing, 'newline');
        assert.equal(attributes.key, 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp');
        assert.deepEqual([attributes.first, attributes.last], [told?.first, told?.last]);
        const [offset = NaN, length = NaN] = (attributes.index ?? '').split(',').map(Number);
        assert.ok(offset > 0 && length > 0 && offset + length <= size, `the index of ${key} lies in it`);
        assert.ok(
          Object.keys(attributes).some((name) => name.startsWith('map-')),
          `${key} has a map`,
        );
        const total = sum(
          Object.entries(attributes).map(([name, value]) => `x-amz-meta-${name}${value}`.length),
        );
        assert.ok(total <= ATTRIBUTES_LIMIT, `${total} bytes of attributes`);
      }
      const welded = messages
        .filter((message) => message.bucket === BUCKETS[0])
        .map(({ time = NaN }) => time);
      const ofFirst = scan.objects
        .filter(({ bucket }) => bucket === BUCKETS[0])
        .map((object) => object.attributes);
      assert.equal(ofFirst.map(({ first }) => first).sort()[0], new Date(Math.min(...welded)).toISOString());
      assert.equal(
        ofFirst
          .map(({ last }) => last)
          .sort()
          .at(-1),
        new Date(Math.max(...welded)).toISOString(),
      );
    });
  });

  describe('a query', () => {
    const station = 'WELDING-STATION-7';
    const levels = { 'PLANT-ID': PLANTS.first, 'DEVICE-ID': station };

    /** Asks for a station and a minute, and compares with what was published. */
    const askMinute = async (from: number) => {
      const query = { levels, from, to: from + 59_999 };
      const wanted = messages.filter(
        (message) =>
          message.bucket === BUCKETS[0] &&
          message.station === station &&
          message.time !== undefined &&
          message.time >= query.from &&
          message.time <= query.to,
      );
      assert.ok(wanted.length > 20, 'the question has an answer worth asking for');
      const { plan, records } = await plant.query(query);
      assertSame(records, wanted);
      assert.equal(plan.records, wanted.length);
      assert.deepEqual(plan.failed, []);
      return { query, plan };
    };

    it('brings one device and one minute, byte for byte, for a few requests and bytes', async () => {
      const { plan } = await askMinute(messages[3000]?.time ?? NaN);
      assert.equal(plan.objects.matching, 1);
      // One HEAD or page of the list, the index, one range of records.
      assert.ok(plan.asked.requests >= 1 && plan.asked.requests <= 6, `asked ${plan.asked.requests} times`);
      assert.equal(plan.toFetch.requests, 1);
      assert.ok(plan.toFetch.bytes > 0);
      const cost = plan.asked.bytes + plan.toFetch.bytes;
      assert.ok(cost < plan.download / 4, `${cost} of ${plan.download} bytes`);
    });

    it('brings a minute that lies in two objects', async () => {
      const { plan } = await askMinute((messages[10_000]?.time ?? NaN) - 30_000);
      assert.equal(plan.objects.matching, 2);
    });

    it('tells the same plan without fetching', async () => {
      const { query, plan } = await askMinute(messages[5000]?.time ?? NaN);
      assert.deepEqual(await plant.plan(query), plan);
    });

    it('brings the records of one key, and there may be several', async () => {
      const groups = new Map<string, NumberedMessage[]>();
      for (const message of messages.filter(({ bucket }) => bucket === BUCKETS[0])) {
        const key = `${message.station}/WELD/1/${keyTime(message.time)}`;
        groups.set(key, [...(groups.get(key) ?? []), message]);
      }
      const [key, wanted] = [...groups].find(([, group]) => group.length > 2) ?? ['', []];
      const { plan, records } = await plant.query({ levels: { 'PLANT-ID': PLANTS.first }, key });
      assertSame(records, wanted);
      assert.deepEqual(new Set(records.map((record) => record.key)), new Set([key]));
      assert.equal(plan.records, wanted.length);
    });

    it('answers nothing for a device that never welded', async () => {
      const { plan, records } = await plant.query({
        levels: { ...levels, 'DEVICE-ID': 'WELDING-STATION-99' },
      });
      assert.deepEqual(records, []);
      assert.equal(plan.toFetch.bytes, 0);
    });

    it('brings every message back as it was published, whatever it held', async () => {
      for (const bucket of BUCKETS) {
        const { records } = await plant.query({ bucket });
        assertSame(
          records,
          messages.filter((message) => message.bucket === bucket),
        );
      }
    });
  });
});

function publishedMessages(): NumberedMessage[] {
  const { first, second, odd } = SHARES;
  return [
    ...numberedMessages({ plant: PLANTS.first, count: first }),
    ...numberedMessages({ plant: PLANTS.second, count: second, from: first }),
    ...numberedMessages({
      plant: PLANTS.odd,
      count: odd,
      from: first + second,
      kinds: ['plain', ...ODD_KINDS],
      unmatchedBucket: UNMATCHED,
    }),
  ];
}

function ofKind(messages: readonly NumberedMessage[], kind: Kind): NumberedMessage[] {
  return messages.filter((message) => message.kind === kind);
}

/** The time as it stands in offset keys: in the layout's format. */
function keyTime(time = NaN): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', ' ');
}

/** Both must be the same messages, each as often; an object has its own order. */
function assertSame(records: readonly QueriedRecord[], messages: readonly NumberedMessage[]): void {
  const found = records.map(({ topic, payload }) => `${topic} ${payload}`);
  const wanted = messages.map(({ topic, content }) => `${topic} ${content.toString('base64')}`);
  assert.deepEqual(found.sort(), wanted.sort());
}

/** As S3 lists: by bucket in the order that they were asked for, then by the bytes of the keys. */
function inOrder<T extends { bucket: string; key: string }>(objects: readonly T[]): T[] {
  return [...objects].sort(
    (a, b) => BUCKETS.indexOf(a.bucket) - BUCKETS.indexOf(b.bucket) || (a.key < b.key ? -1 : 1),
  );
}

function skipWithout(test: Mocha.Context, name: string): void {
  console.warn(
    `      skipped: no ${name} for Python (pip install ${name}; PYTHON names another interpreter)`,
  );
  test.skip();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
