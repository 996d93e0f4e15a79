import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import { batchOut, connection, sink, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import type { FlowNode } from '../support/node-red-process';
import { DEVICES, MINUTES, PLANTS, startWeldingArchive, type WeldingArchive } from '../nodes/welding-archive';
import {
  ask,
  type Answer,
  type Entry,
  type Folder,
  type Page,
  refusal,
  type Series,
  type ShownRecord,
} from './browse';

const DAY = 'dt=2018-10-01/';
const HOSTILE = 'hostile';

describe('the object browser', () => {
  const runner = useFlows();
  let archive: WeldingArchive;

  before(async () => {
    archive = await startWeldingArchive();
    await archive.createBucket(HOSTILE);
  });
  after(() => archive.stop());
  afterEach(() => archive.server.faults.clear());

  const flow = (): FlowNode[] => [
    tab(),
    connection(archive.server.url),
    weldingLayout({
      buckets: [
        { topic: '#', bucket: 'plant-a' },
        { topic: 'a/#', bucket: '{{PLANT-ID}}' },
      ],
    }),
    batchOut(),
    sink(),
  ];
  beforeEach(() => runner.current.load(flow()));

  const objectOf = async (
    bucket = 'plant-a',
    prefix = DAY,
  ): Promise<{ bucket: string; key: string; etag: string }> => {
    const { objects } = await ask<Folder>(runner.current, 'folder', { bucket, prefix });
    assert.ok(objects[0]);
    return { bucket, key: objects[0].key, etag: objects[0].etag };
  };

  it('walks from the buckets to the bytes of a record, in few small requests', async () => {
    const { buckets, asked } = await ask<Answer & { buckets: string[] }>(runner.current, 'buckets');
    assert.deepEqual(buckets, [HOSTILE, ...PLANTS]);
    assert.deepEqual(asked, { requests: 1, bytes: 0 });

    const days = await ask<Folder>(runner.current, 'folder', { bucket: 'plant-a' });
    assert.deepEqual(days.objects, []);
    assert.deepEqual(days.folders, [
      { prefix: DAY, from: Date.UTC(2018, 9, 1), to: Date.UTC(2018, 9, 2) - 1 },
      { prefix: 'dt=2018-10-02/', from: Date.UTC(2018, 9, 2), to: Date.UTC(2018, 9, 3) - 1 },
    ]);

    const day = await ask<Folder>(runner.current, 'folder', { bucket: 'plant-a', prefix: DAY });
    const [object] = day.objects;
    assert.ok(object && day.objects.length === 1);
    assert.equal(object.key, archive.names['plant-a']?.[0]);
    const first = Date.UTC(2018, 9, 1, 17);
    const last = first + (MINUTES - 1) * 60_000;
    assert.deepEqual([object.count, object.first, object.last], [MINUTES * DEVICES.length, first, last]);
    assert.deepEqual(day.asked, { requests: 2, bytes: 0 });
    // Its attributes are known by now.
    const again = await ask<Folder>(runner.current, 'folder', { bucket: 'plant-a', prefix: DAY });
    assert.deepEqual(again.objects, day.objects);
    assert.deepEqual(again.asked, { requests: 1, bytes: 0 });

    const place = { bucket: 'plant-a', key: object.key, etag: object.etag };
    const series = await ask<Page<Series>>(runner.current, 'series', place);
    assert.deepEqual(
      series.items.map(({ series: name, records }) => [name, records]),
      DEVICES.map((device) => [`${device}/WELD/1`, MINUTES]),
    );
    assert.deepEqual([series.count, series.pages, series.next], [object.count, 1, undefined]);

    const entries = await ask<Page<Entry>>(runner.current, 'entries', { ...place, series: 1 });
    const expected = archive.spots.filter(
      ({ plant, device, time }) => plant === 'plant-a' && device === 'D2' && time < days.folders[1]!.from!,
    );
    assert.deepEqual(
      entries.items.map(({ time, key, topic }) => ({ time, key, topic })),
      expected.map(({ time, key, topic }) => ({ time, key, topic })),
    );

    for (const [index, entry] of entries.items.entries()) {
      const record = await ask<ShownRecord>(runner.current, 'record', { ...place, place: entry.place });
      assert.equal(Buffer.from(record.payload, 'base64').toString(), expected[index]?.payload);
      assert.equal(record.size, expected[index]?.payload.length);
      assert.equal(record.series, 'D2/WELD/1');
      assert.ok(record.asked.requests <= 3, `${record.asked.requests} requests`);
    }
  });

  it('fetches no object whole', async () => {
    const place = await objectOf();
    archive.server.stats.bytesSent = 0;
    const { items, asked } = await ask<
      Page<{ offset: number; length: number; records: number; series: string }>
    >(runner.current, 'blocks', place);
    assert.equal(items.length, 2);
    let end = 0;
    for (const block of items) {
      assert.equal(block.offset, end);
      end += block.length;
    }
    assert.equal(
      items.reduce((sum, { records }) => sum + records, 0),
      MINUTES * DEVICES.length,
    );
    // The index is small enough to be in the attributes.
    assert.deepEqual(asked, { requests: 1, bytes: 0 });
    const { asked: forRecord, blockLength } = await ask<ShownRecord>(runner.current, 'record', {
      ...place,
      place: 0,
    });
    assert.deepEqual(forRecord, { requests: 2, bytes: blockLength });
  });

  it('pages long folders, and long lists of an object', async () => {
    await archive.createBucket('many');
    const put = (key: string): Promise<unknown> =>
      archive.store.put('many', key, Buffer.from('x'), { contentType: 'text/plain', attributes: {} });
    const folders = Array.from({ length: 40 }, (_, n) => `day-${String(n).padStart(2, '0')}/`);
    const names = Array.from({ length: 40 }, (_, n) => `zz-${String(n).padStart(2, '0')}`);
    await Promise.all([...folders.map((folder) => `${folder}1`), ...names, 'zz-01.index.gz'].map(put));
    const seen: string[] = [];
    let after: string | undefined;
    let pages = 0;
    do {
      const page: Folder = await ask<Folder>(runner.current, 'folder', {
        bucket: 'many',
        ...(after !== undefined && { after }),
      });
      assert.ok(page.folders.length + page.objects.length <= 50);
      seen.push(...page.folders.map(({ prefix }) => prefix), ...page.objects.map(({ key }) => key));
      after = page.next;
      pages++;
    } while (after !== undefined);
    assert.deepEqual(seen, [...folders, ...names]);
    assert.equal(pages, 2);
  });

  it('shows the buckets that the layout names, and goes on, when all buckets may not be listed', async () => {
    archive.server.faults.add({
      kind: 'status',
      status: 403,
      code: 'AccessDenied',
      match: ({ operation }) => operation === 'ListBuckets',
    });
    const without = await ask<Answer & { buckets: string[]; denied?: { code: string; message: string } }>(
      runner.current,
      'buckets',
    );
    assert.deepEqual(without.buckets, []);
    assert.equal(without.denied?.code, 'ACCESS_DENIED');
    assert.match(without.denied.message, /denies access/);
    const { buckets } = await ask<Answer & { buckets: string[] }>(runner.current, 'buckets', {
      layout: 'layout',
    });
    assert.deepEqual(buckets, ['plant-a']);
    const days = await ask<Folder>(runner.current, 'folder', { bucket: 'plant-b' });
    assert.equal(days.folders.length, 2);
  });

  it('tells where an offset-index would look, and asks the store for no more than its buckets', async () => {
    const places = (parameters: Record<string, string>): Promise<Answer & { buckets: string[] }> =>
      ask(runner.current, 'places', parameters);
    const given = await places({ bucket: 'plant-b', from: '2018-10-01T17:00:00Z' });
    assert.deepEqual(given, {
      buckets: ['plant-b'],
      from: Date.UTC(2018, 9, 1, 17),
      asked: { requests: 0, bytes: 0 },
    });
    const told = await places({ layout: 'layout', levels: '{"DEVICE-ID":"D1"}', to: '20181002 170000' });
    assert.deepEqual(told, {
      buckets: ['plant-a'],
      to: Date.UTC(2018, 9, 2, 17),
      asked: { requests: 0, bytes: 0 },
    });
    const every = await places({ layout: 'layout', bucket: '*' });
    assert.ok(every.buckets.includes('plant-a') && every.buckets.includes('plant-b'));
    assert.equal(every.asked.requests, 1);
    for (const wrong of [
      {},
      { bucket: 'b', from: 'noon' },
      { bucket: 'b', levels: '{' },
      { bucket: 'b', levels: '[]' },
    ]) {
      const { code } = await refusal(runner.current, 'places', wrong);
      assert.equal(code, 'QUERY_INVALID', JSON.stringify(wrong));
    }
  });

  it('tells from names what attributes do not, and why they do not', async () => {
    archive.server.faults.add({
      kind: 'status',
      status: 403,
      code: 'AccessDenied',
      match: ({ operation }) => operation === 'HeadObject' || operation === 'GetObject',
    });
    await archive.createBucket('named');
    const name = `${DAY}20181001T170000Z-20181001T170900Z-01k9x2m7q0c4v8t6s1r3.ndjson.gz`;
    await archive.store.put('named', name, Buffer.from('x'), { contentType: 'text/plain', attributes: {} });
    const parameters = { bucket: 'named', prefix: DAY, layout: 'layout' };
    const { objects, failure } = await ask<Folder>(runner.current, 'folder', parameters);
    assert.equal(failure?.code, 'ACCESS_DENIED');
    const [{ first, last, count } = {}] = objects;
    assert.deepEqual(
      [first, last, count],
      [Date.UTC(2018, 9, 1, 17), Date.UTC(2018, 9, 1, 17, 9, 0, 999), undefined],
    );
  });

  describe('refuses with a code and a sentence', () => {
    const cases: [string, string, Record<string, string | number>, string, number][] = [
      ['a bucket that is not there', 'folder', { bucket: 'nowhere' }, 'BUCKET_MISSING', 502],
      ['no bucket', 'folder', {}, 'QUERY_INVALID', 400],
      ['an object that is not there', 'object', { bucket: 'plant-a', key: 'x' }, 'OBJECT_MISSING', 502],
      ['an object without a name', 'series', { bucket: 'plant-a' }, 'QUERY_INVALID', 400],
      ['a layout that is not there', 'buckets', { layout: 'nobody' }, 'LAYOUT_INVALID', 400],
      ['a layout that is none', 'buckets', { layout: 'connection' }, 'LAYOUT_INVALID', 400],
    ];
    for (const [what, question, parameters, code, status] of cases) {
      it(what, async () => {
        const refused = await refusal(runner.current, question, parameters);
        assert.deepEqual([refused.code, refused.status], [code, status], refused.message);
        assert.ok(refused.message.length > 20);
      });
    }

    it('what is no connection', async () => {
      for (const id of ['nobody', 'layout', 'sink', '__proto__', '..%2F..', '%00']) {
        const { code, status } = await refusal(runner.current, 'buckets', {}, id);
        assert.deepEqual([code, status], ['CONNECTION_INVALID', 400], id);
      }
    });

    it('places that an object does not have', async () => {
      const place = await objectOf();
      for (const [question, parameters] of [
        ['series', { page: 1 }],
        ['entries', { series: 2 }],
        ['record', { place: 20 }],
        ['record', { place: -1 }],
        ['record', { place: '1e3' }],
        ['blocks', { page: '9'.repeat(30) }],
      ] as const) {
        const { code } = await refusal(runner.current, question, { ...place, ...parameters });
        assert.equal(code, 'QUERY_INVALID', JSON.stringify([question, parameters]));
      }
    });

    it('a parameter that is given twice', async () => {
      const { status, body } = await runner.current.get(
        '/s3-batch/browse/connection/folder?bucket=a&bucket=b',
      );
      assert.deepEqual([status, (body as { code: string }).code], [400, 'QUERY_INVALID']);
    });

    it('an object that was replaced', async () => {
      const place = await objectOf();
      const { code } = await refusal(runner.current, 'series', { ...place, etag: '"other"' });
      assert.equal(code, 'OBJECT_CHANGED');
    });

    it('everything, while the store is away', async () => {
      archive.server.faults.add({ kind: 'reset' });
      for (const question of ['buckets', 'folder', 'object', 'record']) {
        const { code, asked } = await refusal(runner.current, question, { bucket: 'plant-a', key: 'x' });
        assert.equal(code, 'STORE_UNREACHABLE', question);
        assert.deepEqual(asked, { requests: 1, bytes: 0 });
      }
    });

    it('never with a secret', async () => {
      archive.server.faults.add({ kind: 'status', status: 403, code: 'SignatureDoesNotMatch' });
      const refused = await refusal(runner.current, 'buckets');
      assert.equal(refused.code, 'CREDENTIALS_INVALID');
      assert.doesNotMatch(JSON.stringify(refused), /test-secret|Signature=|Authorization/);
    });
  });

  describe('with objects that are not what they seem', () => {
    const put = (key: string, body: Buffer, attributes: Record<string, string> = {}): Promise<unknown> =>
      archive.store.put(HOSTILE, key, body, { contentType: 'application/gzip', attributes });

    /** The first object of the archive, changed. */
    async function changed(
      key: string,
      change: (body: Buffer, attributes: Record<string, string>) => Buffer,
    ): Promise<void> {
      const { key: own } = await objectOf();
      const { bytes, attributes } = await archive.store.getRange('plant-a', own, { offset: 0, length: 1e6 });
      const copy = { ...attributes };
      await put(key, change(Buffer.from(bytes), copy), copy);
    }

    it('lists them beside the others, each with what is wrong with it', async () => {
      await put('o/foreign', Buffer.from('hello'));
      await changed('o/liar', (body, attributes) => {
        attributes.count = '-1';
        return body;
      });
      await changed('o/later', (body, attributes) => {
        attributes.format = 's3-batch/2';
        return body;
      });
      await changed('o/right', (body) => body);
      const { objects } = await ask<Folder>(runner.current, 'folder', { bucket: HOSTILE, prefix: 'o/' });
      assert.deepEqual(
        objects.map(({ key, count, failure }) => [key, count, failure?.code]),
        [
          ['o/foreign', undefined, undefined],
          ['o/later', undefined, 'OBJECT_VERSION'],
          ['o/liar', undefined, 'OBJECT_CORRUPT'],
          ['o/right', 20, undefined],
        ],
      );
    });

    it('says what they are when they are looked into', async () => {
      await put('m/foreign', Buffer.alloc(1000, 'x'));
      await put('m/gzip', gzipSync('{"a":1}\n'));
      await put('m/empty', Buffer.alloc(0));
      await changed('m/torn', (body) => body.subarray(0, 100));
      await changed('m/liar', (body, attributes) => {
        attributes['map-index'] = gzipSync(Buffer.alloc(100)).toString('base64');
        attributes['map-pages'] = (attributes['map-pages'] ?? '').replace(/\d+$/, '100');
        return body;
      });
      for (const [key, code] of [
        ['foreign', 'OBJECT_FOREIGN'],
        ['gzip', 'OBJECT_FOREIGN'],
        ['empty', 'OBJECT_FOREIGN'],
        ['torn', 'OBJECT_CORRUPT'],
        ['liar', 'OBJECT_CORRUPT'],
      ] as const) {
        const place = { bucket: HOSTILE, key: `m/${key}` };
        for (const question of ['series', 'blocks', 'entries', 'record']) {
          const refused = await refusal(runner.current, question, place);
          assert.deepEqual([refused.code, refused.status], [code, 502], `${key}: ${refused.message}`);
        }
      }
    });

    it('refuses bytes that are no block', async () => {
      await changed('broken', (body) => body.fill(7, 20, 200));
      const { code } = await refusal(runner.current, 'record', { bucket: HOSTILE, key: 'broken', place: 0 });
      assert.equal(code, 'OBJECT_CORRUPT');
    });

    it('reads an object whose attributes were lost', async () => {
      await changed('lost', (body, attributes) => {
        for (const name of Object.keys(attributes)) Reflect.deleteProperty(attributes, name);
        return body;
      });
      const place = { bucket: HOSTILE, key: 'lost' };
      const { count, items } = await ask<Page<Series>>(runner.current, 'series', place);
      assert.deepEqual([count, items.length], [20, 2]);
      const record = await ask<ShownRecord>(runner.current, 'record', { ...place, place: 3 });
      assert.match(Buffer.from(record.payload, 'base64').toString(), /"Quality":"OK"/);
    });
  });
});
