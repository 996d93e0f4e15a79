import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Layout, type LayoutSettings, MAX_NAME_BYTES } from '../../../lib/layout';
import { BATCH, placed, WELD_TEXT, WELD_TIME, WELD_TOPIC, WELDING } from './welding';

const named = (objectName: string, more: Partial<LayoutSettings> = {}): Layout =>
  new Layout({ ...WELDING, objectName, ...more });

function nameOf(layout: Layout, topic = WELD_TOPIC, payload = WELD_TEXT): string {
  return layout.objectName(placed(layout, topic, payload).destination, BATCH);
}

describe('object name', () => {
  it('renders all its variables', () => {
    const layout = named(
      '{{PLANT-ID}}/{{payload.weldspot.Line}}/{{partition}}/{{first yyyy-MM-dd}}_{{last HHmmss}}_{{count}}_{{instance}}_{{batch}}{{extension}}',
      { partition: 'hour' },
    );
    assert.equal(
      nameOf(layout),
      'PLANT-7/L1/dt=2018-10-01/hr=17/2018-10-01_171136_1234_edge-1_01J9Z.ndjson.gz',
    );
  });

  it('has the partition the template asks for, or none with its slash', () => {
    assert.equal(nameOf(named('{{partition}}/{{batch}}', { partition: 'month' })), 'dt=2018-10/01J9Z');
    assert.equal(nameOf(named('{{partition}}/{{batch}}', { partition: 'none' })), '01J9Z');
    assert.equal(nameOf(named('a/{{partition}}/{{batch}}', { partition: 'none' })), 'a/01J9Z');
    assert.equal(nameOf(named('a/{{batch}}/{{partition}}', { partition: 'none' })), 'a/01J9Z');
    assert.equal(nameOf(named('{{partition}}{{batch}}', { partition: 'none' })), '01J9Z');
    assert.equal(nameOf(named('{{batch}}')), '01J9Z');
  });

  it('encodes what comes from records and from the machine', () => {
    const layout = named('{{DEVICE-ID}}/{{topic}}/{{instance}}-{{batch}}{{extension}}');
    const { destination } = placed(layout, 'a/b/c/d/../e/f', '');
    const name = layout.objectName(destination, { ...BATCH, instance: 'a/b', batch: '', extension: '/../x' });
    assert.equal(name, '%2E%2E/a%2Fb%2Fc%2Fd%2F..%2Fe%2Ff/a%2Fb-%00%2F..%2Fx');
    assert.equal(nameOf(layout, 'a/b/c/d//e/f').split('/')[0], '%00');
  });

  it('cuts long values, the shorter the more of them a name may hold', () => {
    const topic = WELD_TOPIC.replace('PLANT-7', 'P'.repeat(500));
    const hash = createHash('sha256').update('P'.repeat(500)).digest('hex').slice(0, 16);
    assert.equal(nameOf(named('{{PLANT-ID}}/{{batch}}'), topic), `${'P'.repeat(96)}%-${hash}/01J9Z`);
    const many = named(`${'{{PLANT-ID}}/'.repeat(15)}{{batch}}`);
    const segment = nameOf(many, topic).split('/')[0]!;
    assert.match(segment, new RegExp(`^P{40}%-${hash}$`));
    assert.ok(nameOf(many, topic).length <= MAX_NAME_BYTES);
  });

  it('comes apart again', () => {
    const layout = named(
      '{{PLANT-ID}}/{{payload.weldspot.Line}}/{{partition}}/{{first}}-{{last yyyyMMddHHmm}}-{{count}}-{{instance}}-{{batch}}{{extension}}',
    );
    assert.deepEqual(layout.parseObjectName(nameOf(layout)), {
      values: { 'PLANT-ID': 'PLANT-7', 'payload.weldspot.Line': 'L1' },
      partition: { name: 'dt=2018-10-01', start: Date.UTC(2018, 9, 1), end: Date.UTC(2018, 9, 2) },
      first: { from: WELD_TIME, to: WELD_TIME + 999 },
      last: { from: Date.UTC(2018, 9, 1, 17, 11), to: Date.UTC(2018, 9, 1, 17, 12) - 1 },
      count: 1234,
      instance: 'edge',
      batch: '1-01J9Z',
      extension: '.ndjson.gz',
    });
  });

  it('tells a time from all its pieces, down to the first that is missing', () => {
    const first = (template: string, name: string): unknown => named(template).parseObjectName(name)?.first;
    assert.deepEqual(first('{{first yyyy}}/{{first MM}}/{{first dd}}/{{batch}}', '2018/10/01/x'), {
      from: Date.UTC(2018, 9, 1),
      to: Date.UTC(2018, 9, 2) - 1,
    });
    assert.deepEqual(first('{{first yyyy}}/{{batch}}', '2018/x'), {
      from: Date.UTC(2018, 0),
      to: Date.UTC(2019, 0) - 1,
    });
    assert.deepEqual(first('{{first yyyyMM}}/{{batch}}', '201812/x'), {
      from: Date.UTC(2018, 11),
      to: Date.UTC(2019, 0) - 1,
    });
    assert.deepEqual(first('{{first yyyy HH}}/{{batch}}'.replace(' HH', '-HH'), '2018-17/x'), {
      from: Date.UTC(2018, 0),
      to: Date.UTC(2019, 0) - 1,
    });
    assert.deepEqual(first('{{first yyyyMMddHHmmssSSS}}/{{batch}}', '20181001171035007/x'), {
      from: WELD_TIME + 7,
      to: WELD_TIME + 7,
    });
    assert.equal(first('{{first HHmm}}/{{batch}}', '1710/x'), undefined);
    assert.ok(named('{{first HHmm}}/{{batch}}').parseObjectName('1710/x'));
  });

  it('is none of ours when it does not fit', () => {
    const layout = named('{{PLANT-ID}}/{{partition}}/{{first}}-{{count}}-{{batch}}{{extension}}');
    const good = 'PLANT-7/dt=2018-10-01/20181001T171035Z-12-x.gz';
    assert.ok(layout.parseObjectName(good));
    for (const name of [
      '',
      'x',
      good.slice(1, 5),
      `/${good}`,
      good.replace('dt=', 'd='),
      good.replace('-10-', '-13-'),
      good.replace('20181001T', '20180230T'),
      good.replace('20181001T', '19691231T'),
      good.replace('171035', '251035'),
      good.replace('-12-', '-1x-'),
      good.replace('PLANT', 'PL NT'),
      good.replace('/dt', '//dt'),
      good.replace('-x', '-\u0130'),
      good.replace('2018', '\u0132018'),
      good.replace('1001T', '1\u013001T'),
      `${good}/y`,
      good.replace('x.gz', ''),
      'x'.repeat(5000),
    ]) {
      assert.equal(layout.parseObjectName(name), undefined, name);
    }
  });

  it('takes times that hold for every reading of the name', () => {
    const layout = named('{{payload.a}}{{first yyyyMMdd}}{{last HH}}/{{batch}}');
    assert.deepEqual(layout.parseObjectName('x2018100117/b')?.first, {
      from: Date.UTC(2018, 9, 1),
      to: Date.UTC(2018, 9, 2) - 1,
    });
    const open = named('{{payload.a}}{{first yyyyMMdd}}{{batch}}');
    assert.deepEqual(open.parseObjectName('a20181001-20190203-b'), {
      values: { 'payload.a': 'a' },
      first: { from: Date.UTC(2018, 9, 1), to: Date.UTC(2019, 1, 4) - 1 },
      batch: '-20190203-b',
    });
    assert.deepEqual(open.parseObjectName('a20181001-20190203-b', { 'payload.a': 'a20181001-' })?.first, {
      from: Date.UTC(2019, 1, 3),
      to: Date.UTC(2019, 1, 4) - 1,
    });
    const count = named('{{count}}/{{batch}}').parseObjectName(`${'9'.repeat(30)}/b`);
    assert.deepEqual(count, { values: {}, batch: 'b' });
  });

  it('is read with the values that are asked for, where values stand side by side', () => {
    const layout = named('{{PLANT-ID}}-{{DEVICE-ID}}/{{batch}}');
    const name = nameOf(layout);
    assert.equal(name, 'PLANT-7-WELDING-STATION-12/01J9Z');
    assert.deepEqual(layout.parseObjectName(name)?.values, {
      'PLANT-ID': 'PLANT',
      'DEVICE-ID': '7-WELDING-STATION-12',
    });
    assert.ok(layout.parseObjectName(name, { 'DEVICE-ID': 'WELDING-STATION-12' }));
    assert.deepEqual(layout.parseObjectName(name, { 'PLANT-ID': 'PLANT-7' })?.values, {
      'PLANT-ID': 'PLANT-7',
      'DEVICE-ID': 'WELDING-STATION-12',
    });
    assert.equal(layout.parseObjectName(name, { 'PLANT-ID': 'PLANT-8' }), undefined);
    assert.equal(layout.parseObjectName(name, { 'PLANT-ID': 'PLANT-7', 'DEVICE-ID': '12' }), undefined);
    const twice = named('{{PLANT-ID}}-{{PLANT-ID}}/{{batch}}');
    assert.ok(twice.parseObjectName(nameOf(twice), { 'PLANT-ID': 'PLANT-7' }));
    assert.ok(twice.parseObjectName(nameOf(twice)));
  });

  it('compares encoded values with those that are asked for', () => {
    const layout = named('{{PLANT-ID}}/{{DEVICE-ID}}/{{batch}}');
    const { values } = placed(layout, 'a/b/c/P 7/D/t/1', '').destination;
    assert.deepEqual(values, { 'PLANT-ID': 'P%207', 'DEVICE-ID': 'D' });
    assert.equal(layout.matchesValues(values, {}), true);
    assert.equal(layout.matchesValues(values, { 'PLANT-ID': 'P 7', 'MSG-TYPE': 'other' }), true);
    assert.equal(layout.matchesValues(values, { 'PLANT-ID': 'P%207' }), false);
    assert.equal(layout.matchesValues(values, { topic: 'a/b/c/P 7/E/t/1' }), false);
    assert.equal(layout.matchesValues({}, { 'PLANT-ID': 'x' }), true);
  });

  it('is read in bounded time, however hostile the name', () => {
    const layout = named(
      `${'{{PLANT-ID}}{{instance}}'.repeat(4)}{{count}}{{batch}}{{extension}}x{{extension}}`,
    );
    const started = process.hrtime.bigint();
    for (const name of ['a'.repeat(1000), '1'.repeat(1000), `${'.'.repeat(999)}x`, '%'.repeat(1000)])
      layout.parseObjectName(name);
    assert.ok(process.hrtime.bigint() - started < 500_000_000n);
  });

  it('comes apart as it was put together, for any values and template', () => {
    const templates = fc.constantFrom(
      '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
      '{{PLANT-ID}}-{{DEVICE-ID}}/{{batch}}{{extension}}',
      'x{{topic}}{{MSG-TYPE}}{{count}}{{batch}}{{instance}}{{extension}}',
      'Müll/{{payload.a}}/{{payload.a}}{{first yyyyMMdd}}{{batch}}{{extension}}',
      '{{count}}{{first HHmmss}}{{payload.a}}.{{last yyyy-MM}}/{{batch}}',
    );
    const level = fc.oneof(
      fc.constantFrom('', '..', 'a-b', '1', 'x'.repeat(200)),
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('/', '')),
    );
    const topic = fc.array(level, { minLength: 7, maxLength: 7 }).map((all) => all.join('/'));
    const times = fc
      .tuple(fc.integer({ min: 0, max: 4e12 }), fc.nat(1e9))
      .map(([from, more]) => [from, from + more] as const);
    const text = fc.stringMatching(/^[A-Za-z0-9-]{1,8}$/);
    fc.assert(
      fc.property(
        templates,
        topic,
        fc.jsonValue(),
        times,
        fc.nat(),
        text,
        text,
        (template, name, a, [first, last], count, batch, instance) => {
          const layout = named(template);
          const payload = JSON.stringify({ a, weldspot: { Timestamp: '20181001 171035' } });
          const { destination, topic: info } = placed(layout, name, payload);
          const object = layout.objectName(destination, {
            first,
            last,
            count,
            batch,
            instance,
            extension: '.ndjson.gz',
          });
          const parsed = layout.parseObjectName(object, { ...info.levels });
          assert.ok(parsed !== undefined, object);
          assert.ok(layout.parseObjectName(object, { topic: name }), object);
          assert.ok(layout.parseObjectName(object), object);
          assert.ok(layout.matchesValues(destination.values, { topic: name }));
          if (parsed.first !== undefined)
            assert.ok(parsed.first.from <= first && first <= parsed.first.to, object);
          if (parsed.last !== undefined)
            assert.ok(parsed.last.from <= last && last <= parsed.last.to, object);
          if (parsed.partition !== undefined) assert.deepEqual(parsed.partition, destination.partition);
        },
      ),
      { numRuns: 500 },
    );
  });
});
