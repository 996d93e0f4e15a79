import assert from 'node:assert/strict';
import { DEFAULT_LAYOUT, Layout, type LayoutSettings } from '../../../lib/layout';
import { WELDING } from './welding';

function refuses(settings: unknown, message: RegExp): void {
  assert.throws(() => new Layout(settings as Partial<LayoutSettings>), {
    name: 'S3BatchError',
    code: 'LAYOUT_INVALID',
    message,
  });
}

describe('layout settings', () => {
  it('have defaults that work', () => {
    const layout = new Layout();
    assert.deepEqual(layout.settings, DEFAULT_LAYOUT);
    assert.deepEqual(layout.levelNames, []);
    assert.deepEqual(layout.keyShape, {
      template: 'topic/time',
      timePosition: -1,
      timeFormat: 'iso',
      timeZone: 'UTC',
    });
  });

  it('have an id: equal for equal settings, however they were written', () => {
    const { objectName, topic, ...rest } = { ...DEFAULT_LAYOUT };
    assert.equal(new Layout({ ...rest, topic, objectName }).id, new Layout().id);
    assert.match(new Layout().id, /^[0-9a-f]{12}$/);
    assert.notEqual(new Layout({ partition: 'hour' }).id, new Layout().id);
    assert.notEqual(new Layout(WELDING).id, new Layout().id);
  });

  it('are refused with the setting, what is wrong and what to do', () => {
    refuses(
      { topic: 'A/A' },
      /^The layout's setting "topic" does not work: "A\/A" names two levels "A"; give each a name of its own\.$/,
    );
    refuses({ topic: 5 }, /"topic".* it is no text/);
    refuses({ decompress: 'yes' }, /"decompress"/);
    for (const decompressLimit of [0, 1.5, -1, NaN, '4'])
      refuses({ decompressLimit }, /"decompressLimit".* no number of bytes/);
    refuses({ partition: 'week' }, /"partition".* "week" is unknown; use none, hour, day or month/);
    refuses({ time: { source: 'clock' } }, /"time.source"/);
    refuses({ time: {} }, /"time.source"/);
    refuses({ time: { source: 'field' } }, /"time.field".* no text/);
    refuses({ time: { source: 'field', field: 'a..b' } }, /"time.field".* "a..b" is no path/);
    refuses({ time: { source: 'field', field: 'a', format: 'HH' } }, /"time.format"/);
    refuses({ time: { source: 'field', field: 'a', zone: 'Nowhere' } }, /"time.zone"/);
    refuses({ buckets: {} }, /"buckets".* no list/);
    refuses({ buckets: [null] }, /"buckets, row 1, topic"/);
    refuses({ unmatchedBucket: 'Unmatched' }, /"unmatchedBucket".* "Unmatched" is no valid bucket name/);
  });

  it('take a compressed level that the pattern lacks as not in force', () => {
    assert.doesNotThrow(() => new Layout({ topic: 'A/B', compressedLevel: 'COMPRESSED' }));
  });

  it('of buckets are refused when no valid name can come out', () => {
    const row = (bucket: string, topic = '#'): unknown => ({
      topic: 'A/B',
      buckets: [
        { topic: 'x', bucket: 'fine' },
        { topic, bucket },
      ],
    });
    refuses(row('Plants'), /"buckets, row 2".* "Plants" makes no valid bucket name/);
    refuses(row(''), /no valid bucket name/);
    refuses(row('a_{{A}}'), /no valid bucket name/);
    refuses(row('192.168.1.1'), /no valid bucket name/);
    refuses(row('{{C}}'), /"C" in "{{C}}" is unknown; use A, B, topic, payload.<field>/);
    refuses(row('{{batch}}'), /"batch" .* is unknown/);
    refuses(row('{{#A}}x{{/A}}'), /"{{#A}}" is no plain variable/);
    refuses(row('{{A'), /is no Mustache template \(Unclosed tag/);
    refuses(row('{{A}}', 'x/#/y'), /"x\/#\/y" is no MQTT topic filter/);
    refuses(row('{{A}}', ''), /is no MQTT topic filter/);
  });

  it('of object names are refused when names would not be unique, safe or short', () => {
    const name = (objectName: string, more: Partial<LayoutSettings> = {}): unknown => ({
      topic: 'A/B',
      objectName,
      ...more,
    });
    refuses(name(''), /lacks {{batch}}.*; add {{batch}}/);
    refuses(name('{{first}}-{{count}}'), /lacks {{batch}}/);
    refuses(name('/{{batch}}'), /empty, "." or ".."/);
    refuses(name('a//{{batch}}'), /empty, "." or ".."/);
    refuses(name('../{{batch}}'), /empty, "." or ".."/);
    refuses(name('./{{batch}}'), /empty, "." or ".."/);
    refuses(name('{{batch}}/'), /empty, "." or ".."/);
    refuses(name('{{batch}}/{{extension}}'), /empty, "." or ".."/);
    refuses(name('{{batch}}/.{{extension}}'), /empty, "." or ".."/);
    refuses(name('{{first yyyy//MM}}{{batch}}'), /empty, "." or ".."/);
    refuses(name('{{batch}}\n'), /control character/);
    refuses(name('a\\{{batch}}'), /backslash/);
    refuses(name('{{batch}}{{C}}'), /"C" is unknown; use A, B, topic, payload.<field>, partition, first/);
    refuses(name('{{batch}}{{{C}}}'), /"C" is unknown/);
    refuses(name('{{batch}}{{payload.}}'), /"payload." is unknown/);
    refuses(name('{{first MMM}}{{batch}}'), /"MMM" is no time format for names/);
    refuses(name("{{first yyyy' 'MM}}{{batch}}"), /no time format for names/);
    refuses(name('{{first yyyy yyyy}}{{batch}}'), /no time format for names/);
    refuses(name('{{^A}}x{{/A}}{{batch}}'), /is no plain variable/);
    refuses(name('{{!note}}{{batch}}'), /is no plain variable/);
    refuses(name('{{>part}}{{batch}}'), /is no plain variable/);
    refuses(name('{{=<% %>=}}<%batch%>'), /is no plain variable/);
    refuses(name(`${'x'.repeat(900)}{{batch}}`), /could be longer than 1000 bytes/);
    refuses(name(`${'{{A}}'.repeat(30)}{{batch}}`), /could be longer than 1000 bytes/);
    for (const fine of [
      '{{ batch }}',
      '{{{batch}}}',
      '{{&batch}}',
      '{{A}}/{{{B}}}/{{&A}}/{{batch}}',
      'Müll/{{batch}}',
      '{{last yyyy/MM/dd}}/{{batch}}',
    ]) {
      assert.doesNotThrow(() => new Layout(name(fine) as Partial<LayoutSettings>), fine);
    }
  });

  it('of keys are refused when a part is unknown or there twice', () => {
    const key = (text: string): unknown => ({ ...WELDING, key: text });
    refuses(
      key('DEVICE'),
      /"key".* "DEVICE" is unknown; use ROOT, FORMAT, .*MSG-VERSION, topic, payload.<field>, Timestamp, time, weldspot.Timestamp/,
    );
    refuses(key('DEVICE-ID/time/Timestamp'), /it has the time twice; let it occur once/);
    refuses(key('topic/topic'), /it has the topic twice/);
    refuses(key('DEVICE-ID/'), /"" is unknown/);
    refuses(key('/DEVICE-ID'), /"" is unknown/);
    refuses(key('DEVICE-ID//time'), /"" is unknown/);
    refuses(key('payload'), /"payload" is unknown/);
  });
});
