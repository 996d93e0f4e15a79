import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { deflateSync, gzipSync } from 'node:zlib';

import fc from 'fast-check';
import type { NodeMessage } from 'node-red';

import { RecordFlag } from '../../lib/record';
import { startTestStore, type TestStore } from '../support/embedded';
import {
  batchFlush,
  batchOut,
  catchAll,
  connection,
  rangeIn,
  sink,
  tab,
  weldingLayout,
} from '../support/flow';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { linesOf, objectsIn, recordsIn } from './archive';

/** One bucket for everything, and nothing asked of payloads. */
const PLAIN = {
  topic: '',
  timeSource: 'arrival',
  key: '',
  partition: 'none',
  objectName: '{{batch}}{{extension}}',
};

interface CaughtMessage extends NodeMessage {
  error: { message: string; code: string };
}

describe('s3-batch-out: records', () => {
  const runner = useFlows();
  let embedded: TestStore;
  let buckets = 0;
  let bucket = '';
  before(async () => {
    embedded = await startTestStore();
  });
  after(() => embedded.stop());
  beforeEach(async () => {
    bucket = `records-${++buckets}`;
    await embedded.createBucket(bucket);
  });

  const toBucket = (): Record<string, unknown> => ({ buckets: [{ topic: '#', bucket }] });

  /** A flow that stores into the test's bucket and answers with the records. */
  async function load(
    layout: Record<string, unknown>,
    out: Record<string, unknown> = {},
  ): Promise<FlowRunner> {
    await runner.current.load([
      tab(),
      connection(embedded.server.url),
      weldingLayout({ ...toBucket(), ...layout }),
      batchOut(out, 'sink'),
      batchFlush({}, 'flushed'),
      rangeIn({ payload: 'buffer' }, 'restored'),
      catchAll('caught'),
      sink(),
      sink('flushed'),
      sink('restored'),
      sink('caught'),
    ]);
    return runner.current;
  }

  async function stored(flow: FlowRunner) {
    assert.equal(await flow.send('flush', {}), undefined);
    return recordsIn(embedded.store, bucket);
  }

  describe('payloads', () => {
    const kinds: [string, unknown, Buffer | string][] = [
      ['a Buffer', Buffer.from([0, 255, 10, 13, 0]), Buffer.from([0, 255, 10, 13, 0])],
      ['an empty Buffer', Buffer.alloc(0), ''],
      ['text', 'Grüße, 溶接 🔥', Buffer.from('Grüße, 溶接 🔥')],
      ['empty text', '', ''],
      ['an object', { a: [1, 'ü', null], b: { c: true } }, '{"a":[1,"ü",null],"b":{"c":true}}'],
      ['an array', [1, 2], '[1,2]'],
      ['a number', 0.5, '0.5'],
      ['zero', 0, '0'],
      ['true', true, 'true'],
      ['false', false, 'false'],
      ['a Uint8Array', new Uint8Array([1, 2, 254]), Buffer.from([1, 2, 254])],
      ['a part of a Uint8Array', new Uint8Array([1, 2, 254, 3]).subarray(1, 3), Buffer.from([2, 254])],
      ['an ArrayBuffer', new Uint8Array([1, 2, 254]).buffer, Buffer.from([1, 2, 254])],
      // As a function node makes it, in a context of its own.
      ["a function node's Uint8Array", runInNewContext('new Uint8Array([1, 2])'), Buffer.from([1, 2])],
      ["a function node's ArrayBuffer", runInNewContext('new Uint8Array([7]).buffer'), Buffer.from([7])],
    ];
    for (const framing of ['newline', 'length', 'none']) {
      it(`are stored byte for byte, framing ${framing}`, async () => {
        const flow = await load(PLAIN, { framing });
        for (const [kind, payload] of kinds) {
          assert.equal(await flow.send('out', { topic: `kinds/${kind}`, payload }), undefined, kind);
        }
        const records = await stored(flow);
        assert.equal(records.length, kinds.length);
        for (const [kind, , expected] of kinds) {
          const record = records.find(({ topic }) => topic === `kinds/${kind}`);
          assert.deepEqual(record?.payload, Buffer.from(expected), kind);
        }
      });
    }

    it('are copied: a flow that writes to its Buffer later changes nothing', async () => {
      const flow = await load(PLAIN);
      const payload = Buffer.from('before');
      await flow.send('out', { topic: 't', payload });
      payload.fill('x');
      assert.deepEqual(
        (await stored(flow)).map((record) => record.payload.toString()),
        ['before'],
      );
    });

    it('of any bytes are lines of JSON, and come back exactly from s3-range-in', async () => {
      const flow = await load(PLAIN);
      const jsonLines = fc
        .json()
        .map((json) => Buffer.from(JSON.stringify(JSON.parse(json) as unknown, null, '\r\n')));
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        jsonLines,
      );
      const text = fc.string({ unit: 'binary' }).map((value) => Buffer.from(value));
      const random = fc.sample(fc.oneof(bytes, text), { numRuns: 300, seed: 7 });
      const chosen = [
        '{"a":1}\n',
        '[1,\r\n2]',
        '\ufeff{}',
        '"\u2028"',
        '{"a":1}{"b":2}',
        '\n',
        'nul\0',
        ' 1 ',
        '01',
      ];
      const payloads = [...random, ...chosen.map((one) => Buffer.from(one)), Buffer.from([0xc3, 0x28])];
      for (const [number, payload] of payloads.entries())
        assert.equal(await flow.send('out', { topic: `t/${number}`, payload }), undefined);
      assert.equal(await flow.send('flush', {}), undefined);

      const [object] = await objectsIn(embedded.store, bucket);
      assert.ok(object);
      const lines = linesOf(object);
      assert.equal(lines.length, payloads.length);
      for (const line of lines) JSON.parse(line);

      await flow.send('range', { bucket, key: object.key });
      const restored = await flow.receives('restored', payloads.length);
      assert.equal(restored.length, payloads.length);
      for (const { topic, payload } of restored)
        assert.deepEqual(payload, payloads[Number(String(topic).slice(2))], String(topic));
    });
  });

  describe('messages that cannot be stored', () => {
    const cyclic: Record<string, unknown> = { name: 'cyclic' };
    cyclic.self = cyclic;
    const deep: unknown[] = [];
    for (let at = deep, depth = 0; depth < 20_000; depth++) {
      const next: unknown[] = [];
      at.push(next);
      at = next;
    }
    const cases: [string, object, string, RegExp][] = [
      ['without a payload', { topic: 't' }, 'PAYLOAD_MISSING', /no payload: set msg\.payload/],
      ['with null', { topic: 't', payload: null }, 'PAYLOAD_MISSING', /no payload/],
      ['with a cyclic object', { topic: 't', payload: cyclic }, 'PAYLOAD_INVALID', /circular/],
      ['with a BigInt', { topic: 't', payload: { big: 1n } }, 'PAYLOAD_INVALID', /BigInt/],
      ['with a function', { topic: 't', payload: () => 1 }, 'PAYLOAD_INVALID', /type function/],
      ['without a topic', { payload: 'x' }, 'TOPIC_MISSING', /no topic.*set msg\.topic/],
      ['with an empty topic', { topic: '', payload: 'x' }, 'TOPIC_MISSING', /no topic/],
      ['with a topic that is no text', { topic: 5, payload: 'x' }, 'TOPIC_MISSING', /no topic/],
    ];
    for (const [what, message, code, text] of cases) {
      it(`${what}: ${code}, which a catch node gets`, async () => {
        const flow = await load(PLAIN);
        const error = await flow.send('out', message);
        assert.equal((error as { code?: string }).code, code);
        assert.ok(error instanceof Error);
        assert.match(error.message, text);
        const [caught] = (await flow.receives('caught', 1)) as CaughtMessage[];
        assert.equal(caught?.error.code, code);
        assert.match(caught.error.message, text);
        assert.deepEqual(await stored(flow), []);
      });
    }

    it('nested too deeply: PAYLOAD_INVALID', async () => {
      // Without a catch node: it would clone the message, which is too deep for that as well.
      const flow = runner.current;
      const layout = weldingLayout({ ...PLAIN, ...toBucket() });
      await flow.load([tab(), connection(embedded.server.url), layout, batchOut()]);
      const error = await flow.send('out', { topic: 't', payload: deep });
      assert.equal((error as { code?: string }).code, 'PAYLOAD_INVALID');
    });

    it('larger than the memory: MESSAGE_TOO_LARGE; the others are stored', async () => {
      const flow = await load(PLAIN, { memory: '0.1' });
      const error = await flow.send('out', { topic: 't', payload: Buffer.alloc(110_000) });
      assert.equal((error as { code?: string }).code, 'MESSAGE_TOO_LARGE');
      assert.match(error?.message ?? '', /more than the 104858 bytes/);
      assert.equal(await flow.send('out', { topic: 't', payload: 'small' }), undefined);
      assert.equal((await stored(flow)).length, 1);
      const { received, refused, stored: count } = flow.counts;
      assert.deepEqual({ received, refused, count }, { received: 2, refused: 1, count: 1 });
    });
  });

  describe('what does not fit the layout', () => {
    it('a topic: stored under the fallback name, flagged and counted', async () => {
      const flow = await load({
        buckets: [{ topic: '#', bucket: '{{PLANT-ID}}' }],
        unmatchedBucket: bucket,
        objectName: '{{DEVICE-ID}}/{{batch}}{{extension}}',
      });
      for (const topic of ['other', 'ROOT/JSON', '/', 'ROOT/JSON/NONE/P/D/WELD/1/more'])
        assert.equal(await flow.send('out', { topic, payload: '{}' }), undefined);
      const records = await stored(flow);
      assert.equal(records.length, 4);
      for (const record of records) {
        assert.match(record.object, /^unmatched\//);
        assert.ok(record.flags & RecordFlag.UNMATCHED_TOPIC);
      }
      assert.equal(flow.counts.unmatchedTopic, 4);
    });

    it('a time: the time of arrival is taken, flagged and counted', async () => {
      const flow = await load({});
      const topic = 'ROOT/JSON/NONE/P/D/WELD/1';
      const hopeless = [
        '{"weldspot":{"Timestamp":"yesterday"}}',
        '{"weldspot":{"Timestamp":"20181301 000000"}}',
        '{"weldspot":{}}',
        '{"weldspot":{"Timestamp":null}}',
        'no JSON at all',
        '{"weldspot":{"Timestamp":"20181001 171035"',
      ];
      const before = Date.now();
      for (const payload of hopeless) assert.equal(await flow.send('out', { topic, payload }), undefined);
      const good = '{"weldspot":{"Timestamp":"20181001 171035"}}';
      assert.equal(await flow.send('out', { topic, payload: good }), undefined);
      const after = Date.now();
      const records = await stored(flow);
      const late = records.filter(({ flags }) => flags & RecordFlag.ARRIVAL_TIME);
      assert.deepEqual(late.map(({ payload }) => payload.toString()).sort(), hopeless.toSorted());
      for (const { time } of late) assert.ok(time >= before && time <= after);
      const [exact] = records.filter(({ flags }) => !(flags & RecordFlag.ARRIVAL_TIME));
      assert.equal(exact?.time, Date.UTC(2018, 9, 1, 17, 10, 35));
      assert.equal(exact.payload.toString(), good);
      assert.equal(flow.counts.arrivalTime, hopeless.length);
    });

    it('levels of any text make names that S3 takes, and the topics come back', async () => {
      const flow = await load({
        buckets: [{ topic: '#', bucket }],
        objectName: '{{PLANT-ID}}/{{DEVICE-ID}}/{{batch}}{{extension}}',
      });
      const levels = [
        '..',
        '.',
        '',
        ' ',
        'a\u0000b',
        'tab\t',
        'line\nbreak',
        'Grüße 🔥',
        '%2F',
        '\\',
        'x'.repeat(1000),
      ];
      for (const level of levels) {
        const topic = `ROOT/JSON/NONE/${level}/${level}/WELD/1`;
        assert.equal(await flow.send('out', { topic, payload: '{}' }), undefined, level);
      }
      const records = await stored(flow);
      assert.deepEqual(
        records.map(({ topic }) => topic).sort(),
        levels.map((level) => `ROOT/JSON/NONE/${level}/${level}/WELD/1`).sort(),
      );
      const names = records.map(({ object }) => object);
      assert.equal(new Set(names).size, levels.length);
      for (const name of names) {
        assert.ok(Buffer.byteLength(name) <= 1000);
        assert.match(name, /^[\x21-\x7e]+$/);
        assert.ok(!name.split('/').some((part) => ['', '.', '..'].includes(part)), name);
      }
    });

    it('a topic as the name of a bucket: each gets a valid one', async () => {
      const flow = await load({ ...PLAIN, buckets: [] });
      const names = {
        'plant/7': /^plant-7$/,
        'Plant_7/Übung': /^plant-7-bung-[0-9a-f]{8}$/,
        x: /^x-[0-9a-f]{8}$/,
      };
      for (const topic of Object.keys(names)) await flow.send('out', { topic, payload: '1' });
      await flow.until('the open batches to be shown', () => flow.shown.batches.length === 3);
      const buckets = flow.shown.batches.map((batch) => batch.bucket);
      for (const [number, name] of Object.values(names).entries()) assert.match(buckets[number] ?? '', name);
      for (const name of buckets) await embedded.createBucket(name);
      assert.equal(await flow.send('flush', {}), undefined);
    });
  });

  describe('compressed payloads', () => {
    const plain = Buffer.from('{"weldspot":{"Timestamp":"20181001 171035"}}');
    const gzipTopic = 'ROOT/JSON/GZIP/P/D/WELD/1';
    const zlibTopic = 'ROOT/JSON/zlib/P/D/WELD/1';

    it('are decompressed', async () => {
      const flow = await load({});
      await flow.send('out', { topic: gzipTopic, payload: gzipSync(plain) });
      await flow.send('out', { topic: zlibTopic, payload: deflateSync(plain) });
      const records = await stored(flow);
      assert.equal(records.length, 2);
      for (const { payload, time, topic, flags } of records) {
        assert.deepEqual(payload, plain);
        assert.equal(time, Date.UTC(2018, 9, 1, 17, 10, 35));
        const flag = topic === gzipTopic ? RecordFlag.GUNZIPPED : RecordFlag.INFLATED;
        assert.ok(flags & flag);
      }
    });

    it('are kept as they came when they are none, or larger than the limit; flagged and counted', async () => {
      const flow = await load({ decompressLimit: '0.1' });
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      const broken = Buffer.from('not compressed');
      const began = process.memoryUsage().rss;
      await flow.send('out', { topic: gzipTopic, payload: bomb });
      assert.ok(process.memoryUsage().rss - began < 40_000_000);
      await flow.send('out', { topic: zlibTopic, payload: broken });
      const records = await stored(flow);
      assert.equal(records.length, 2);
      for (const { payload, topic, flags } of records) {
        assert.ok(flags & RecordFlag.NOT_DECOMPRESSED);
        assert.deepEqual(payload, topic === gzipTopic ? bomb : broken);
      }
      assert.equal(flow.counts.notDecompressed, 2);
    });

    it('stay compressed when the layout says so', async () => {
      const flow = await load({ decompress: false });
      const payload = gzipSync(plain);
      await flow.send('out', { topic: gzipTopic, payload });
      const [record] = await stored(flow);
      assert.deepEqual(record?.payload, payload);
      assert.equal(record.flags & (RecordFlag.GUNZIPPED | RecordFlag.NOT_DECOMPRESSED), 0);
    });
  });
});
