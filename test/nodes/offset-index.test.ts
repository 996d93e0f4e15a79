import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { gunzipSync } from 'node:zlib';

import type { NodeMessage } from 'node-red';

import type { Entry, ObjectMatch } from '../../lib/query';
import { startTestStore } from '../support/embedded';
import {
  batchOut,
  catchAll,
  connection,
  offsetIndex,
  onTab,
  rangeIn,
  sink,
  tab,
  weldingLayout,
} from '../support/flow';
import type { FlowNode } from '../support/node-red-process';
import { type FlowRunner, useFlows } from '../support/node-red-helper';
import { objectsIn, weld } from './archive';
import { copyTwice, inOrder, type Spot, startWeldingArchive, type WeldingArchive } from './welding-archive';

interface Plan {
  objects: Record<string, number>;
  failed: { bucket: string; key: string; code: string; message: string }[];
  records: number;
  candidates?: number;
  duplicates?: number;
  asked: { requests: number; bytes: number };
  toFetch: { requests: number; bytes: number };
  download: number;
}

interface Answer {
  plan: Plan;
  objects: ObjectMatch[];
}

const entriesOf = (objects: readonly ObjectMatch[]): Entry[] =>
  objects.flatMap(({ blocks }) => blocks.flatMap(({ entries }) => entries));

