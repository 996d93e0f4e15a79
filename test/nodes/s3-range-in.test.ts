import assert from 'node:assert/strict';

import fc from 'fast-check';
import type { ObjectMatch } from '../../lib/query';
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
import { objectsIn } from './archive';
import { copyTwice, inOrder, type Spot, startWeldingArchive, type WeldingArchive } from './welding-archive';

const codeOf = (error: Error | undefined): string => (error as { code?: string } | undefined)?.code ?? '';

describe('s3-range-in', () => {
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
      offsetIndex({}, 'range', 'found'),
      rangeIn(settings, 'sink'),
      catchAll('caught'),
      sink(),
      sink('found'),
      sink('caught'),
      ...more,
    ]);
    return flow;
  }

  const plantA = (): Spot[] => inOrder(archive.spots.filter(({ plant }) => plant === 'plant-a'));
  const firstDay = (): Spot[] => plantA().slice(0, 20);
  const nameOf = (plant: string, day = 0): string => archive.names[plant]?.[day] ?? '';

  /** What offset-index answers. */
  async function find(flow: FlowRunner, query: object): Promise<ObjectMatch[]> {
    await flow.send('index', { query });
    const [found] = await flow.receives('found', 1);
    // What the node behind it gets is a copy, as behind any wire.
    return structuredClone((found?.payload as { objects: ObjectMatch[] }).objects);
  }

  describe('behind offset-index', () => {
    it('brings each record in a message, in the order of objects, series and times', async () => {
      const flow = await load();
      assert.equal(await flow.send('index', { query: { bucket: 'plant-a' }, shift: 7 }), undefined);
      const spots = plantA();
      const messages = await flow.receives('sink', spots.length);
      assert.equal(messages.length, spots.length);
      const id = (messages[0]?.parts as { id: string }).id;
      for (const [index, spot] of spots.entries()) {
        const { _msgid, query, ...rest } = messages[index] ?? {};
        assert.equal(typeof _msgid, 'string');
        assert.deepEqual(query, { bucket: 'plant-a' });
        assert.deepEqual(rest, {
          topic: spot.topic,
          payload: JSON.parse(spot.payload) as object,
          time: spot.time,
          key: spot.key,
          series: spot.key.slice(0, spot.key.lastIndexOf('/')),
          bucket: 'plant-a',
          object: nameOf('plant-a', index < 20 ? 0 : 1),
          parts: { id, index, count: spots.length, type: 'array' },
          shift: 7,
        });
      }
      await flow.until('the status', () => flow.status('range').text === 's3-range-in.status.done');
    });

    it('brings all records in one message', async () => {
      const flow = await load({ output: 'array' });
      await flow.send('index', { query: { bucket: 'plant-a' }, shift: 7 });
      const [message] = await flow.receives('sink', 1);
      assert.equal(message?.shift, 7);
      assert.deepEqual(
        message.payload,
        plantA().map((spot) => ({
          topic: spot.topic,
          payload: JSON.parse(spot.payload) as object,
          time: spot.time,
          key: spot.key,
          series: spot.key.slice(0, spot.key.lastIndexOf('/')),
        })),
      );
    });

    it('sends nothing, or an empty array, when nothing was found', async () => {
      const flow = await load();
      assert.equal(await flow.send('range', { payload: { objects: [] } }), undefined);
      await flow.deploy(
        flow.flows.map((node) => (node.id === 'range' ? { ...node, output: 'array' } : node)),
      );
      assert.equal(await flow.send('range', { payload: { objects: [] } }), undefined);
      const [message] = await flow.receives('sink', 1);
      assert.deepEqual(message?.payload, []);
    });

    it("gives Node-RED's join node what it needs to make it one again", async () => {
      const join = { mode: 'auto', build: 'array', property: 'payload', propertyType: 'msg', key: 'topic' };
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(archive.server.url),
        weldingLayout(),
        offsetIndex({}, 'range'),
        rangeIn({}, 'join'),
        onTab('join', 'join', join, 'sink'),
        sink(),
      ]);
      const outer = { id: 'outer', index: 4, count: 9, type: 'array' };
      await flow.send('index', { query: { bucket: 'plant-a' }, parts: outer });
      const [message] = await flow.receives('sink', 1);
      assert.deepEqual(
        message?.payload,
        plantA().map(({ payload }) => JSON.parse(payload) as object),
      );
      assert.deepEqual(message.parts, outer);
    });

    it('gives each message properties of its own: a flow that changes one changes no other', async () => {
      const flow = await load();
      await flow.send('index', { query: { bucket: 'plant-a' } });
      const messages = await flow.receives('sink', 40);
      assert.equal(new Set(messages.map(({ query }) => query)).size, 40);
    });

    it('brings what is left when entries, blocks or objects were taken out', async () => {
      const flow = await load();
      const objects = await find(flow, { levels: { 'PLANT-ID': ['plant-a', 'plant-b'] } });
      await flow.receives('sink', 80);
      const kept = objects.slice(1, 3).map((object) => ({
        ...object,
        blocks: object.blocks.slice(1).map((block) => ({ ...block, entries: block.entries.slice(-1) })),
      }));
      const keys = kept.flatMap(({ blocks }) =>
        blocks.flatMap(({ entries }) => entries.map(({ key }) => key)),
      );
      assert.ok(keys.length >= 2);
      assert.equal(await flow.send('range', { payload: { objects: kept } }), undefined);
      const messages = (await flow.receives('sink', 80 + keys.length)).slice(80);
      assert.deepEqual(
        messages.map(({ key }) => key),
        keys,
      );
    });

    it('fails with OBJECT_CHANGED when an object was replaced since', async () => {
      const flow = await load();
      await archive.createBucket('replaced');
      const name = nameOf('plant-a');
      const { bytes, attributes } = await archive.store.getRange('plant-a', name, { offset: 0, length: 1e6 });
      const put = (body: Buffer) =>
        archive.store.put('replaced', name, body, { contentType: 'application/gzip', attributes });
      await put(bytes);
      const objects = await find(flow, { bucket: 'replaced' });
      await flow.receives('sink', 20);
      await put(Buffer.from(bytes).fill(0, 0, 100));
      const error = await flow.send('range', { payload: { objects } });
      assert.equal(codeOf(error), 'OBJECT_CHANGED');
      assert.equal((await flow.receives('caught', 1)).length, 1);
      assert.equal(flow.received('sink').length, 20);
      assert.equal(flow.status('range').fill, 'red');
    });
  });

  describe('of an archive in which batches were stored twice', () => {
    const query = { bucket: 'twice' };
    before(async () => {
      await archive.createBucket('twice');
      for (const name of archive.names['plant-a'] ?? []) await copyTwice(archive, name, 'twice');
    });

    it('sends every record as often as it is there, unless it is told otherwise', async () => {
      const flow = await load();
      await flow.send('index', { query });
      const messages = await flow.receives('sink', 80);
      assert.equal(messages.length, 80);
      assert.ok(messages.every((message) => !('duplicates' in message)));
    });

    it('sends each record once; the last message tells how many there are, and how many went', async () => {
      const flow = await load({ dropDuplicates: true });
      await flow.send('index', { query });
      const messages = await flow.receives('sink', 40);
      await flow.until('the status', () => flow.status('range').text === 's3-range-in.status.doneOnce');
      assert.equal(flow.received('sink').length, 40);
      assert.deepEqual(
        messages.map(({ key }) => key),
        plantA().map(({ key }) => key),
      );
      const { id } = messages[0]?.parts as { id: string };
      for (const [index, message] of messages.entries()) {
        const isLast = index === 39;
        assert.deepEqual(message.parts, { id, index, type: 'array', ...(isLast && { count: 40 }) });
        assert.equal(message.duplicates, isLast ? 40 : undefined);
      }
    });

    it('tells it of none, too, and sends nothing when nothing was found', async () => {
      const flow = await load({ dropDuplicates: true });
      assert.equal(await flow.send('range', { payload: { objects: [] } }), undefined);
      await flow.send('index', { query: { bucket: 'plant-a' } });
      const messages = await flow.receives('sink', 40);
      assert.equal(messages.length, 40);
      assert.equal(messages[39]?.duplicates, 0);
      assert.equal(flow.status('range').text, 's3-range-in.status.done');
    });

    it('sends each record once in one message, and tells in it how many went', async () => {
      const flow = await load({ dropDuplicates: true, output: 'array' });
      await flow.send('index', { query });
      const [message] = await flow.receives('sink', 1);
      assert.deepEqual(
        (message?.payload as { key: string }[]).map(({ key }) => key),
        plantA().map(({ key }) => key),
      );
      assert.equal(message?.duplicates, 40);
    });

    it("sends what Node-RED's join node makes one again", async () => {
      const join = { mode: 'auto', build: 'array', property: 'payload', propertyType: 'msg', key: 'topic' };
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(archive.server.url),
        weldingLayout(),
        offsetIndex({}, 'range'),
        rangeIn({ dropDuplicates: true }, 'join'),
        onTab('join', 'join', join, 'sink'),
        sink(),
      ]);
      await flow.send('index', { query });
      const [message] = await flow.receives('sink', 1);
      assert.deepEqual(
        message?.payload,
        plantA().map(({ payload }) => JSON.parse(payload) as object),
      );
    });
  });

  describe('by bucket and key', () => {
    for (const [where, message] of [
      ['the message', () => ({ bucket: 'plant-a', key: nameOf('plant-a') })],
      [
        'its payload',
        () => ({ payload: { bucket: 'plant-a', key: nameOf('plant-a') }, bucket: 'x', key: 'y' }),
      ],
    ] as const) {
      it(`in ${where}: the whole object`, async () => {
        const flow = await load();
        assert.equal(await flow.send('range', message()), undefined);
        const messages = await flow.receives('sink', 20);
        assert.deepEqual(
          messages.map(({ key, object }) => [key, object]),
          firstDay().map(({ key }) => [key, nameOf('plant-a')]),
        );
      });
    }

    it('of what is not there, or no archive: their codes', async () => {
      const flow = await load();
      await archive.createBucket('foreign');
      const text = Buffer.from('just a text '.repeat(20));
      await archive.store.put('foreign', 'notes', text, { contentType: 'text/plain', attributes: {} });
      for (const [bucket, key, code] of [
        ['plant-a', 'nothing', 'OBJECT_MISSING'],
        ['plant-zzz', 'nothing', 'BUCKET_MISSING'],
        ['foreign', 'notes', 'OBJECT_FOREIGN'],
      ] as const)
        assert.equal(codeOf(await flow.send('range', { bucket, key })), code);
    });
  });

  describe('by bucket and object name of the dialogue', () => {
    it('the whole object, whatever the message says; parts of the name may come from the message', async () => {
      const settings = { bucket: 'plant-a', bucketType: 'str', key: 'wanted.name', keyType: 'msg' };
      const flow = await load({ ...settings, output: 'array' });
      const message = {
        wanted: { name: nameOf('plant-a') },
        bucket: 'plant-b',
        key: 'x',
        payload: { objects: [] },
      };
      assert.equal(await flow.send('range', message), undefined);
      const [answer] = await flow.receives('sink', 1);
      assert.equal((answer?.payload as unknown[]).length, firstDay().length);
    });

    it('refuses half of it', async () => {
      const flow = await load({ bucket: 'plant-a', bucketType: 'str', key: 'wanted', keyType: 'msg' });
      for (const message of [{}, { wanted: '' }, { wanted: 7 }]) {
        assert.equal(codeOf(await flow.send('range', message)), 'QUERY_INVALID');
      }
    });
  });

  describe('of a plain range', () => {
    it('brings exactly these bytes in a Buffer of their own', async () => {
      const flow = await load();
      const [whole] = (await objectsIn(archive.store, 'plant-a')).map(({ bytes }) => bytes);
      assert.ok(whole);
      const asked = { bucket: 'plant-a', key: nameOf('plant-a'), shift: 7 };
      const ranges: [number, number][] = [
        [0, 1],
        [10, 100],
        [whole.length - 1, 1],
        [whole.length - 5, 1000],
        [0, whole.length],
      ];
      for (const [offset, length] of ranges) await flow.send('range', { ...asked, offset, length });
      const messages = await flow.receives('sink', ranges.length);
      const { etag } = await archive.store.head('plant-a', nameOf('plant-a'));
      for (const [number, [offset, length]] of ranges.entries()) {
        const { _msgid, payload, ...rest } = messages[number] ?? {};
        assert.equal(typeof _msgid, 'string');
        assert.ok(Buffer.isBuffer(payload));
        assert.deepEqual(payload, Buffer.from(whole.subarray(offset, offset + length)));
        assert.deepEqual(rest, { ...asked, offset, length, etag });
      }
      assert.equal(flow.status('range').text, '1.1 kB'.replace('1.1', (whole.length / 1000).toFixed(1)));
    });

    it('holds to the entity tag that is given', async () => {
      const flow = await load();
      const asked = { bucket: 'plant-a', key: nameOf('plant-a'), offset: 0, length: 10 };
      const { etag } = await archive.store.head('plant-a', nameOf('plant-a'));
      assert.equal(await flow.send('range', { ...asked, etag }), undefined);
      assert.equal(codeOf(await flow.send('range', { ...asked, etag: '"another"' })), 'OBJECT_CHANGED');
    });

    it('refuses what is no range', async () => {
      const flow = await load();
      const asked = { bucket: 'plant-a', key: nameOf('plant-a') };
      const wrong: [object, string][] = [
        [{ offset: 0 }, 'QUERY_INVALID'],
        [{ length: 10 }, 'QUERY_INVALID'],
        [{ offset: -1, length: 10 }, 'QUERY_INVALID'],
        [{ offset: 0.5, length: 10 }, 'QUERY_INVALID'],
        [{ offset: '0', length: '10' }, 'QUERY_INVALID'],
        [{ offset: 0, length: 0 }, 'QUERY_INVALID'],
        [{ offset: 0, length: Infinity }, 'QUERY_INVALID'],
        [{ offset: 1e9, length: 10 }, 'RANGE_INVALID'],
        [{ offset: Number.MAX_SAFE_INTEGER, length: 1 }, 'RANGE_INVALID'],
        [{ offset: 0, length: Number.MAX_SAFE_INTEGER }, 'OBJECT_TOO_LARGE'],
      ];
      for (const [range, code] of wrong)
        assert.equal(codeOf(await flow.send('range', { ...asked, ...range })), code, JSON.stringify(range));
      assert.equal((await flow.receives('caught', wrong.length)).length, wrong.length);
    });
  });

  describe('payloads', () => {
    const given: Record<string, Buffer> = {
      json: Buffer.from('{"a": 1}'),
      number: Buffer.from(' 5 '),
      text: Buffer.from('Grüße'),
      bytes: Buffer.from([0xc3, 0x28, 0x00, 0xff]),
      nothing: Buffer.alloc(0),
    };
    const { json, number, text, bytes, nothing } = given;
    const broken = bytes?.toString('utf8');
    const expected: Record<string, Record<string, unknown>> = {
      auto: { json: { a: 1 }, number: 5, text: 'Grüße', bytes, nothing: '' },
      buffer: { json, number, text, bytes, nothing },
      string: { json: '{"a": 1}', number: ' 5 ', text: 'Grüße', bytes: broken, nothing: '' },
      json: { json: { a: 1 }, number: 5, text: 'Grüße', bytes: broken, nothing: '' },
    };
    let name = '';
    before(async () => {
      await archive.createBucket('payloads');
      const flow = runner.current;
      await flow.load([
        tab(),
        connection(archive.server.url),
        weldingLayout({
          topic: '',
          key: '',
          timeSource: 'arrival',
          buckets: [{ topic: '#', bucket: 'payloads' }],
        }),
        batchOut(),
      ]);
      for (const [topic, payload] of Object.entries(given)) await flow.send('out', { topic, payload });
      await flow.send('out', { flush: true });
      await flow.unload();
      name = (await objectsIn(archive.store, 'payloads'))[0]?.key ?? '';
    });

    for (const [type, wanted] of [...Object.entries(expected), [undefined, expected.auto] as const]) {
      it(`as ${type ?? 'a flow written by hand leaves it out: auto'}`, async () => {
        const flow = await load({ payload: type });
        await flow.send('range', { bucket: 'payloads', key: name });
        const messages = await flow.receives('sink', 5);
        assert.deepEqual(Object.fromEntries(messages.map(({ topic, payload }) => [topic, payload])), wanted);
      });
    }

    it('as Buffers of their own: writing to one changes no other', async () => {
      const flow = await load({ payload: 'buffer', output: 'array' });
      await flow.send('range', { bucket: 'payloads', key: name });
      const [message] = await flow.receives('sink', 1);
      const all = message?.payload as { topic: string; payload: Buffer }[];
      for (const { topic, payload } of all) {
        assert.deepEqual(payload, given[topic]);
        payload.fill(0x21);
      }
      for (const { payload } of all) assert.ok(payload.every((byte) => byte === 0x21));
    });
  });

  for (const framing of ['newline', 'length', 'none'])
    for (const compression of ['gzip', 'none'])
      it(`restores payloads one by one, framing ${framing}, compression ${compression}`, async () => {
        const bucket = `single-${framing}-${compression}`;
        await archive.createBucket(bucket);
        const flow = runner.current;
        const layout = { topic: 'NUMBER', key: '', timeSource: 'arrival', buckets: [{ topic: '#', bucket }] };
        await flow.load([
          tab(),
          connection(archive.server.url),
          weldingLayout(layout),
          batchOut({ framing, compression }),
          offsetIndex({}, 'range'),
          rangeIn({ payload: 'buffer' }, 'sink'),
          sink(),
        ]);
        const payloads = ['', 'one', '', '{"a":\n1}', ''].map((text) => Buffer.from(text));
        for (const [topic, payload] of payloads.entries())
          await flow.send('out', { topic: String(topic), payload });
        assert.equal(await flow.send('out', { flush: true }), undefined);
        for (const [topic, payload] of payloads.entries()) {
          const query = { bucket, levels: { NUMBER: String(topic) } };
          assert.equal(await flow.send('index', { query }), undefined);
          const messages = await flow.receives('sink', topic + 1);
          assert.deepEqual(messages.at(-1)?.payload, payload);
        }
      });

  describe('with a hostile msg.payload.objects', () => {
    const CODES = /^(QUERY_INVALID|RANGE_INVALID|OBJECT_\w+|BUCKET_\w+|STORE_\w+|ACCESS_DENIED)$/;
    let flow: FlowRunner;
    let real: ObjectMatch;
    beforeEach(async () => {
      flow = await load();
      const [object] = await find(flow, { bucket: 'plant-a', to: '2018-10-01T23:00:00Z' });
      assert.ok(object);
      real = object;
      await flow.receives('sink', 20);
    });

    async function refused(objects: unknown, code: RegExp = CODES): Promise<void> {
      const error = await flow.send('range', { payload: { objects } });
      assert.ok(error, JSON.stringify(objects).slice(0, 500));
      assert.match(codeOf(error), code, error.message);
    }

    const changed = (change: (object: ObjectMatch) => void): unknown[] => {
      const object = structuredClone(real);
      change(object);
      return [object];
    };
    const inBlock = (change: object): unknown[] =>
      changed(({ blocks }) => {
        Object.assign(blocks[0]!, change);
      });
    const inEntry = (change: object): unknown[] =>
      changed(({ blocks }) => {
        Object.assign(blocks[0]!.entries[0] ?? {}, change);
      });

    it('of another shape: refused before anything is fetched', async () => {
      const shapes: unknown[][] = [
        [null],
        ['text'],
        [[]],
        [{}],
        [{ ...real, bucket: '' }],
        [{ ...real, key: 5 }],
        [{ ...real, etag: undefined }],
        [{ ...real, framing: 'lines' }],
        [{ ...real, compression: 'zip' }],
        [{ ...real, blocks: {} }],
        [{ ...real, blocks: [null] }],
        inBlock({ offset: -1 }),
        inBlock({ length: 1.5 }),
        inBlock({ size: '10' }),
        inBlock({ entries: 'all' }),
        inBlock({ entries: [null] }),
        inEntry({ key: null }),
        inEntry({ start: -1 }),
        inEntry({ length: 2 ** 60 }),
        inEntry({ flags: NaN }),
        inEntry({ lineBreaks: 5 }),
        inEntry({ lineBreaks: 'abc' }),
        inEntry({ lineBreaks: [1, -1] }),
        changed(({ blocks }) => blocks.reverse()),
        changed(({ blocks }) => blocks.push(blocks[0]!)),
      ];
      archive.server.stats.reset();
      for (const shape of shapes) await refused(shape, /^(QUERY|RANGE)_INVALID$/);
      assert.equal(archive.server.stats.requests, 0);
    });

    it('of wrong numbers: their codes, without memory taken for them', async () => {
      const before = process.memoryUsage().rss;
      const length = real.blocks[0]?.length ?? 0;
      await refused(inBlock({ size: Number.MAX_SAFE_INTEGER }), /^OBJECT_TOO_LARGE$/);
      await refused(
        changed((object) => {
          object.blocks.splice(1);
          Object.assign(object.blocks[0]!, { length: Number.MAX_SAFE_INTEGER });
        }),
        /^OBJECT_TOO_LARGE$/,
      );
      await refused(inBlock({ size: (real.blocks[0]?.size ?? 0) + 1 }), /^OBJECT_CORRUPT$/);
      await refused(inBlock({ length: length - 1 }), /^OBJECT_CORRUPT$/);
      await refused(inEntry({ start: 1e9 }), /^RANGE_INVALID$/);
      await refused(inEntry({ length: 1 }), /^OBJECT_CORRUPT$/);
      await refused(inEntry({ length: 0 }), /^OBJECT_CORRUPT$/);
      await refused(inEntry({ flags: 1 }), /^OBJECT_CORRUPT$/);
      await refused(inEntry({ flags: 4 }), /^OBJECT_CORRUPT$/);
      await refused(inEntry({ flags: 4, lineBreaks: [2 ** 50] }), /^OBJECT_CORRUPT$/);
      await refused(
        changed((object) => (object.framing = 'length')),
        /^OBJECT_CORRUPT$/,
      );
      await refused(
        changed((object) => (object.etag = '"x"')),
        /^OBJECT_CHANGED$/,
      );
      await refused(changed((object) => (object.key = 'x'.repeat(5000))));
      await refused(
        changed((object) => (object.key = '../../etc/passwd')),
        /^OBJECT_MISSING$/,
      );
      await refused(changed((object) => (object.bucket = '../x')));
      await refused(changed((object) => (object.bucket = 'plant-a/x')));
      assert.ok(process.memoryUsage().rss - before < 100_000_000);
    });

    it('of anything: a coded error or no records, done once', async () => {
      const value = fc.oneof(
        fc.anything({ withDate: true, withBigInt: true, withTypedArray: true, withNullPrototype: true }),
        fc.constantFrom(0, 1, -1, 2 ** 31, 2 ** 53, '', 'plant-a', 'gzip', 'newline'),
      );
      const path = fc.constantFrom(
        ...['bucket', 'key', 'etag', 'framing', 'compression', 'blocks'].map((name) => [name]),
        ...['offset', 'length', 'size', 'entries'].map((name) => ['blocks', '0', name]),
        ...['key', 'start', 'length', 'flags', 'lineBreaks', 'topic', 'time', 'series'].map((name) => [
          'blocks',
          '0',
          'entries',
          '0',
          name,
        ]),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(path, value), { minLength: 1, maxLength: 3 }), async (changes) => {
          const object = structuredClone(real) as unknown as Record<string, unknown>;
          for (const [names, one] of changes) {
            let at: unknown = object;
            for (const name of names.slice(0, -1)) at = (at as Record<string, unknown> | undefined)?.[name];
            if (typeof at === 'object' && at !== null)
              (at as Record<string, unknown>)[names.at(-1) ?? ''] = one;
          }
          const message = flow.give('range', { payload: { objects: [object] } });
          await flow.until('it to be done', () => flow.completionsOf(message).length > 0);
          const [{ error } = { error: undefined }] = flow.completionsOf(message);
          if (error) assert.match(codeOf(error), CODES, error.stack);
        }),
        { numRuns: 200, seed: 3 },
      );
    });
  });

  it('ends what it has begun when it is closed, and leaves the status to its successor', async () => {
    const flow = await load();
    archive.server.faults.add({ kind: 'hang' });
    try {
      const message = flow.give('range', { bucket: 'plant-a', key: nameOf('plant-a') });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await flow.deploy([tab(), connection(archive.server.url), rangeIn({ name: 'renamed' })]);
      await flow.until('the message to be done', () => flow.completionsOf(message).length === 1);
      assert.equal(codeOf(flow.completionsOf(message)[0]?.error), 'ABORTED');
      assert.equal(flow.status('range').fill, undefined);
    } finally {
      archive.server.faults.clear();
    }
  });
});
