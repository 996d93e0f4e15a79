import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Layout, type LayoutSettings, offsetKey } from '../../../lib/layout';
import { placed, WELD_TEXT, WELD_TIME, WELD_TOPIC, WELDING } from './welding';

const withKey = (key: string, more: Partial<LayoutSettings> = {}): Layout =>
  new Layout({ ...WELDING, key, ...more });

describe('offset key', () => {
  it('is series and time', () => {
    const layout = new Layout(WELDING);
    const { series, time } = placed(layout, WELD_TOPIC, WELD_TEXT);
    assert.equal(series, 'WELDING-STATION-12/WELD/1');
    assert.equal(layout.keyOf(series, time), 'WELDING-STATION-12/WELD/1/20181001 171035');
    assert.deepEqual(layout.keyShape, {
      template: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
      timePosition: -1,
      timeFormat: 'yyyyMMdd HHmmss',
      timeZone: 'UTC',
    });
    assert.deepEqual(layout.splitKey('WELDING-STATION-12/WELD/1/20181001 171035'), {
      series: 'WELDING-STATION-12/WELD/1',
      time: { from: WELD_TIME, to: WELD_TIME + 999 },
    });
    assert.equal(layout.splitKey('WELDING-STATION-12/WELD/1/yesterday'), undefined);
    assert.equal(layout.splitKey('20181001 171035'), undefined);
    assert.equal(layout.splitKey(''), undefined);
  });

  it('has all levels but the compression by default, or the topic when none is named', () => {
    assert.equal(
      withKey('').keyShape.template,
      'ROOT/FORMAT/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
    );
    const any = new Layout();
    const { series, time } = placed(any, 'a/b%/c\n', 'x');
    assert.equal(series, 'a/b%25/c%0A');
    assert.equal(any.keyOf(series, time), 'a/b%25/c%0A/2020-09-13T12:26:40.000Z');
    assert.deepEqual(any.splitKey('a/b/2020-09-13T12:26:40.000Z'), {
      series: 'a/b',
      time: { from: 1.6e12, to: 1.6e12 },
    });
    assert.equal(new Layout({ topic: '+COMPRESSED/x' }).keyShape.template, 'topic/time');
  });

  it('takes the time by any of its names', () => {
    for (const name of ['time', 'Timestamp', 'weldspot.Timestamp', 'payload.weldspot.Timestamp']) {
      const layout = withKey(`DEVICE-ID/${name}`);
      assert.deepEqual(
        [layout.keyShape.template, layout.keyShape.timePosition],
        ['DEVICE-ID/Timestamp', -1],
        name,
      );
    }
    const clash = new Layout({
      topic: 'Timestamp/B',
      time: { source: 'field', field: 'a.Timestamp', format: 'iso', zone: 'UTC' },
      key: 'Timestamp/time',
    });
    assert.equal(clash.keyShape.template, 'Timestamp/time');
    assert.equal(placed(clash, 'level/b', '{}').series, 'level');
  });

  it('puts the time where the template has it', () => {
    const first = withKey('time/DEVICE-ID/MSG-TYPE');
    assert.equal(first.keyShape.timePosition, 0);
    assert.equal(first.keyOf('a/b', WELD_TIME), '20181001 171035/a/b');
    assert.equal(first.splitKey('20181001 171035/a/b')?.series, 'a/b');
    const middle = withKey('DEVICE-ID/time/MSG-TYPE');
    assert.equal(middle.keyOf('a/b', WELD_TIME), 'a/20181001 171035/b');
    assert.equal(middle.splitKey('a/20181001 171035/b')?.series, 'a/b');
    const afterTopic = withKey('topic/time/DEVICE-ID');
    assert.equal(afterTopic.keyShape.timePosition, -2);
    assert.equal(afterTopic.keyOf('a/b/c/d', WELD_TIME), 'a/b/c/20181001 171035/d');
    assert.equal(afterTopic.splitKey('a/b/c/20181001 171035/d')?.series, 'a/b/c/d');
    const none = withKey('DEVICE-ID');
    assert.equal(none.keyOf('a', WELD_TIME), 'a');
    assert.deepEqual(none.splitKey('a'), { series: 'a', time: undefined });
    const only = withKey('time');
    assert.equal(placed(only, WELD_TOPIC, WELD_TEXT).series, '');
    assert.equal(only.keyOf('', WELD_TIME), '20181001 171035');
    assert.deepEqual(only.splitKey('20181001 171035')?.series, '');
  });

  it('has payload fields as they are written, and empty parts for missing ones', () => {
    const layout = withKey('payload.weldspot.Line/DEVICE-ID/payload["a/b"]/time');
    assert.equal(layout.keyShape.template, 'payload.weldspot.Line/DEVICE-ID/payload["a%2Fb"]/Timestamp');
    const full = placed(layout, WELD_TOPIC, '{"weldspot":{"Line":"L/1"},"a/b":1.50}');
    assert.equal(full.series, 'L%2F1/WELDING-STATION-12/1.50');
    const missing = placed(layout, WELD_TOPIC, '{"weldspot":{"Line":null},"a/b":[]}');
    assert.equal(missing.series, '/WELDING-STATION-12/');
    assert.equal(layout.keyOf(missing.series, WELD_TIME), '/WELDING-STATION-12//20181001 171035');
    assert.equal(layout.splitKey('/WELDING-STATION-12//20181001 171035')?.series, missing.series);
  });

  it('encodes times that hold a slash', () => {
    const layout = new Layout({
      ...WELDING,
      time: { source: 'field', field: 'T', format: 'dd/MM/yyyy', zone: 'UTC' },
      key: 'time/DEVICE-ID',
    });
    assert.equal(layout.keyOf('a', WELD_TIME), '01%2F10%2F2018/a');
    assert.deepEqual(layout.splitKey('01%2F10%2F2018/a'), {
      series: 'a',
      time: { from: Date.UTC(2018, 9, 1), to: Date.UTC(2018, 9, 2) - 1 },
    });
  });

  it('is rebuilt without the layout from what the object says', () => {
    const { keyShape } = new Layout(WELDING);
    assert.equal(
      offsetKey(keyShape, 'WELDING-STATION-12/WELD/1', WELD_TIME),
      'WELDING-STATION-12/WELD/1/20181001 171035',
    );
    for (const wrong of [{ timeZone: 'Nowhere' }, { timeFormat: 'HH' }]) {
      assert.throws(() => offsetKey({ ...keyShape, ...wrong }, 'a', 0), { code: 'OBJECT_CORRUPT' });
    }
    assert.equal(offsetKey({ ...keyShape, timePosition: undefined, timeZone: 'Nowhere' }, 'a', 0), 'a');
    for (const timePosition of [5, -7, 1e9, -1e9]) {
      assert.match(
        offsetKey({ ...keyShape, timePosition }, 'a/b', WELD_TIME),
        /^(20181001 171035\/a\/b|a\/b\/20181001 171035)$/,
      );
    }
  });

  it('takes little memory and time for many keys of a long series, wherever the time stands', () => {
    const series = '/'.repeat(1_000_000);
    for (const timePosition of [0, 500_000, -500_000]) {
      const shape = { template: 'time/topic', timePosition, timeFormat: 'iso', timeZone: 'UTC' };
      const before = process.memoryUsage().heapUsed;
      const keys = Array.from({ length: 1000 }, (_, n) => offsetKey(shape, series, n));
      const taken = process.memoryUsage().heapUsed - before;
      assert.equal(keys[999]?.length, series.length + 1 + '1970-01-01T00:00:00.999Z'.length);
      assert.ok(taken < 200_000_000, `${taken} bytes`);
    }
  });

  it('comes apart as it was put together, for any topic, field and time, with the layout and without', () => {
    const topics = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc
        .array(fc.constantFrom('a', '', '%', 'b c', '..', 'é'), { minLength: 7, maxLength: 7 })
        .map((all) => all.join('/')),
    );
    const keys = fc.constantFrom(
      '',
      'time/DEVICE-ID',
      'DEVICE-ID/time/MSG-TYPE',
      'topic/time/MSG-TYPE',
      'MSG-TYPE/time/topic',
      'time',
      'payload.a/time/payload.b',
      'DEVICE-ID',
    );
    const formats = fc.constantFrom(
      'iso',
      'epoch-s',
      'epoch-ms',
      'yyyyMMdd HHmmss',
      'dd/MM/yyyy HH:mm:ss.SSS',
      'd MMM yyyy h:mm a',
    );
    fc.assert(
      fc.property(
        topics,
        keys,
        formats,
        fc.jsonValue(),
        fc.integer({ min: 0, max: 4e12 }),
        (topic, key, format, payload, ms) => {
          const layout = withKey(key, { time: { source: 'field', field: 'T', format, zone: 'UTC' } });
          const { series } = placed(layout, topic, JSON.stringify({ a: payload, b: 1 }));
          const text = layout.keyOf(series, ms);
          assert.equal(offsetKey(layout.keyShape, series, ms), text);
          const split = layout.splitKey(text);
          assert.equal(split?.series, series);
          const span = split.time;
          if (layout.keyShape.timePosition !== undefined)
            assert.ok(span !== undefined && span.from <= ms && ms <= span.to);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('times in queries', () => {
  it('are read in the layout’s format, then ISO 8601, then milliseconds', () => {
    const layout = withKey('', {
      time: { source: 'field', field: 'T', format: 'yyyyMMdd HHmmss', zone: 'Europe/Berlin' },
    });
    assert.equal(layout.parseTime('20181001 191035'), WELD_TIME);
    assert.equal(layout.parseTime('2018-10-01T19:10:35'), WELD_TIME);
    assert.equal(layout.parseTime('2018-10-01T17:10:35Z'), WELD_TIME);
    assert.equal(layout.parseTime('1538413835000'), WELD_TIME);
    assert.equal(layout.parseTime('tomorrow'), undefined);
    assert.equal(layout.formatTime(WELD_TIME), '20181001 191035');
    assert.equal(new Layout().parseTime('2018-10-01T17:10:35'), WELD_TIME);
    assert.equal(new Layout().formatTime(WELD_TIME), '2018-10-01T17:10:35.000Z');
  });
});
