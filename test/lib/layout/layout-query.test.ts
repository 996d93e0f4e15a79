import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Layout, type LayoutSettings, MAX_TIME, type NamePrefix, type TimeSpan } from '../../../lib/layout';
import { BATCH, placed, WELD_TIME, WELDING } from './welding';

const withBuckets = (...rows: [string, string][]): Layout =>
  new Layout({ ...WELDING, buckets: rows.map(([topic, bucket]) => ({ topic, bucket })) });
const named = (objectName: string, more: Partial<LayoutSettings> = {}): Layout =>
  new Layout({ ...WELDING, objectName, ...more });
const DAY = 86_400_000;

describe('candidate buckets', () => {
  it('come from the rows whose template the fields can fill', () => {
    assert.deepEqual(withBuckets(['#', '{{PLANT-ID}}']).candidateBuckets({ 'PLANT-ID': 'PLANT-7' }), {
      buckets: ['plant-7'],
    });
    assert.deepEqual(withBuckets(['#', '{{PLANT-ID}}']).candidateBuckets({ 'DEVICE-ID': 'x' }), {
      unknown: ['PLANT-ID'],
    });
    assert.deepEqual(
      withBuckets(['#', '{{PLANT-ID}}-{{payload.line}}']).candidateBuckets({
        'PLANT-ID': 'p',
        'payload["line"]': 'L',
      }),
      { buckets: ['p-l'] },
    );
    assert.deepEqual(withBuckets(['#', '{{PLANT-ID}}-{{payload.line}}']).candidateBuckets({}), {
      unknown: ['PLANT-ID', 'payload.line'],
    });
    assert.deepEqual(withBuckets(['#', 'all']).candidateBuckets({}), { buckets: ['all'] });
  });

  it('leave out rows whose filter cannot match, and rows behind one that must', () => {
    const layout = withBuckets(
      ['+/+/+/PLANT-7/#', 'seven'],
      ['+/+/+/PLANT-8/#', 'eight'],
      ['#', '{{DEVICE-ID}}'],
      ['#', 'never'],
    );
    assert.deepEqual(layout.candidateBuckets({ 'PLANT-ID': 'PLANT-7' }), { buckets: ['seven'] });
    assert.deepEqual(layout.candidateBuckets({ 'PLANT-ID': 'PLANT-9' }), { unknown: ['DEVICE-ID'] });
    assert.deepEqual(layout.candidateBuckets({ 'PLANT-ID': 'PLANT-9', 'DEVICE-ID': 'dev' }), {
      buckets: ['dev'],
    });
    assert.deepEqual(layout.candidateBuckets({ 'DEVICE-ID': 'dev' }), { buckets: ['seven', 'eight', 'dev'] });
  });

  it('come from the topic when it is whole', () => {
    const layout = new Layout({ topic: 'A/"b"/C', buckets: [{ topic: 'x/#', bucket: 'exes' }] });
    assert.deepEqual(layout.candidateBuckets({ A: 'a', C: 'c' }), { buckets: ['a-b-c'] });
    assert.deepEqual(layout.candidateBuckets({ A: 'x', C: 'c' }), { buckets: ['exes'] });
    assert.deepEqual(layout.candidateBuckets({ C: 'c' }), { buckets: ['exes'] });
    assert.deepEqual(layout.candidateBuckets({ A: 'a' }), { unknown: ['C'] });
    assert.deepEqual(layout.candidateBuckets({ topic: 'a/b/c' }), { buckets: ['a-b-c'] });
    assert.deepEqual(layout.candidateBuckets({ topic: 'other' }), { buckets: ['other'] });
    assert.deepEqual(new Layout().candidateBuckets({}), { unknown: ['topic'] });
    assert.deepEqual(new Layout({ topic: 'A/#REST' }).candidateBuckets({ A: 'aaa', REST: 'b/c' }), {
      buckets: ['aaa-b-c'],
    });
    assert.deepEqual(new Layout({ topic: 'A/#REST' }).candidateBuckets({ A: 'aaa', REST: '' }), {
      buckets: ['aaa'],
    });
    assert.deepEqual(new Layout({ topic: 'A/#' }).candidateBuckets({ A: 'aaa' }), { unknown: ['topic'] });
  });

  it('are the unmatched bucket for a topic that does not fit', () => {
    assert.deepEqual(
      withBuckets(['#', '{{PLANT-ID}}']).candidateBuckets({ topic: 'other', 'PLANT-ID': 'ignored' }),
      { buckets: ['unmatched'] },
    );
    assert.deepEqual(withBuckets(['#', 'all']).candidateBuckets({ topic: 'other' }), { buckets: ['all'] });
  });
});

