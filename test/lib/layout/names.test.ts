import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { BoundedCache } from '../../../lib/layout/bounded-cache';
import { bucketName } from '../../../lib/layout/bucket-name';
import { isBucketName } from '../../../lib/layout/bucket-rules';
import { decodedKeyPart, keyPart, keyTopic, nameValue } from '../../../lib/layout/encoding';
import { MAX_TIME } from '../../../lib/layout/calendar';
import { partitionAt, partitionsIn } from '../../../lib/layout/partition';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const ofTopic = (text: string): string => bucketName([{ text, fromTemplate: false }]);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom('a', 'B', '7', '-', '.', '/', '_', '\u212a', 'ß'), maxLength: 80 }),
);

describe('bucket name', () => {
  it('changes case and slashes for nothing', () => {
    assert.equal(ofTopic('PLANT-7'), 'plant-7');
    assert.equal(ofTopic('plants/7/weld'), 'plants-7-weld');
  });

  it('marks any other change with a hash of the text as it was', () => {
    const cases: [string, string][] = [
      ['plant_7', 'plant-7'],
      ['plant.7', 'plant-7'],
      ['Größe', 'gr-e'],
      ['ab', 'ab'],
      ['', 'b'],
      ['___', 'b'],
      ['-abc-', 'abc'],
      ['192.168.5.4', '192-168-5-4'],
      ['xn--abc', 'b-xn--abc'],
      ['sthree-abc', 'b-sthree-abc'],
      ['abc-s3alias', 'abc-s3alias'],
      ['abc--ol-s3', 'abc--ol-s3'],
      ['a'.repeat(64), 'a'.repeat(54)],
      ['PLANT\u212a', 'plant'],
      ['a\0b', 'a-b'],
      ['abc\ud800', 'abc'],
    ];
    for (const [text, base] of cases) {
      assert.equal(ofTopic(text), `${base}-${sha256(text).slice(0, 8)}`, text);
      assert.ok(isBucketName(ofTopic(text)), text);
    }
  });

  it('keeps dots of the template, but no address and no two in a row', () => {
    const of = (dot: string, text: string): string =>
      bucketName([
        { text: dot, fromTemplate: true },
        { text, fromTemplate: false },
      ]);
    assert.equal(of('logs.', 'A'), 'logs.a');
    assert.equal(of('10.0.0.', '1'), `10.0.0.1-${sha256('10.0.0.1').slice(0, 8)}`);
    assert.equal(of('logs.', ''), `logs-${sha256('logs.').slice(0, 8)}`);
    assert.equal(of('a..', 'b'), `a.b-${sha256('a..b').slice(0, 8)}`);
  });

  it('is valid for any text, and different for texts that differ in more than case and slashes', () => {
    const simple = (text: string): string =>
      text.replace(/[A-Z]+/g, (run) => run.toLowerCase()).replaceAll('/', '-');
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        assert.ok(isBucketName(ofTopic(one)), ofTopic(one));
        if (Buffer.from(simple(one)).equals(Buffer.from(simple(other)))) return;
        assert.notEqual(ofTopic(one), ofTopic(other));
      }),
      { numRuns: 2000 },
    );
  });

  it('knows the rules', () => {
    for (const name of ['abc', 'a-b', 'a.b.c', '1a1', 'a'.repeat(63)]) assert.ok(isBucketName(name), name);
    for (const name of [
      '',
      'ab',
      'a'.repeat(64),
      'Abc',
      '-abc',
      'abc-',
      'a_b',
      'a..b',
      '1.2.3.4',
      'xn--a',
      'a-s3alias',
      'a/b',
      'äbc',
      'abc\n',
    ]) {
      assert.ok(!isBucketName(name), name);
    }
  });
});