describe('offset-index', () => {
  const runner = useFlows();
  let archive: WeldingArchive;
  before(async () => {
    archive = await startWeldingArchive();
  });
  after(() => archive.stop());

  async function load(settings: Record<string, unknown> = {}, ...more: FlowNode[]): Promise<FlowRunner> {
    const flow = runner.current;
    await flow.load([
      tab(),
      connection(archive.server.url),
      weldingLayout(),
      offsetIndex(settings, 'sink'),
      catchAll('caught'),
      sink(),
      sink('caught'),
      ...more,
    ]);
    return flow;
  }

  async function ask(flow: FlowRunner, message: object): Promise<NodeMessage & { payload: Answer }> {
    const before = flow.received('sink').length;
    assert.equal(await flow.send('index', message), undefined);
    return (await flow.receives('sink', before + 1)).at(-1) as NodeMessage & { payload: Answer };
  }

  const keysOf = (spots: readonly Spot[]): string[] => inOrder(spots).map(({ key }) => key);

  describe('of one object', () => {
    it('tells attributes, and where each record lies, to the byte', async () => {
      const flow = await load({ layout: '' });
      const [name = ''] = archive.names['plant-a'] ?? [];
      const { payload, shift } = await ask(flow, { bucket: 'plant-a', key: name, shift: 7 });
      assert.equal(shift, 7);
      const [object] = payload.objects;
      assert.ok(object);
      const head = await archive.store.head('plant-a', name);
      const { blocks, ...rest } = object;
      assert.deepEqual(rest, {
        bucket: 'plant-a',
        key: name,
        etag: head.etag,
        size: head.size,
        count: 20,
        first: Date.UTC(2018, 9, 1, 17),
        last: Date.UTC(2018, 9, 1, 17, 9),
        framing: 'newline',
        compression: 'gzip',
        attributes: head.attributes,
      });
      const expected = inOrder(
        archive.spots.filter(({ plant, time }) => plant === 'plant-a' && time <= rest.last),
      );
      assert.equal(expected.length, 20);
      const found: object[] = [];
      for (const { offset, length, size, entries } of blocks) {
        const { bytes } = await archive.store.getRange('plant-a', name, { offset, length });
        const plain = gunzipSync(bytes);
        assert.equal(plain.length, size);
        for (const { key, topic, series, time, start, length: bytesOf, flags } of entries) {
          const line = plain.toString('utf8', start, start + bytesOf);
          assert.equal(flags, 0);
          assert.ok(key.startsWith(`${series}/`));
          found.push({ key, topic, time, payload: line.slice(0, -1) });
        }
      }
      assert.deepEqual(
        found,
        expected.map(({ key, topic, time, payload: line }) => ({ key, topic, time, payload: line })),
      );
      assert.equal(payload.plan.records, 20);
      assert.equal(flow.status('index').text, 'offset-index.status.found');
    });

    it('takes bucket and name from the dialogue, too', async () => {
      const [name = ''] = archive.names['plant-b'] ?? [];
      const flow = await load({ bucket: 'plant-b', bucketType: 'str', key: name, keyType: 'str' });
      const { payload } = await ask(flow, { bucket: 'plant-a', key: 'x' });
      assert.equal(payload.objects[0]?.bucket, 'plant-b');
    });

    it('with the rest of the query: only matching records', async () => {
      const [name = ''] = archive.names['plant-a'] ?? [];
      const flow = await load({ levels: [{ level: 'DEVICE-ID', value: 'D2', valueType: 'str' }] });
      const from = '2018-10-01T17:08:00Z';
      const { payload } = await ask(flow, { bucket: 'plant-a', key: name, from });
      assert.deepEqual(
        entriesOf(payload.objects).map(({ key }) => key),
        ['D2/WELD/1/20181001 170800', 'D2/WELD/1/20181001 170900'],
      );
    });

    it('that is missing: OBJECT_MISSING; a missing bucket: BUCKET_MISSING', async () => {
      const flow = await load();
      for (const [bucket, code] of [
        ['plant-a', 'OBJECT_MISSING'],
        ['plant-zzz', 'BUCKET_MISSING'],
      ] as const) {
        const error = await flow.send('index', { bucket, key: 'no/such' });
        assert.equal((error as { code?: string }).code, code);
        assert.deepEqual(flow.status('index').fill, 'red');
      }
      const caught = (await flow.receives('caught', 2)) as { error?: { code: string } }[];
      assert.deepEqual(
        caught.map(({ error }) => error?.code),
        ['OBJECT_MISSING', 'BUCKET_MISSING'],
      );
    });

    it('works wired right behind s3-batch-out', async () => {
      const flow = runner.current;
      await archive.createBucket('behind');
      await flow.load([
        tab(),
        connection(archive.server.url),
        weldingLayout(),
        batchOut({ count: '3' }, 'index'),
        offsetIndex({}, 'range'),
        rangeIn({}, 'sink'),
        sink(),
      ]);
      for (const second of ['12', '10', '11'])
        await flow.send('out', weld('behind', 'D', `20181001 1710${second}`));
      const records = await flow.receives('sink', 3);
      assert.deepEqual(
        records.map(({ key }) => key),
        ['10', '11', '12'].map((second) => `D/WELD/1/20181001 1710${second}`),
      );
    });
  });

  describe('of a query', () => {
    const all = (): Spot[] => archive.spots;
    const plantA = () => all().filter(({ plant }) => plant === 'plant-a');
    const level = (value: string, valueType = 'str', name = 'PLANT-ID') => ({
      level: name,
      value,
      valueType,
    });
    const date = (text: string): number => Date.parse(text);
    const FROM = '2018-10-01T17:03:00Z';
    const TO = '2018-10-01T17:05:00.000Z';
    const inRange = () => plantA().filter(({ time }) => time >= date(FROM) && time <= date(TO));

    const cases: [string, Record<string, unknown>, object, () => Spot[]][] = [
      ['a level', { levels: [level('plant-a')] }, {}, plantA],
      [
        'two levels',
        { levels: [level('plant-a'), level('D1', 'str', 'DEVICE-ID')] },
        {},
        () => plantA().filter(({ device }) => device === 'D1'),
      ],
      ['a level from the message', { levels: [level('plant', 'msg')] }, { plant: 'plant-a' }, plantA],
      [
        'a list from the message',
        { levels: [level('plants', 'msg')] },
        { plants: ['plant-b', 'plant-a'] },
        all,
      ],
      [
        'a level of an expression',
        { levels: [level('"plant-" & letter', 'jsonata')] },
        { letter: 'a' },
        plantA,
      ],
      [
        'a level that the message leaves out',
        { levels: [level('plant-a'), level('no.such', 'msg', 'DEVICE-ID')] },
        {},
        plantA,
      ],
      ['times in ISO 8601', { levels: [level('plant-a')] }, { from: FROM, to: TO }, inRange],
      [
        'times of the dialogue in the format of the layout',
        {
          levels: [level('plant-a')],
          from: '20181001 170300',
          fromType: 'str',
          to: '20181001 170500',
          toType: 'str',
        },
        {},
        inRange,
      ],
      ['times in ms', { levels: [level('plant-a')] }, { from: date(FROM), to: String(date(TO)) }, inRange],
      ['dates', { levels: [level('plant-a')] }, { from: new Date(FROM), to: new Date(TO) }, inRange],
      [
        "a function node's dates",
        { levels: [level('plant-a')] },
        {
          from: runInNewContext(`new Date('${FROM}')`) as Date,
          to: runInNewContext(`new Date('${TO}')`) as Date,
        },
        inRange,
      ],
      [
        'a series',
        { bucket: 'plant-a', bucketType: 'str', series: 'D2/WELD/1', seriesType: 'str' },
        {},
        () => plantA().filter(({ device }) => device === 'D2'),
      ],
      [
        'the beginning of a key',
        { bucket: 'plant-a', bucketType: 'str', keyPrefix: 'D1/WELD/1/20181002 170', keyPrefixType: 'str' },
        {},
        () => plantA().filter(({ key }) => key.startsWith('D1/WELD/1/20181002 170')),
      ],
      ['msg.query: levels', {}, { query: { levels: { 'PLANT-ID': 'plant-a' } } }, plantA],
      [
        'msg.query: everything',
        {},
        {
          key: 'of an object, which the query overrides',
          query: {
            bucket: 'plant-a',
            levels: { 'DEVICE-ID': ['D1', 'D2'], 'MSG-TYPE': '' },
            from: FROM,
            to: TO,
            seriesPrefix: 'D',
            keyPrefix: 'D2/',
          },
        },
        () => inRange().filter(({ device }) => device === 'D2'),
      ],
      [
        'msg.query: a key',
        {},
        { query: { bucket: 'plant-b', key: 'D1/WELD/1/20181002 170500' } },
        () => all().filter(({ plant, key }) => plant === 'plant-b' && key === 'D1/WELD/1/20181002 170500'),
      ],
      [
        'msg.query over the dialogue, level by level',
        { levels: [level('plant-a'), level('D1', 'str', 'DEVICE-ID')] },
        { query: { levels: { 'DEVICE-ID': 'D2' } } },
        () => plantA().filter(({ device }) => device === 'D2'),
      ],
      [
        'every bucket',
        { bucket: '*', bucketType: 'str', levels: [level('D1', 'str', 'DEVICE-ID')] },
        {},
        () => all().filter(({ device }) => device === 'D1'),
      ],
      [
        'every bucket, and a level',
        {},
        { query: { bucket: '*', levels: { 'PLANT-ID': 'plant-b' } } },
        () => all().filter(({ plant }) => plant === 'plant-b'),
      ],
      ['nothing that is there', { levels: [level('plant-a')] }, { from: '2020-01-01T00:00:00Z' }, () => []],
    ];
    for (const [what, settings, message, expected] of cases) {
      it(`by ${what}`, async () => {
        const flow = await load(settings);
        const { payload } = await ask(flow, message);
        assert.deepEqual(
          entriesOf(payload.objects).map(({ key }) => key),
          keysOf(expected()),
        );
        assert.equal(payload.plan.records, expected().length);
        assert.equal(payload.plan.objects.matching, payload.objects.length);
      });
    }

    it('tells what it has asked and what fetching takes; and that is what it takes', async () => {
      const flow = await load({}, rangeIn({}, 'records'), sink('records'));
      const { server } = archive;
      server.stats.reset();
      const { payload } = await ask(flow, {
        query: { levels: { 'PLANT-ID': 'plant-a', 'DEVICE-ID': 'D1' }, from: FROM, to: TO },
      });
      const { plan, objects } = payload;
      assert.equal(plan.asked.requests, server.stats.requests);
      assert.deepEqual(plan.objects, {
        listed: 1,
        skippedByName: 0,
        foreignNames: 0,
        skippedByAttributes: 0,
        skippedByIndex: 0,
        skippedAsDuplicates: 0,
        matching: 1,
      });
      assert.equal(plan.download, objects[0]?.size);
      server.stats.reset();
      assert.equal(await flow.send('range', { payload }), undefined);
      assert.equal((await flow.receives('records', 3)).length, 3);
      assert.equal(server.stats.requests, plan.toFetch.requests);
      assert.equal(server.stats.bytesSent, plan.toFetch.bytes);
      assert.ok(plan.toFetch.bytes < plan.download);
    });

    it('for the plan alone: the same plan, and no objects', async () => {
      const query = { levels: { 'PLANT-ID': ['plant-a', 'plant-b'] }, from: FROM };
      const flow = await load({});
      const { payload: whole } = await ask(flow, { query });
      await flow.deploy(
        flow.flows.map((node) =>
          node.id === 'index' ? { ...node, planOnly: true, output: 'objects' } : node,
        ),
      );
      const { payload, parts } = await ask(flow, { query });
      assert.deepEqual(payload, { plan: whole.plan });
      assert.equal(parts, undefined);
    });

    it('as one message per object: a sequence that the plan ends', async () => {
      const flow = await load({ output: 'objects' });
      const outer = { id: 'outer', index: 0, count: 1 };
      const query = { levels: { 'PLANT-ID': ['plant-a', 'plant-b'] } };
      assert.equal(await flow.send('index', { query, parts: outer, shift: 7 }), undefined);
      const messages = (await flow.receives('sink', 5)) as (NodeMessage & {
        payload: Answer;
        parts: object;
      })[];
      assert.equal(messages.length, 5);
      const last = messages.at(-1);
      assert.deepEqual(last?.payload.objects, []);
      assert.equal(last.payload.plan.records, archive.spots.length);
      const ids = new Set(messages.map(({ parts }) => (parts as { id: string }).id));
      assert.equal(ids.size, 1);
      const [id] = ids;
      for (const [index, message] of messages.entries()) {
        const ending: object = message === last ? { count: 5 } : {};
        assert.deepEqual(message.parts, { id, index, ...ending, type: 'array', parts: outer });
        assert.equal(message.shift, 7);
        if (message !== last) {
          assert.equal(message.payload.objects.length, 1);
          assert.equal(message.payload.plan, undefined);
        }
      }
      assert.deepEqual(
        entriesOf(messages.flatMap(({ payload }) => payload.objects)).map(({ key }) => key),
        keysOf(all()),
      );
    });

    it('as one message per object: what a flow changes in one is not changed in the others', async () => {
      const func = 'msg.job.object = msg.payload.objects[0]?.key; return msg;';
      const flow = runner.current;
      await flow.load([
        ...[tab(), connection(archive.server.url), weldingLayout()],
        offsetIndex({ output: 'objects' }, 'change'),
        onTab('change', 'function', { func, outputs: 1 }, 'sink'),
        sink(),
      ]);
      assert.equal(await flow.send('index', { query: { bucket: 'plant-a' }, job: {} }), undefined);
      const messages = (await flow.receives('sink', 3)) as (NodeMessage & {
        payload: Answer;
        job: { object?: string };
      })[];
      assert.deepEqual(
        messages.map(({ job }) => job.object),
        messages.map(({ payload }) => payload.objects[0]?.key),
      );
    });

    it("as one message per object: Node-RED's join node puts them together", async () => {
      const join = { mode: 'auto', build: 'array', property: 'payload', propertyType: 'msg', key: 'topic' };
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(archive.server.url),
        weldingLayout(),
        offsetIndex({ output: 'objects' }, 'join'),
        onTab('join', 'join', join, 'sink'),
        sink(),
      ]);
      assert.equal(await flow.send('index', { query: { bucket: 'plant-a' } }), undefined);
      const [joined] = await flow.receives('sink', 1);
      assert.equal((joined?.payload as unknown[]).length, 3);
    });

    it('without a layout: one object only', async () => {
      const flow = await load({ layout: '' });
      const error = await flow.send('index', { query: { bucket: 'plant-a' } });
      assert.equal((error as { code?: string }).code, 'QUERY_INVALID');
      assert.match(error?.message ?? '', /needs the archive layout.*choose it.*or ask for one object/);
      const [name] = archive.names['plant-a'] ?? [];
      const { payload } = await ask(flow, { bucket: 'plant-a', key: name, from: String(date(TO)), to: TO });
      assert.deepEqual(
        entriesOf(payload.objects).map(({ key }) => key),
        ['D1/WELD/1/20181001 170500', 'D2/WELD/1/20181001 170500'],
      );
    });
  });

  describe('of an archive in which batches were stored twice', () => {
    const bucket = 'twice';
    const query = { bucket };
    /** Names in the order of the answer: both of the first day, then both of the second. */
    let names: string[];
    before(async () => {
      await archive.createBucket(bucket);
      for (const name of archive.names['plant-a'] ?? []) await copyTwice(archive, name, bucket);
      names = (await objectsIn(archive.store, bucket)).map(({ key }) => key);
      assert.equal(names.length, 4);
    });
    const plantAs = () => keysOf(all().filter(({ plant }) => plant === 'plant-a'));
    const all = (): Spot[] => archive.spots;

    it('answers every record as often as it is there, unless it is told otherwise', async () => {
      const { payload } = await ask(await load(), { query });
      assert.equal(payload.plan.records, 80);
      assert.equal(payload.plan.candidates, undefined);
      assert.equal(payload.plan.duplicates, undefined);
    });

    it('answers each record once, and tells how many went and what it took', async () => {
      const flow = await load({ dropDuplicates: true }, rangeIn({}, 'records'), sink('records'));
      archive.server.stats.reset();
      const { payload } = await ask(flow, { query });
      const { plan, objects } = payload;
      assert.equal(plan.asked.requests, archive.server.stats.requests);
      assert.deepEqual(
        objects.map(({ key }) => key),
        [names[0], names[2]],
      );
      assert.deepEqual(
        entriesOf(objects).map(({ key }) => key),
        plantAs(),
      );
      assert.deepEqual([plan.records, plan.duplicates, plan.candidates], [40, 40, 80]);
      assert.deepEqual([plan.objects.matching, plan.objects.skippedAsDuplicates], [2, 2]);
      assert.equal(plan.download, objects[0]!.size + objects[1]!.size);
      assert.ok(plan.asked.bytes > 0);
      await flow.until('the status', () => flow.status('index').text === 'offset-index.status.foundOnce');
      archive.server.stats.reset();
      assert.equal(await flow.send('range', { payload }), undefined);
      assert.equal((await flow.receives('records', 40)).length, 40);
      assert.equal(archive.server.stats.bytesSent, plan.toFetch.bytes);
    });

    it('sends no message for an object without others than duplicates', async () => {
      const flow = await load({ dropDuplicates: true, output: 'objects' });
      assert.equal(await flow.send('index', { query }), undefined);
      const messages = (await flow.receives('sink', 3)) as (NodeMessage & { payload: Answer })[];
      assert.deepEqual(
        messages.map(({ payload }) => payload.objects.map(({ key }) => key)),
        [[names[0]], [names[2]], []],
      );
      assert.equal(messages[2]?.payload.plan.duplicates, 40);
      assert.equal(flow.received('sink').length, 3);
    });

    it('for the plan alone: how many records would be compared, without fetching any', async () => {
      const flow = await load({ planOnly: true });
      const plain = await ask(flow, { query });
      await flow.deploy(
        flow.flows.map((node) => (node.id === 'index' ? { ...node, dropDuplicates: true } : node)),
      );
      const { payload } = await ask(flow, { query });
      assert.deepEqual(payload, { plan: { ...plain.payload.plan, candidates: 80 } });
      assert.equal(payload.plan.records, 80);
    });

    it('of one object by its name: nothing is in it twice', async () => {
      const { payload } = await ask(await load({ dropDuplicates: true }), { bucket, key: names[1] });
      assert.deepEqual([payload.plan.records, payload.plan.duplicates, payload.plan.candidates], [20, 0, 0]);
    });
  });

  describe('of what makes no sense', () => {
    const cases: [string, object, RegExp][] = [
      [
        'an unknown member',
        { query: { bucket: 'plant-a', plant: 'a', level: {} } },
        /has plant, level, which is none of/,
      ],
      ['a query that is text', { query: 'plant-a' }, /msg\.query must be an object/],
      ['a query that is null', { query: null }, /msg\.query must be an object/],
      ['a list of queries', { query: [{}] }, /msg\.query must be an object/],
      ['levels that are text', { query: { levels: 'PLANT-ID' } }, /levels must be an object/],
      ['levels that are a list', { query: { levels: ['PLANT-ID'] } }, /levels must be an object/],
      ['levels that are a number', { query: { bucket: 'plant-a', levels: 5 } }, /levels must be an object/],
      [
        'a level that is a number',
        { query: { levels: { 'PLANT-ID': 7 } } },
        /PLANT-ID must be text or a list/,
      ],
      ['a list of numbers', { query: { levels: { 'PLANT-ID': [7] } } }, /PLANT-ID must be text or a list/],
      [
        'an unknown level',
        { query: { bucket: 'plant-a', levels: { PLANT: 'a' } } },
        /no level PLANT; it has/,
      ],
      ['a bucket that is a number', { bucket: 7, key: 'x' }, /bucket must be text/],
      ['an object name that is a number', { bucket: 'plant-a', key: 7 }, /object's name must be text/],
      ['a series that is a number', { query: { bucket: 'plant-a', series: 7 } }, /series must be text/],
      ['a time that is none', { bucket: 'plant-a', from: 'yesterday' }, /from is no time: give ISO 8601/],
      ['text that only looks like a time', { bucket: 'plant-a', from: 'PLANT-7' }, /from is no time/],
      ['a time that is not finite', { bucket: 'plant-a', to: NaN }, /to is no time/],
      ['an invalid date', { bucket: 'plant-a', to: new Date(NaN) }, /to is no time/],
      ['a time that is an object', { bucket: 'plant-a', to: { year: 2018 } }, /to is no time/],
      ['a range that ends before it begins', { bucket: 'plant-a', from: 2, to: 1 }, /ends before it begins/],
      ['one object in every bucket', { bucket: '*', key: 'x' }, /one object is in one bucket/],
      ['nothing at all', {}, /does not tell the bucket, which depends on PLANT-ID/],
    ];
    for (const [what, message, text] of cases) {
      it(`${what}: QUERY_INVALID`, async () => {
        const flow = await load();
        const error = await flow.send('index', message);
        assert.equal((error as { code?: string }).code, 'QUERY_INVALID');
        assert.match(error?.message ?? '', text);
        assert.equal((await flow.receives('caught', 1)).length, 1);
        assert.equal(flow.received('sink').length, 0);
        assert.equal(flow.status('index').fill, 'red');
      });
    }

    it('a flow without connection or with a broken layout: their codes', async () => {
      const flow = await load({ connection: 'nobody' });
      const message = { query: { bucket: 'plant-a' } };
      assert.equal(((await flow.send('index', message)) as { code?: string }).code, 'CONNECTION_INVALID');
      await flow.deploy([
        tab(),
        connection(archive.server.url),
        weldingLayout({ objectName: 'no batch' }),
        offsetIndex(),
      ]);
      assert.equal(((await flow.send('index', message)) as { code?: string }).code, 'LAYOUT_INVALID');
    });
  });

  it('leaves out objects that it cannot read, and tells of them', async () => {
    const embedded = await startTestStore();
    try {
      await embedded.createBucket('mixed');
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(embedded.server.url),
        weldingLayout(),
        batchOut({ count: '1' }, 'stored'),
        offsetIndex({}, 'sink'),
        sink(),
        sink('stored'),
      ]);
      for (const second of ['10', '11', '12'])
        await flow.send('out', weld('mixed', 'D', `20181001 1710${second}`));
      const names = (await flow.receives('stored', 3)).map(({ key }) => String(key)).sort();
      const [good = '', cut = '', lying = ''] = names;
      const { size, attributes } = await embedded.store.head('mixed', good);
      const put = (name: string, body: Buffer, given: Record<string, string>) =>
        embedded.store.put('mixed', name, body, { contentType: 'application/gzip', attributes: given });
      const { bytes } = await embedded.store.getRange('mixed', good, { offset: 0, length: size });
      await put(cut, bytes.subarray(0, size - 10), {});
      await put(lying, bytes, { ...attributes, count: 'many' });
      const foreign = good.replace(/[^-]{20}(?=\.ndjson)/, 'foreignforeignforeig');
      await put(
        foreign,
        Buffer.from('hello, I am no archive, but a text that is long enough'.repeat(10)),
        {},
      );
      await put('notes.txt', Buffer.from('not ours at all'), {});

      const { payload } = await ask(flow, { query: { bucket: 'mixed' } });
      assert.deepEqual(
        payload.objects.map(({ key }) => key),
        [good],
      );
      const { plan } = payload;
      assert.deepEqual(Object.fromEntries(plan.failed.map(({ key, code }) => [key, code])), {
        [cut]: 'OBJECT_FOREIGN',
        [foreign]: 'OBJECT_FOREIGN',
        [lying]: 'OBJECT_CORRUPT',
      });
      assert.equal(plan.objects.foreignNames, 1);
      assert.equal(flow.status('index').fill, 'yellow');
      const warning = flow.logs.find(({ id, level }) => id === 'index' && level === 30);
      assert.deepEqual(warning?.msg, { message: 'offset-index.error.failed', failed: plan.failed });
      // Asked for by its name, such an object is an error.
      const error = await flow.send('index', { bucket: 'mixed', key: foreign });
      assert.equal((error as { code?: string }).code, 'OBJECT_FOREIGN');
    } finally {
      await embedded.stop();
    }
  });

  it('ends what it has begun when it is closed, and leaves the status to its successor', async () => {
    const flow = await load();
    archive.server.faults.add({ kind: 'hang' });
    try {
      const message = flow.give('index', { query: { bucket: 'plant-a' } });
      await new Promise((resolve) => setTimeout(resolve, 100));
      const shown = flow.statuses('index').length;
      await flow.deploy([
        tab(),
        connection(archive.server.url),
        weldingLayout(),
        offsetIndex({ name: 'renamed' }),
      ]);
      await flow.until('the message to be done', () => flow.completionsOf(message).length === 1);
      assert.equal((flow.completionsOf(message)[0]?.error as { code?: string }).code, 'ABORTED');
      assert.equal(flow.statuses('index').length, shown);
    } finally {
      archive.server.faults.clear();
    }
  });
});
