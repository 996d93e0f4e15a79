import assert from 'node:assert/strict';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isBucketName, Layout, type LayoutSettings, MAX_TIME, Placement } from '../../../lib/layout';
import { RecordFlag } from '../../../lib/record';
import { BATCH, placed, WELD_TEXT, WELD_TIME, WELD_TOPIC, WELDING } from './welding';

const compressed = (level: string): string => WELD_TOPIC.replace('NONE', level);

describe('layout', () => {
  it('finds the place of a weld message', () => {
    const layout = new Layout(WELDING);
    const placement = placed(layout, WELD_TOPIC, WELD_TEXT);
    assert.equal(placement.bytes.toString(), WELD_TEXT);
    assert.equal(placement.json, true);
    assert.equal(placement.lineBreaks, false);
    assert.equal(placement.time, WELD_TIME);
    assert.equal(placement.flags, 0);
    assert.equal(placement.series, 'WELDING-STATION-12/WELD/1');
    assert.equal(placement.topic.topic, WELD_TOPIC);
    assert.equal(placement.topic.matched, true);
    assert.equal(placement.topic.levels['PLANT-ID'], 'PLANT-7');
    assert.deepEqual(placement.destination, {
      id: 'plant-7/dt=2018-10-01',
      bucket: 'plant-7',
      values: {},
      partition: { name: 'dt=2018-10-01', start: Date.UTC(2018, 9, 1), end: Date.UTC(2018, 9, 2) },
    });
    const name = layout.objectName(placement.destination, BATCH);
    assert.equal(name, 'dt=2018-10-01/20181001T171035Z-20181001T171136Z-01J9Z.ndjson.gz');
  });

  it('works without any settings: bucket by topic, time of arrival', () => {
    const placement = placed(new Layout(), 'Plants/7', '{"a":\r\n1}');
    assert.equal(placement.time, 1.6e12);
    assert.equal(placement.flags, 0);
    assert.equal(placement.lineBreaks, true);
    assert.equal(placement.series, 'Plants/7');
    assert.equal(placement.destination.id, 'plants-7/dt=2020-09-13');
  });

  it('gives the very same topic and destination again', () => {
    const layout = new Layout(WELDING);
    const one = placed(layout, WELD_TOPIC, WELD_TEXT);
    const other = placed(layout, `${WELD_TOPIC.slice(0, -1)}1`, WELD_TEXT.replace('171035', '171036'));
    assert.equal(one.topic, other.topic);
    assert.equal(one.destination, other.destination);
    assert.equal(layout.topicInfo(WELD_TOPIC), one.topic);
    const neighbour = placed(layout, WELD_TOPIC.replace('12', '13'), WELD_TEXT);
    assert.notEqual(neighbour.topic, one.topic);
    assert.equal(neighbour.destination, one.destination);
  });

  it('leaves nothing of one message in the next', () => {
    const layout = new Layout({ ...WELDING, key: 'DEVICE-ID/payload.weldspot.Line/time' });
    const placement = new Placement();
    layout.resolve(WELD_TOPIC, Buffer.from(WELD_TEXT.replace(':', ':\n')), 1, placement);
    assert.deepEqual(
      [placement.series, placement.flags, placement.lineBreaks],
      ['WELDING-STATION-12/L1', 0, true],
    );
    layout.resolve(WELD_TOPIC, Buffer.from('x'), 1, placement);
    assert.deepEqual(
      [placement.series, placement.json, placement.lineBreaks, placement.time],
      ['WELDING-STATION-12/', false, false, 1],
    );
    assert.equal(placement.flags, RecordFlag.ARRIVAL_TIME | RecordFlag.FIELD_MISSING);
  });

  it('takes the arrival where the payload tells no time', () => {
    const layout = new Layout(WELDING);
    for (const payload of [
      '',
      '{}',
      '[]',
      'null',
      '{"weldspot":{"Timestamp":null}}',
      '{"weldspot":{"Timestamp":"soon"}}',
      '{"weldspot":{"Timestamp":true}}',
      '{"weldspot":{"Timestamp":{}}}',
      WELD_TEXT.slice(0, -1),
      WELD_TEXT.replace('1001', '0230'),
    ]) {
      for (let again = 0; again < 3; again++) {
        const { time, flags } = placed(layout, WELD_TOPIC, payload);
        assert.deepEqual([time, flags], [1.6e12, RecordFlag.ARRIVAL_TIME], payload);
      }
    }
    for (const [arrival, time] of [
      [-5, 0],
      [NaN, 0],
      [Infinity, MAX_TIME],
      [1.5, 1],
    ] as const) {
      assert.equal(placed(layout, WELD_TOPIC, '', arrival).time, time);
    }
  });

  it('takes times as strings, with escapes, too, and as numbers', () => {
    const layout = (format: string): Layout =>
      new Layout({ time: { source: 'field', field: 't', format, zone: 'UTC' } });
    assert.equal(
      placed(layout('yyyyMMdd HHmmss'), 'x', '{"t":"\\u00320181001\\u0020171035"}').time,
      WELD_TIME,
    );
    assert.equal(placed(layout('epoch-s'), 'x', '{"t":1538413835}').time, WELD_TIME);
    assert.equal(placed(layout('epoch-s'), 'x', '{"t":"1538413835"}').time, WELD_TIME);
    assert.equal(placed(layout('epoch-ms'), 'x', '{"t":1.538413835e12}').time, WELD_TIME);
    assert.equal(placed(layout('yyyyMMdd'), 'x', '{"t":20181001}').time, Date.UTC(2018, 9, 1));
    const slow = layout('d MMM yyyy');
    for (const day of ['1', '2', '1', '1']) {
      assert.equal(placed(slow, 'x', `{"t":"${day} Oct 2018"}`).time, Date.UTC(2018, 9, Number(day)));
    }
    assert.equal(placed(slow, 'x', `{"t":"${' '.repeat(10_000)}"}`).flags, RecordFlag.ARRIVAL_TIME);
  });

  it('parts records by the time of the record, also when it goes back and forth', () => {
    const layout = new Layout(WELDING);
    const id = (text: string): string =>
      placed(layout, WELD_TOPIC, `{"weldspot":{"Timestamp":"${text}"}}`).destination.id;
    assert.equal(id('20181001 235959'), 'plant-7/dt=2018-10-01');
    assert.equal(id('20181002 000000'), 'plant-7/dt=2018-10-02');
    assert.equal(id('20181001 000000'), 'plant-7/dt=2018-10-01');
    assert.equal(id('20180930 235959'), 'plant-7/dt=2018-09-30');
    assert.equal(
      placed(new Layout({ ...WELDING, partition: 'none' }), WELD_TOPIC, WELD_TEXT).destination.id,
      'plant-7',
    );
  });

  it('decompresses what the topic calls compressed', () => {
    const layout = new Layout(WELDING);
    for (const [level, bytes, flag] of [
      ['GZIP', gzipSync(WELD_TEXT), RecordFlag.GUNZIPPED],
      ['gzip', gzipSync(WELD_TEXT), RecordFlag.GUNZIPPED],
      ['Zlib', deflateSync(WELD_TEXT), RecordFlag.INFLATED],
    ] as const) {
      const placement = placed(layout, compressed(level), bytes);
      assert.equal(placement.bytes.toString(), WELD_TEXT);
      assert.deepEqual([placement.flags, placement.time, placement.json], [flag, WELD_TIME, true]);
      assert.equal(placement.series, 'WELDING-STATION-12/WELD/1');
    }
  });

  it('keeps what cannot be decompressed as it came', () => {
    const whole = gzipSync(WELD_TEXT);
    const layout = new Layout({ ...WELDING, decompressLimit: 1000 });
    const kept = RecordFlag.NOT_DECOMPRESSED | RecordFlag.ARRIVAL_TIME;
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('x'),
      whole.subarray(0, -9),
      gzipSync(Buffer.alloc(1001)),
      gzipSync(Buffer.alloc(50_000_000)),
      deflateSync(WELD_TEXT),
    ]) {
      const placement = placed(layout, compressed('GZIP'), bytes);
      assert.equal(placement.bytes, bytes);
      assert.equal(placement.flags, kept);
    }
    assert.equal(placed(layout, compressed('GZIP'), gzipSync(Buffer.alloc(1000))).bytes.length, 1000);
    const plain = placed(layout, compressed('ZLIB'), WELD_TEXT);
    assert.deepEqual([plain.flags, plain.time], [RecordFlag.NOT_DECOMPRESSED, WELD_TIME]);
  });

  it('leaves payloads alone where it is told to, or the topic says nothing', () => {
    const gzip = gzipSync(WELD_TEXT);
    const never = placed(new Layout({ ...WELDING, decompress: false }), compressed('GZIP'), gzip);
    assert.deepEqual([never.bytes, never.flags], [gzip, RecordFlag.ARRIVAL_TIME]);
    for (const level of ['NONE', '', 'BROTLI', 'GZIPPED']) {
      assert.equal(placed(new Layout(WELDING), compressed(level), WELD_TEXT).flags, 0, level);
    }
    assert.equal(
      placed(new Layout({ ...WELDING, compressedLevel: '' }), compressed('GZIP'), WELD_TEXT).flags,
      0,
    );
    assert.equal(
      placed(new Layout({ ...WELDING, compressedLevel: 'FORMAT' }), 'A/gzip/B/C/D/E/F', gzip).flags,
      RecordFlag.GUNZIPPED,
    );
  });

  it('sends topics that do not fit to the unmatched bucket where the template needs a level', () => {
    const settings: Partial<LayoutSettings> = {
      ...WELDING,
      objectName: '{{DEVICE-ID}}/{{payload.weldspot.Line}}/{{batch}}',
    };
    const byLevel = placed(new Layout(settings), 'other/topic', WELD_TEXT);
    assert.equal(byLevel.series, 'other/topic');
    assert.equal(byLevel.flags, RecordFlag.UNMATCHED_TOPIC);
    assert.equal(byLevel.time, WELD_TIME);
    assert.deepEqual(byLevel.topic.levels, {});
    assert.equal(byLevel.topic.matched, false);
    assert.equal(byLevel.destination.bucket, 'unmatched');
    assert.deepEqual(byLevel.destination.values, { 'DEVICE-ID': 'unmatched', 'payload.weldspot.Line': 'L1' });
    const byField = new Layout({
      ...settings,
      buckets: [{ topic: '#', bucket: 'line-{{payload.weldspot.Line}}' }],
    });
    assert.equal(placed(byField, 'other/topic', WELD_TEXT).destination.bucket, 'line-l1');
    assert.equal(
      placed(new Layout({ ...settings, buckets: [] }), 'other/topic', WELD_TEXT).destination.bucket,
      'other-topic',
    );
  });

  it('takes the bucket of the first row that matches, else the topic', () => {
    const layout = new Layout({
      ...WELDING,
      buckets: [
        { topic: '+/+/+/PLANT-7/#', bucket: 'seven' },
        { topic: 'ACME/#', bucket: '{{ROOT}}.{{PLANT-ID}}' },
        { topic: 'FIELD/#', bucket: 'x-{{{payload.line}}}' },
      ],
    });
    const bucket = (topic: string, payload = '{}'): string =>
      placed(layout, topic, payload).destination.bucket;
    assert.equal(bucket(WELD_TOPIC), 'seven');
    assert.equal(bucket(WELD_TOPIC.replace('PLANT-7', 'PLANT-8')), 'acme.plant-8');
    assert.equal(bucket('a/b/c/d/e/f/g'), 'a-b-c-d-e-f-g');
    assert.equal(bucket('FIELD/b/c/d/e/f/g', '{"line":7}'), 'x-7');
    assert.match(bucket('FIELD/b/c/d/e/f/g', '{}'), /^x-[0-9a-f]{8}$/);
    assert.equal(
      placed(layout, 'FIELD/b/c/d/e/f/g', '{"weldspot":{"Timestamp":"20181001 171035"}}').flags,
      RecordFlag.FIELD_MISSING,
    );
    assert.equal(placed(layout, WELD_TOPIC, WELD_TEXT).flags, 0);
  });

  it('tells destinations apart by their values only, never by how they are joined', () => {
    const layout = new Layout({
      buckets: [{ topic: '#', bucket: 'one' }],
      objectName: '{{payload.a}}/{{payload.b}}/{{batch}}',
    });
    const at = (a: unknown, b: unknown): unknown => placed(layout, 'x', JSON.stringify({ a, b })).destination;
    assert.notEqual(at('1:1', ''), at('1', '1'));
    assert.notEqual(at('a/b', 'c'), at('a', 'b/c'));
    assert.notEqual(at('a\0', 'b'), at('a', '\0b'));
    assert.equal(at('1', true), at(1, 'true'));
    assert.equal(at('', 'b'), at(null, 'b'));
  });

  it('forgets topics and destinations that did not come of late, so that memory stays bounded', () => {
    const layout = new Layout({ ...WELDING, objectName: '{{payload.n}}/{{batch}}', key: 'payload.n/time' });
    const publish = (n: number): Placement => placed(layout, `a/b/NONE/p/${n}/t/1`, `{"n":${n}}`);
    const { topic, destination } = publish(-1);
    for (let n = 0; n < 10_000; n++) publish(n);
    assert.equal(publish(-1).topic, topic);
    assert.equal(publish(-1).destination, destination);
    for (let n = 10_000; n < 31_000; n++) publish(n);
    const again = publish(-1);
    assert.notEqual(again.topic, topic);
    assert.notEqual(again.destination, destination);
    assert.deepEqual(again.destination, destination);
    const long = 'x'.repeat(2000);
    assert.notEqual(placed(layout, long, '').topic, placed(layout, long, '').topic);
    assert.equal(placed(layout, long, '').destination.id, placed(layout, long, '').destination.id);
  });

  it('never throws and always finds a safe place, whatever comes', () => {
    const layouts: Layout[] = [
      new Layout(),
      new Layout({ partition: 'hour', objectName: '{{topic}}/{{partition}}/{{batch}}{{extension}}' }),
      new Layout({
        ...WELDING,
        partition: 'none',
        objectName:
          '{{partition}}/{{ROOT}}/.{{PLANT-ID}}{{payload.a}}/{{{topic}}}/{{partition}}/{{instance}}{{count}}{{batch}}{{extension}}',
      }),
      new Layout({
        topic: '+A/#B',
        time: { source: 'field', field: 'a', format: 'iso', zone: 'Europe/Berlin' },
        compressedLevel: 'A',
        key: 'B/payload.b/time',
        buckets: [{ topic: '+/x', bucket: '{{B}}{{payload.a}}' }],
        objectName: `${'{{B}}-'.repeat(20)}/{{partition}}/{{batch}}`,
      }),
    ];
    const level = fc.oneof(
      fc.constantFrom(
        '',
        '.',
        '..',
        '$SYS',
        '+',
        '#',
        'GZIP',
        'ZLIB',
        'a b',
        '%2F',
        '\ud800',
        'x'.repeat(1000),
      ),
      fc.string({ unit: 'binary' }),
    );
    const topic = fc.array(level, { maxLength: 9 }).map((levels) => levels.join('/'));
    const payload = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.record({ a: fc.jsonValue(), b: fc.jsonValue() }).map((value) => Buffer.from(JSON.stringify(value))),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '.', '..', '/', 'x'.repeat(2000)),
    );
    fc.assert(
      fc.property(
        topic,
        payload,
        fc.double(),
        fc.record({ batch: text, instance: text, extension: text }),
        (name, bytes, arrival, batch) => {
          for (const layout of layouts) {
            const placement = placed(layout, name, bytes, arrival);
            const { destination, time, series } = placement;
            assert.ok(isBucketName(destination.bucket), destination.bucket);
            assert.ok(Number.isInteger(time) && time >= 0 && time <= MAX_TIME);
            assert.ok(destination.partition.start <= time && time < destination.partition.end);
            assert.ok(!/\p{Cc}/u.test(series));
            const object = layout.objectName(destination, { ...BATCH, ...batch });
            assert.ok(Buffer.byteLength(object) <= 1000, object);
            assert.match(object, /^[A-Za-z0-9_.=@+,%/-]+$/);
            assert.ok(
              object.split('/').every((segment) => !['', '.', '..'].includes(segment)),
              object,
            );
            const again = placed(layout, name, bytes, arrival);
            assert.equal(again.series, series);
            assert.deepEqual(again.destination, destination);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