describe('name prefixes', () => {
  const range = { from: WELD_TIME, to: WELD_TIME + DAY };

  it('are one for each partition of the range', () => {
    const layout = named('{{PLANT-ID}}/{{partition}}/{{first}}-{{batch}}');
    assert.deepEqual(
      layout.namePrefixes({ 'PLANT-ID': 'P 7' }, range).map(({ prefix }) => prefix),
      ['P%207/dt=2018-10-01/', 'P%207/dt=2018-10-02/'],
    );
    assert.deepEqual(layout.namePrefixes({ 'PLANT-ID': 'P' }, { from: WELD_TIME, to: WELD_TIME }), [
      {
        prefix: 'P/dt=2018-10-01/',
        partition: { name: 'dt=2018-10-01', start: Date.UTC(2018, 9, 1), end: Date.UTC(2018, 9, 2) },
        stopAt: 'P/dt=2018-10-01/20181001T171036Z',
      },
    ]);
  });

  it('end before what is not known', () => {
    const layout = named('x/{{PLANT-ID}}/{{partition}}/{{DEVICE-ID}}/{{batch}}');
    const prefixes = (fields: Record<string, string>, span?: TimeSpan): string[] =>
      layout.namePrefixes(fields, span).map(({ prefix }) => prefix);
    assert.deepEqual(prefixes({}, range), ['x/']);
    assert.deepEqual(prefixes({ 'PLANT-ID': 'P' }), ['x/P/']);
    assert.deepEqual(prefixes({ 'PLANT-ID': 'P' }, range), ['x/P/dt=2018-10-01/', 'x/P/dt=2018-10-02/']);
    assert.deepEqual(prefixes({ 'PLANT-ID': 'P', 'DEVICE-ID': '' }, range), [
      'x/P/dt=2018-10-01/%00/',
      'x/P/dt=2018-10-02/%00/',
    ]);
    assert.deepEqual(prefixes({ topic: 'a/b/c/P/D/e/f' }, range), [
      'x/P/dt=2018-10-01/D/',
      'x/P/dt=2018-10-02/D/',
    ]);
    assert.deepEqual(prefixes({ topic: 'other' }), ['x/unmatched/']);
    assert.deepEqual(named('{{DEVICE-ID}}/{{batch}}').namePrefixes({}, range), [{ prefix: '' }]);
    assert.deepEqual(named('{{partition}}/{{batch}}', { partition: 'none' }).namePrefixes({}, range), [
      { prefix: '' },
    ]);
  });

  it('fall back to a shorter one when there would be too many', () => {
    const layout = named('a/{{partition}}/{{batch}}', { partition: 'hour' });
    const hour = 3_600_000;
    assert.equal(layout.namePrefixes({}, { from: 0, to: 1000 * hour - 1 }).length, 1000);
    assert.deepEqual(layout.namePrefixes({}, { from: 0, to: 1000 * hour }), [
      { prefix: 'a/', startAfter: 'a/dt=1970-01-01/hr=00', stopAt: 'a/dt=1970-02-11/hr=17' },
    ]);
    assert.deepEqual(layout.namePrefixes({}, { from: hour, to: Infinity }), [
      { prefix: 'a/', startAfter: 'a/dt=1970-01-01/hr=01' },
    ]);
    assert.deepEqual(layout.namePrefixes({}, { from: 5, to: 4 }), []);
    assert.deepEqual(layout.namePrefixes({}, { from: -10, to: -5 }), []);
    assert.equal(layout.namePrefixes({}, { from: -10, to: 5 }).length, 1);
  });

  it('tell where a listing may stop only when names are in the order of time', () => {
    const stopAt = (template: string, to: number): string | undefined =>
      named(template, { partition: 'none' }).namePrefixes({}, { from: 0, to })[0]?.stopAt;
    assert.equal(stopAt('{{first}}-{{batch}}', WELD_TIME), '20181001T171036Z');
    assert.equal(stopAt('a/{{first yyyy-MM-dd}}/{{batch}}', WELD_TIME), 'a/2018-10-02');
    assert.equal(stopAt('{{first yyyyMMddHHmmssSSS}}{{batch}}', WELD_TIME), '20181001171035001');
    assert.equal(stopAt('{{first dd.MM.yyyy}}{{batch}}', WELD_TIME), undefined);
    assert.equal(stopAt('{{first yyyyMMddHH}}{{batch}}', WELD_TIME), '2018100118');
    assert.equal(stopAt('{{first yyyydd}}{{batch}}', WELD_TIME), undefined);
    assert.equal(stopAt('{{last}}-{{batch}}', WELD_TIME), undefined);
    assert.equal(stopAt('{{batch}}-{{first}}', WELD_TIME), undefined);
    assert.equal(stopAt('{{first yyyy}}{{batch}}', MAX_TIME), undefined);
  });
});