describe('value in an object name', () => {
  it('stays as it is where it can', () => {
    assert.equal(nameValue('WELDING-STATION_12.a=b@c+d,e', 96), 'WELDING-STATION_12.a=b@c+d,e');
  });

  it('is percent-encoded where it cannot', () => {
    assert.equal(nameValue('a/b c%', 96), 'a%2Fb%20c%25');
    assert.equal(nameValue('é', 96), '%C3%A9');
    assert.equal(nameValue('', 96), '%00');
    assert.equal(nameValue('\0', 96), '%00');
    assert.equal(nameValue('.', 96), '%2E');
    assert.equal(nameValue('..', 96), '%2E%2E');
    assert.equal(nameValue('...', 96), '...');
    assert.equal(nameValue('\ud800', 96), '%EF%BF%BD');
  });

  it('is cut with a hash when it is long, never within an escape', () => {
    const long = 'x'.repeat(1000);
    assert.equal(nameValue(long, 96), `${'x'.repeat(96)}%-${sha256(long).slice(0, 16)}`);
    assert.equal(nameValue('x'.repeat(96), 96), 'x'.repeat(96));
    const accents = 'é'.repeat(100);
    assert.equal(nameValue(accents, 32), `${'%C3%A9'.repeat(5)}%-${sha256(accents).slice(0, 16)}`);
    assert.equal(
      nameValue(`a${accents}`, 32),
      `a${'%C3%A9'.repeat(5)}%-${sha256(`a${accents}`).slice(0, 16)}`,
    );
  });

  it('is safe and short for any text, and different for different texts', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.integer({ min: 22, max: 96 }), (one, other, limit) => {
        const value = nameValue(one, limit);
        assert.match(value, /^(?:[A-Za-z0-9_.=@+,-]|%[0-9A-F]{2})+(?:%-[0-9a-f]{16})?$/);
        assert.ok(value.length <= limit + 18);
        assert.ok(value !== '.' && value !== '..');
        // What UTF-8 cannot tell apart, and the empty text and NUL, which no topic holds, may share a name.
        const known = (text: string): string => (text === '' ? '\0' : Buffer.from(text).toString());
        if (known(one) !== known(other)) assert.notEqual(value, nameValue(other, limit));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('part of an offset key', () => {
  it('has no slash and no control character, and comes back', () => {
    assert.equal(keyPart('a/b%c\n\u0085 é'), 'a%2Fb%25c%0A%C2%85 é');
    assert.equal(keyTopic('a/b%c\n'), 'a/b%25c%0A');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.ok(!/[/\p{Cc}]/u.test(keyPart(text)));
        assert.equal(decodedKeyPart(keyPart(text)), text);
      }),
    );
    assert.equal(keyPart('a\ud800'), 'a%EF%BF%BD');
    assert.equal(decodedKeyPart('100% %zz%4'), '100% %zz%4');
  });
});

describe('partition', () => {
  const at = Date.UTC(2018, 1, 28, 17, 10, 35);

  it('is named in UTC', () => {
    assert.deepEqual(partitionAt('hour', at), {
      name: 'dt=2018-02-28/hr=17',
      start: Date.UTC(2018, 1, 28, 17),
      end: Date.UTC(2018, 1, 28, 18),
    });
    assert.deepEqual(partitionAt('day', at), {
      name: 'dt=2018-02-28',
      start: Date.UTC(2018, 1, 28),
      end: Date.UTC(2018, 2, 1),
    });
    assert.deepEqual(partitionAt('month', at), {
      name: 'dt=2018-02',
      start: Date.UTC(2018, 1),
      end: Date.UTC(2018, 2),
    });
    assert.deepEqual(partitionAt('none', at), { name: '', start: 0, end: MAX_TIME + 1 });
    assert.equal(partitionAt('month', MAX_TIME).end, MAX_TIME + 1);
    assert.equal(partitionAt('hour', 0).name, 'dt=1970-01-01/hr=00');
  });

  it('lists those of a range, up to a limit', () => {
    const names = (unit: 'hour' | 'day' | 'month', from: number, to: number): string[] | undefined =>
      partitionsIn(unit, from, to, 3)?.map((p) => p.name);
    assert.deepEqual(names('day', at, at), ['dt=2018-02-28']);
    assert.deepEqual(names('day', at, Date.UTC(2018, 2, 2)), [
      'dt=2018-02-28',
      'dt=2018-03-01',
      'dt=2018-03-02',
    ]);
    assert.deepEqual(names('day', at, Date.UTC(2018, 2, 2) - 1), ['dt=2018-02-28', 'dt=2018-03-01']);
    assert.equal(names('day', at, Date.UTC(2018, 2, 3)), undefined);
    assert.deepEqual(names('month', Date.UTC(2018, 11), Date.UTC(2019, 0)), ['dt=2018-12', 'dt=2019-01']);
    assert.equal(partitionsIn('none', 0, MAX_TIME, 1)?.length, 1);
  });

  it('holds its times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: MAX_TIME }),
        fc.constantFrom('none', 'hour', 'day', 'month'),
        (ms, unit) => {
          const partition = partitionAt(unit, ms);
          assert.ok(partition.start <= ms && ms < partition.end);
          assert.deepEqual(partitionAt(unit, partition.start), partition);
          assert.deepEqual(partitionAt(unit, partition.end - 1), partition);
        },
      ),
    );
  });
});

describe('bounded cache', () => {
  it('keeps what is used and forgets the rest', () => {
    const cache = new BoundedCache<number, string>(10);
    cache.set(-1, 'kept');
    for (let key = 0; key < 1000; key++) {
      cache.set(key, String(key));
      assert.equal(cache.get(-1), 'kept');
    }
    const found = Array.from({ length: 1000 }, (_, key) => cache.get(key)).filter(
      (value) => value !== undefined,
    );
    assert.ok(found.length >= 9 && found.length <= 20, String(found.length));
    assert.equal(cache.get(999), '999');
  });
});
