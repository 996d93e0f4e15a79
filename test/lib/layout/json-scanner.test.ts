import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import type { FieldPath } from '../../../lib/layout/field-path';
import { FieldKind, JsonScanner, MAX_JSON_DEPTH } from '../../../lib/layout/json-scanner';

const PATHS: FieldPath[] = [
  ['a'],
  ['a', 'b'],
  ['a', '0'],
  ['é'],
  ['1', 'b'],
  ['a"\\'],
  ['c', 'b', 'a'],
  ['c'],
];

function parsed(bytes: Buffer): { value: unknown } | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    return { value: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return undefined;
  }
}

function valueAt(value: unknown, path: FieldPath): unknown {
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    if (Array.isArray(value) && !/^\d+$/.test(segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value;
}

function check(bytes: Buffer, scanner = new JsonScanner(PATHS)): void {
  const expected = parsed(bytes);
  const shown = JSON.stringify(bytes.toString('latin1'));
  assert.equal(scanner.scan(bytes), expected !== undefined, shown);
  assert.equal(scanner.lineBreaks, expected !== undefined && /[\r\n]/.test(bytes.toString()), shown);
  PATHS.forEach((path, slot) => {
    const value = valueAt(expected?.value, path);
    const text = scanner.text(slot, bytes);
    if (typeof value === 'string' || typeof value === 'boolean') assert.equal(text, String(value), shown);
    else if (typeof value === 'number') assert.equal(Number(text), value, shown);
    else assert.equal(text, undefined, shown);
  });
}

const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/);
const quoted = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    '"a"',
    '"\\u0061"',
    '"b"',
    '"\\u00e9"',
    '"é"',
    '"0"',
    '"a\\"\\\\"',
    '"\\/\\b"',
    '"\\ud800"',
    '"c"',
    '"1"',
  ),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('0', '-0', '1e5', '1E+05', '-1.50e-3', '10', '0.00'),
);
const { text: jsonText } = fc.letrec<{ text: string; array: string; object: string }>((tie) => ({
  text: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc
      .tuple(space, fc.oneof(quoted, number, fc.constantFrom('true', 'false', 'null')), space)
      .map((all) => all.join('')),
    tie('array'),
    tie('object'),
  ),
  array: fc
    .tuple(space, fc.array(tie('text')), space)
    .map(([a, all, b]) => `${a}[${all.join(',') || b}]${b}`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, quoted, space, tie('text'))), space)
    .map(([a, all, b]) => `${a}{${all.map(([x, n, y, v]) => `${x}${n}${y}:${v}`).join(',') || a}}${b}`),
}));

describe('JSON scanner', () => {
  it('finds fields of a weld message', () => {
    const scanner = new JsonScanner([
      ['weldspot', 'Timestamp'],
      ['weldspot', 'Current'],
      ['weldspot', 'none'],
    ]);
    const bytes = Buffer.from('{"weldspot":{"Timestamp":"20181001 171035","Current":11.50,"ok":true}}');
    assert.equal(scanner.scan(bytes), true);
    assert.equal(scanner.text(0, bytes), '20181001 171035');
    assert.equal(scanner.text(1, bytes), '11.50');
    assert.equal(scanner.text(2, bytes), undefined);
    assert.deepEqual([...scanner.kinds], [FieldKind.STRING, FieldKind.NUMBER, FieldKind.MISSING]);
    assert.equal(bytes.toString('utf8', scanner.starts[0], scanner.ends[0]), '20181001 171035');
  });

  it('knows nothing of the last text any more', () => {
    const scanner = new JsonScanner([['a']]);
    scanner.scan(Buffer.from('{"a":\n1}'));
    for (const text of ['{}', '{"a":1', '', '{"a":{}}', '[{"a":1}]', '{"a":null}']) {
      const bytes = Buffer.from(text);
      scanner.scan(bytes);
      assert.equal(scanner.text(0, bytes), undefined, text);
      assert.equal(scanner.lineBreaks, false, text);
    }
  });

  it('takes the last of several members with one name, like JSON.parse', () => {
    for (const text of [
      '{"a":1,"a":2}',
      '{"a":{"b":1},"a":{}}',
      '{"a":{"b":1},"a":5}',
      '{"a":{"b":1},"\\u0061":[7]}',
      '{"a":[1,2],"a":{"0":3}}',
      '{"c":{"b":{"a":1},"b":{}}}',
      '{"a\\"\\\\":1}',
      '{"a\\u0022\\u005c":"x"}',
    ]) {
      check(Buffer.from(text));
    }
  });

  it('refuses what JSON.parse refuses', () => {
    for (const text of [
      '',
      ' ',
      '{',
      '}',
      '[',
      '[1',
      '[1,',
      '[1,]',
      '[,1]',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":1,}',
      '{a:1}',
      "{'a':1}",
      '01',
      '-',
      '+1',
      '.5',
      '1.',
      '1e',
      '1e+',
      '0x1',
      'NaN',
      'Infinity',
      'tru',
      'truee',
      'nul',
      'undefined',
      '1 2',
      '{}{}',
      '[]]',
      '"',
      '"\\',
      '"\\x"',
      '"\\u12"',
      '"\\u12g4"',
      '"\n"',
      '"\t"',
      '"\0"',
      '\0',
      '1\0',
      '\u00a01',
      '\u20281',
      '\ufeff{}',
      '{"a" 1}',
      '{"a":1 "b":2}',
      '[1 2]',
      '[1}',
      '{"a":1]',
      '//',
      '/**/1',
      '{,}',
      '{"a"::1}',
      'n',
      't',
      '-a',
      '--1',
      '1e5.5',
      '"a" :1',
    ]) {
      check(Buffer.from(text));
    }
    for (const bytes of [
      [0xff],
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0xef, 0xbb, 0xbf, 0x31],
      [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
    ]) {
      check(Buffer.from(bytes));
    }
  });

  it('takes and refuses what it does as a part of a larger buffer, too', () => {
    const whole = Buffer.from('[1]{"a":1}]');
    check(whole.subarray(3, 10));
    check(whole.subarray(3, 9));
  });

  it('calls texts nested too deeply no JSON, without running out of stack', () => {
    const scanner = new JsonScanner([['a']]);
    const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
    assert.equal(scanner.scan(nested(MAX_JSON_DEPTH)), true);
    assert.equal(scanner.scan(nested(MAX_JSON_DEPTH + 1)), false);
    assert.equal(scanner.scan(Buffer.alloc(1_000_000, '[')), false);
    assert.equal(scanner.scan(Buffer.from('{"a":'.repeat(100_000))), false);
  });

  it('says what JSON.parse says of JSON texts of all sorts', () => {
    const scanner = new JsonScanner(PATHS);
    fc.assert(
      fc.property(jsonText, (text) => check(Buffer.from(text), scanner)),
      { numRuns: 2000 },
    );
  });

  it('says what JSON.parse says of cut and altered JSON texts', () => {
    const scanner = new JsonScanner(PATHS);
    const edit = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 2 }) });
    fc.assert(
      fc.property(jsonText, fc.array(edit, { minLength: 1, maxLength: 3 }), (text, edits) => {
        let bytes = Buffer.from(text);
        for (const { at, remove, insert } of edits) {
          const start = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)]);
        }
        check(bytes, scanner);
        check(bytes.subarray(0, (edits[0]?.at ?? 0) % (bytes.length + 1)), scanner);
      }),
      { numRuns: 3000 },
    );
  });
});