describe('the way back', () => {
  it('leads to every record: its bucket, a prefix of its object’s name, and the name’s values', () => {
    const layouts = [
      new Layout(WELDING),
      withBuckets(['+/a/#', 'x-{{payload.a}}'], ['+/+/+/b/#', '{{DEVICE-ID}}'], ['$SYS/#', 'system']),
      named('{{PLANT-ID}}/{{partition}}/{{DEVICE-ID}}/{{first}}-{{batch}}', { partition: 'hour' }),
      named('{{payload.a}}/{{first yyyy/MM/dd}}/{{batch}}', { partition: 'month' }),
      named('{{topic}}/{{partition}}/{{first yyyyMMddHHmm}}{{batch}}', { partition: 'none', buckets: [] }),
      new Layout({ topic: 'plants/+PLANT-ID/#REST', objectName: '{{REST}}/{{partition}}{{batch}}' }),
    ];
    const level = fc.constantFrom('a', 'b', '', '..', 'NONE', 'plants', 'é', 'x'.repeat(120));
    const topic = fc
      .oneof(fc.array(level, { minLength: 7, maxLength: 7 }), fc.array(level, { minLength: 1, maxLength: 5 }))
      .map((all) => all.join('/'));
    const a = fc.oneof(fc.string(), fc.integer());
    const span = fc.tuple(fc.nat(3 * DAY), fc.nat(3 * DAY));
    fc.assert(
      fc.property(
        fc.constantFrom(...layouts),
        topic,
        a,
        fc.integer({ min: 1e12, max: 2e12 }),
        span,
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (layout, name, field, time, [before, after], picks) => {
          const { destination, topic: info } = placed(layout, name, JSON.stringify({ a: field }), time);
          const first = time - (time % 500);
          const object = layout.objectName(destination, {
            ...BATCH,
            first: Math.max(first, destination.partition.start),
            last: time,
          });
          const all: [string, string][] = [
            ...(info.matched ? Object.entries(info.levels) : []),
            ['payload.a', String(field)],
          ];
          if (!info.matched || picks[11] === true) all.push(['topic', name]);
          const fields = Object.fromEntries(
            all.filter(([key], index) => (!info.matched && key === 'topic') || picks[index] === true),
          );
          const candidates = layout.candidateBuckets(fields);
          // Without the whole topic, buckets named after whole topics are left out.
          const isByTopic =
            layout.settings.buckets.length === 0 ||
            (!('topic' in fields) && Object.keys(info.levels).some((key) => !(key in fields)));
          if ('buckets' in candidates && !isByTopic)
            assert.ok(candidates.buckets.includes(destination.bucket), JSON.stringify(candidates));
          const prefixes: NamePrefix[] = layout.namePrefixes(fields, {
            from: time - before,
            to: time + after,
          });
          const prefix = prefixes.find((candidate) => object.startsWith(candidate.prefix));
          assert.ok(prefix !== undefined, `${object} ${JSON.stringify(prefixes)}`);
          assert.ok(prefix.stopAt === undefined || object < prefix.stopAt);
          assert.ok(prefix.startAfter === undefined || object > prefix.startAfter);
          if (prefix.partition !== undefined) assert.deepEqual(prefix.partition, destination.partition);
          assert.ok(layout.parseObjectName(object, fields), object);
          assert.ok(layout.matchesValues(destination.values, fields));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
