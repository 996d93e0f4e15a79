import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { S3BatchError } from '../../../lib/errors';
import { MAX_TIME } from '../../../lib/layout/calendar';
import { MAX_TIME_TEXT, timeFormat, type TimeFormat } from '../../../lib/layout/time-format';

const WELD = Date.UTC(2018, 9, 1, 17, 10, 35);

/** What the record gets: the quick way where it can tell, else the other; both must agree. */
function read(format: TimeFormat, text: string): number {
  const bytes = Buffer.from(`x${text}y`);
  const quick = format.read(bytes, 1, bytes.length - 1);
  const slow = format.readText(text);
  if (!Number.isNaN(quick)) assert.equal(quick, slow, `${text}: the quick way differs`);
  return slow;
}

/** luxon's own answer, with the first of two times where the clock was set back. */
function luxonTime(date: DateTime, zone: string): number {
  const ms = date.toMillis();
  if (!(ms >= 0 && ms <= MAX_TIME)) return NaN;
  const first = date.getPossibleOffsets().map((possible) => possible.toMillis());
  assert.equal(date.zoneName, DateTime.fromMillis(0, { zone }).zoneName);
  return Math.min(ms, ...first);
}

const ZONES = [
  'UTC',
  'UTC+3',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
];
const zone = fc.constantFrom(...ZONES);
/** Clock times around the changes of those zones, and anywhere. */
const clock = fc.oneof(
  fc
    .constantFrom(
      '2018-03-25T02:30',
      '2018-10-28T02:30',
      '2018-03-11T02:30',
      '2018-11-04T01:30',
      '2018-04-01T01:45',
      '2018-10-07T02:15',
    )
    .chain((text) =>
      fc.integer({ min: -7_200_000, max: 7_200_000 }).map((shift) => Date.parse(`${text}Z`) + shift),
    ),
  fc.integer({ min: -86_400_000, max: MAX_TIME }),
  fc.integer({ min: 0, max: 2_000_000_000_000 }),
);
const odd = fc.record({
  y: fc.constantFrom('2018', '2020', '1969', '1970', '9999', '0000', '2100'),
  M: fc.integer({ min: 0, max: 13 }),
  d: fc.integer({ min: 0, max: 32 }),
  h: fc.integer({ min: 0, max: 25 }),
  m: fc.integer({ min: 0, max: 60 }),
  s: fc.integer({ min: 0, max: 60 }),
});
const two = (n: number): string => String(n).padStart(2, '0');

