import assert from 'node:assert/strict';

import fc from 'fast-check';

import { CanonicalJson } from '../../../lib/delivery/canonical-json';
import { jsonText, payload } from '../object/arbitraries';

const json = new CanonicalJson();

/** What it writes; undefined when it cannot tell. */
function canonical(text: string | Buffer): string | undefined {
  const bytes = Buffer.from(text);
  const target = Buffer.alloc(bytes.length + 3, 0xee);
  const end = json.write(bytes, target, 3);
  return end === -1 ? undefined : target.toString('utf8', 3, end);
}

/** It must say what the parser says, or nothing. */
function check(text: string | Buffer): void {
  const written = canonical(text);
  if (written !== undefined) assert.equal(written, JSON.stringify(JSON.parse(text.toString())));
}

describe('canonical JSON without the parser', () => {
  it('is what the parser and the writer make of it, or nothing', () => {
    fc.assert(fc.property(payload, check), { numRuns: 3000 });
    fc.assert(fc.property(jsonText, check), { numRuns: 3000 });
  });

  it('knows numbers', () => {
    const digits = fc.stringMatching(/^[0-9]{1,9}$/);
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        digits,
        fc.option(fc.oneof(digits, fc.stringMatching(/^0{4,8}[0-9]{1,3}$/))),
      )
      .map(([sign, whole, fraction]) => sign + whole + (fraction === null ? '' : `.${fraction}`));
    fc.assert(
      fc.property(number, (text) => {
        const written = canonical(`[${text}]`);
        if (written === undefined) return;
        assert.equal(written, JSON.stringify(JSON.parse(`[${text}]`)));
      }),
      { numRuns: 5000 },
    );
    for (const text of ['0', '-1', '1.50', '8.00', '0.5', '-0.25', '123456789012345', '0.000001', '0.10']) {
      assert.equal(canonical(`[${text}]`), JSON.stringify(JSON.parse(`[${text}]`)), text);
    }
    for (const text of [
      '-0',
      '-0.0',
      '1e3',
      '1E3',
      '0.0000001',
      '1234567890123456',
      '01',
      '1.',
      '.5',
      '+1',
      '-',
    ]) {
      assert.equal(canonical(`[${text}]`), undefined, text);
    }
  });

  it('is only told where it is certain', () => {
    const uncertain = [
      '',
      '1',
      '"a"',
      '{"a":1,"a":2}',
      '{"b":1,"2":2}',
      '{"a":"\\u0041"}',
      '{"a":"\n"}',
      '{"a" 1}',
      '{"a":1,}',
      '{,}',
      '[1,]',
      '[1 2]',
      '{"a":1}x',
      '{"a":1',
      '{"a',
      '[nul]',
      '[truefalse]',
      '['.repeat(40) + ']'.repeat(40),
      `{${Array.from({ length: 65 }, (_, n) => `"a${n}":1`).join()}}`,
    ];
    for (const text of uncertain) assert.equal(canonical(text), undefined, text);
    assert.equal(canonical(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])), undefined);
  });

  it('takes what machines write', () => {
    const texts = [
      '{"weldspot": {"Timestamp": "20181001 171035", "Current": 8.120, "ok": true, "note": null}, "n": [1, 2.0]}',
      '{\r\n\t"a" : [ ] ,\n"b" : { } , "ü" : "größer" }\n',
      '{"__proto__":1,"constructor":false}',
      '[]',
    ];
    for (const text of texts) assert.equal(canonical(text), JSON.stringify(JSON.parse(text)));
  });
});