describe('time format', () => {
  it('reads and writes the pattern of the weld messages', () => {
    const format = timeFormat('yyyyMMdd HHmmss', 'UTC');
    assert.equal(read(format, '20181001 171035'), WELD);
    assert.equal(format.write(WELD), '20181001 171035');
    assert.equal(format.lastAlike(WELD), WELD + 999);
    for (const text of [
      '',
      '20181001',
      '20181001 17103',
      '20181001 1710350',
      '20181001T171035',
      '2018100a 171035',
      'n/a',
      '20181301 000000',
      '20180230 000000',
      '20190229 000000',
      '20181001 250000',
      '20181001 176000',
      '19691231 235959',
    ]) {
      assert.equal(read(format, text), NaN, text);
    }
    assert.equal(read(format, '20200229 000000'), Date.UTC(2020, 1, 29));
    assert.equal(read(format, '20181001 240000'), Date.UTC(2018, 9, 2));
  });

  it('takes clock times in the zone: the first of two, and later where there is none', () => {
    const format = timeFormat('yyyyMMdd HHmmss', 'Europe/Berlin');
    assert.equal(read(format, '20181001 171035'), WELD - 7_200_000);
    assert.equal(read(format, '20181028 023000'), Date.UTC(2018, 9, 28, 0, 30));
    assert.equal(read(format, '20180325 023000'), Date.UTC(2018, 2, 25, 1, 30));
    assert.equal(format.write(Date.UTC(2018, 9, 28, 0, 30)), '20181028 023000');
    assert.equal(format.write(Date.UTC(2018, 9, 28, 1, 30)), '20181028 023000');
  });

  it('knows offsets that change within an hour and by seconds', () => {
    const format = timeFormat('yyyy-MM-dd HH:mm:ss', 'Africa/Monrovia');
    for (const ms of [
      Date.UTC(1972, 0, 7, 0, 0),
      Date.UTC(1972, 0, 7, 0, 44, 29),
      Date.UTC(1972, 0, 7, 0, 44, 30),
      Date.UTC(1972, 0, 7, 1, 30),
    ]) {
      assert.equal(
        format.write(ms),
        DateTime.fromMillis(ms, { zone: 'Africa/Monrovia' }).toFormat('yyyy-MM-dd HH:mm:ss'),
      );
      assert.equal(read(format, format.write(ms)), ms);
    }
  });

  it('reads ISO 8601 with and without an offset', () => {
    const format = timeFormat('iso', 'Europe/Berlin');
    assert.equal(read(format, '2018-10-01T17:10:35Z'), WELD);
    assert.equal(read(format, '2018-10-01T19:10:35'), WELD);
    assert.equal(read(format, '2018-10-01T19:10:35.1239+02:00'), WELD + 123);
    assert.equal(read(format, '2018-10-01T14:10:35,5-0300'), WELD + 500);
    assert.equal(read(format, '2018-10-01T22:40:35+0530'), WELD);
    assert.equal(read(format, '20181001T171035Z'), WELD);
    assert.equal(read(format, '2018-10-01'), Date.UTC(2018, 8, 30, 22));
    assert.equal(read(format, '2018-W40-1T17:10:35Z'), WELD);
    assert.equal(read(format, '2018-274T17:10:35z'), WELD);
    assert.equal(read(format, '2018-10-01T19:10:35+02:00[Europe/Berlin]'), WELD);
    assert.equal(format.write(WELD), '2018-10-01T17:10:35.000Z');
    assert.equal(format.lastAlike(WELD), WELD);
  });

  it('refuses ISO texts without a date, with a zone but no offset, and nonsense', () => {
    const format = timeFormat('iso', 'UTC');
    for (const text of [
      '17:10:35',
      '10',
      '1020:30',
      'T17:10',
      '2018-02-30T00:00:00Z',
      '2018-10-01T17:10:35[Europe/Berlin]',
      '2018-10-01[x]',
      '',
      'now',
      '2018-10-01T17:10:35.',
      '2018-10-01T17:10:35+2',
      '2018-10-01T17:60:35Z',
      '10000-01-01T00:00:00Z',
      '+010000-01-01T00:00:00Z',
      '1969-12-31T23:59:59Z',
      `2018-10-01T17:10:35.${'1'.repeat(200)}`,
    ]) {
      assert.equal(read(format, text), NaN, text);
    }
    assert.equal(read(format, '1970-01-01T00:00:00Z'), 0);
    assert.equal(read(format, '9999-12-31T23:59:59.999Z'), MAX_TIME);
  });

  it('reads numbers of seconds and milliseconds, with fractions cut off', () => {
    const seconds = timeFormat('epoch-s', 'UTC');
    assert.equal(read(seconds, '1538413835'), WELD);
    assert.equal(read(seconds, '1538413835.1239'), WELD + 123);
    assert.equal(read(seconds, '1.538413835e9'), WELD);
    assert.equal(read(seconds, '1538413835.567'), WELD + 567);
    assert.equal(read(seconds, '0001538413835'), WELD);
    assert.equal(seconds.write(WELD), '1538413835');
    assert.equal(seconds.write(WELD + 7), '1538413835.007');
    const millis = timeFormat('epoch-ms', 'UTC');
    assert.equal(read(millis, '1538413835000'), WELD);
    assert.equal(read(millis, '1538413835000.9'), WELD);
    assert.equal(millis.write(WELD), '1538413835000');
    assert.ok(Object.is(read(millis, '-0'), 0));
    for (const text of [
      '',
      '-1',
      '-0.5',
      '1e400',
      '1e99',
      '253402300800000',
      'x',
      '1 ',
      '0x10',
      '1,5',
      '.5',
      '5.',
      '+5',
      'Infinity',
      '1'.repeat(200),
    ]) {
      assert.equal(read(millis, text), NaN, text);
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_TIME }), (ms) => {
        assert.equal(read(seconds, seconds.write(ms)), ms);
        assert.equal(read(millis, millis.write(ms)), ms);
      }),
    );
  });

  it('reads names of months, half days and offsets by luxon', () => {
    const named = timeFormat('d MMM yyyy, h:mm:ss a', 'America/New_York');
    assert.equal(read(named, '1 Oct 2018, 1:10:35 PM'), WELD);
    assert.equal(named.write(WELD), '1 Oct 2018, 1:10:35 PM');
    const offset = timeFormat('dd.MM.yyyy HH:mm:ss.SSS ZZ', 'Europe/Berlin');
    assert.equal(read(offset, '01.10.2018 17:10:35.000 +00:00'), WELD);
    assert.equal(offset.write(WELD), '01.10.2018 19:10:35.000 +02:00');
    const micro = timeFormat("yyyy-MM-dd'T'HH:mm:ss.u", 'UTC');
    assert.equal(read(micro, '2018-10-01T17:10:35.123456'), WELD + 123);
    const quoted = timeFormat("'at' yyyyMMdd'T'HHmmss", 'UTC');
    assert.equal(read(quoted, 'at 20181001T171035'), WELD);
    assert.equal(read(quoted, 'AT 20181001t171035'), WELD);
  });

  it('tells how long a text stays the same', () => {
    assert.equal(timeFormat('yyyy-MM-dd', 'UTC').lastAlike(WELD), Date.UTC(2018, 9, 2) - 1);
    assert.equal(timeFormat('yyyy-MM-dd', 'Europe/Berlin').lastAlike(WELD), Date.UTC(2018, 9, 1, 22) - 1);
    assert.equal(timeFormat('yyyy-MM', 'UTC').lastAlike(WELD), Date.UTC(2018, 10) - 1);
    assert.equal(timeFormat("yyyy-MM-dd'T'HH", 'UTC').lastAlike(WELD), Date.UTC(2018, 9, 1, 18) - 1);
  });

  it('refuses formats that do not tell the time, and unknown zones, with a remedy', () => {
    const formats = [
      '',
      'HH:mm:ss',
      'dd.MM. HH:mm',
      'yyyy-MM-ddTHH:mm:ss',
      'yyyy-MM-dd hh:mm',
      'yyyy-MM-dd z',
      'yyyy ZZZZ',
      'X',
      'foo',
      'D',
      'yyyy a HH',
      "'x'",
      '-',
      `yyyy${' '.repeat(MAX_TIME_TEXT)}`,
      // A regular expression of these, matched with what they write, would take as good as for ever.
      `yyyy${'Md'.repeat(25)}-${'sS'.repeat(8)}`,
    ];
    for (const format of formats) {
      assert.throws(
        () => timeFormat(format, 'UTC'),
        (error) => {
          assert.ok(error instanceof S3BatchError);
          assert.equal(error.code, 'LAYOUT_INVALID');
          assert.match(error.message, /"time.format".*; use iso/);
          return true;
        },
        format,
      );
    }
    for (const name of ['', 'local', 'system', 'default', 'Mars/Olympus', 'CETT', 'x'.repeat(1000)]) {
      assert.throws(
        () => timeFormat('iso', name),
        /"time.zone" does not work: there is no time zone .*; use UTC/,
        name,
      );
    }
  });

  it('agrees with luxon on patterns, in zones with summer time, too', () => {
    const patterns = [
      'yyyyMMdd HHmmss',
      'dd.MM.yyyy HH:mm:ss.SSS',
      'yyyy-MM-dd',
      "yyyy/MM/dd'T'HH:mm",
      'yyyyMMddHHmmssSSS',
    ];
    const formats = new Map(patterns.flatMap((p) => ZONES.map((z) => [p + z, timeFormat(p, z)] as const)));
    fc.assert(
      fc.property(fc.constantFrom(...patterns), zone, clock, (pattern, name, at) => {
        const format = formats.get(pattern + name)!;
        const text = DateTime.fromMillis(at, { zone: 'UTC' }).toFormat(pattern);
        const date = DateTime.fromFormat(text, pattern, { zone: name, locale: 'en-US' });
        const expected = luxonTime(date, name);
        assert.equal(read(format, text), expected, `${text} in ${name}`);
        if (!Number.isNaN(expected)) {
          const written = DateTime.fromMillis(expected, { zone: name, locale: 'en-US' }).toFormat(pattern);
          assert.equal(format.write(expected), written);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with luxon on texts that name no time', () => {
    const format = timeFormat('yyyyMMdd HHmmss', 'Europe/Berlin');
    const iso = timeFormat('iso', 'Europe/Berlin');
    const options = { zone: 'Europe/Berlin', locale: 'en-US' };
    fc.assert(
      fc.property(
        odd,
        fc.constantFrom('', 'Z', '+02:00', '-1130', '+14', '+99:99'),
        ({ y, M, d, h, m, s }, offset) => {
          const plain = `${y}${two(M)}${two(d)} ${two(h)}${two(m)}${two(s)}`;
          assert.equal(
            read(format, plain),
            luxonTime(DateTime.fromFormat(plain, 'yyyyMMdd HHmmss', options), 'Europe/Berlin'),
          );
          const text = `${y}-${two(M)}-${two(d)}T${two(h)}:${two(m)}:${two(s)}${offset}`;
          const date = DateTime.fromISO(text, options);
          const expected = offset === '' ? luxonTime(date, 'Europe/Berlin') : date.toMillis();
          const inRange = expected >= 0 && expected <= MAX_TIME ? expected : NaN;
          assert.equal(read(iso, text), inRange, text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('agrees with luxon on ISO 8601', () => {
    const formats = new Map(ZONES.map((z) => [z, timeFormat('iso', z)]));
    const tail = fc.tuple(
      fc.stringMatching(/^([.,]\d{1,12})?$/),
      fc.stringMatching(/^(Z|[+-]\d\d(:?[0-5]\d)?)?$/),
    );
    fc.assert(
      fc.property(clock, zone, tail, (at, name, [fraction, offset]) => {
        const text =
          DateTime.fromMillis(at, { zone: 'UTC' }).toFormat("yyyy-MM-dd'T'HH:mm:ss") + fraction + offset;
        const date = DateTime.fromISO(text, { zone: name, locale: 'en-US' });
        const ms = offset === '' ? luxonTime(date, name) : date.toMillis();
        assert.equal(
          read(formats.get(name)!, text),
          ms >= 0 && ms <= MAX_TIME ? ms : NaN,
          `${text} in ${name}`,
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws, and never takes long', () => {
    const formats = ['iso', 'epoch-s', 'epoch-ms', 'yyyyMMdd HHmmss', 'd MMMM yyyy h a ZZ'].map((f) =>
      timeFormat(f, 'UTC'),
    );
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9TZ:.+ -]{0,40}$/));
    fc.assert(
      fc.property(text, (any) => {
        for (const format of formats) {
          const ms = read(format, any);
          assert.ok(Number.isNaN(ms) || (ms >= 0 && ms <= MAX_TIME));
        }
      }),
    );
  });
});
