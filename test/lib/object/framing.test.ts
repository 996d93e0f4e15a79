import assert from 'node:assert/strict';

import fc from 'fast-check';

import { bodyStart, frameOverhead, type Framing, toLine, unframe, writeFrame } from '../../../lib/object';
import { RecordFlag } from '../../../lib/record';
import { isJson } from '../../support/records';
import { framing as anyFraming, jsonText, payload as anyPayload } from './arbitraries';
import { throwsWith } from './read-back';

function line(payload: Buffer) {
  return toLine(payload, isJson(payload), payload.includes(10) || payload.includes(13));
}

function framed(framing: Framing, body: Buffer): Buffer {
  const record = Buffer.alloc(body.length + frameOverhead(framing), 0xee);
  body.copy(record, bodyStart(framing, 0));
  writeFrame(framing, record, 0, body.length);
  return record;
}

describe('newline framing', () => {
  it('gives back the exact bytes of any payload', () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        const { body, flags, lineBreaks } = line(payload);
        assert.deepEqual(unframe('newline', framed('newline', body), flags, lineBreaks), payload);
      }),
      { numRuns: 500 },
    );
  });

  it('makes every payload one JSON text without a line break', () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        const { body } = line(payload);
        assert(!body.includes(10) && !body.includes(13));
        assert(isJson(body));
      }),
      { numRuns: 500 },
    );
  });

  it('leaves the value of a JSON payload as it is', () => {
    fc.assert(
      fc.property(jsonText, (payload) => {
        assert.deepEqual(JSON.parse(line(payload).body.toString()), JSON.parse(payload.toString()));
      }),
    );
  });

  const cases: [
    what: string,
    payload: string | Buffer,
    expected: string,
    flags: number,
    breaks?: number[],
  ][] = [
    ['JSON stays as it is', '{"a": 1.0}', '{"a": 1.0}', 0],
    ['JSON over lines is folded', '{\r\n"a":\n1}', '{  "a": 1}', RecordFlag.FOLDED, [3, 2, 10]],
    ['a line break at the end too', '1\n', '1 ', RecordFlag.FOLDED, [2]],
    ['other text becomes a string', 'on\n"off"', String.raw`"on\n\"off\""`, RecordFlag.TEXT],
    ['nothing becomes the empty string', '', '""', RecordFlag.TEXT],
    ['a byte order mark is no JSON', '\ufeff1', '"\ufeff1"', RecordFlag.TEXT],
    ['two JSON texts are not one', '1\n2', String.raw`"1\n2"`, RecordFlag.TEXT],
    ['other bytes become base64', Buffer.from([0xff, 0x0a, 0x00]), '"/woA"', RecordFlag.BASE64],
  ];
  for (const [what, payload, expected, flags, breaks] of cases) {
    it(what, () => {
      const framedPayload = line(Buffer.from(payload));
      assert.equal(framedPayload.body.toString(), expected);
      assert.equal(framedPayload.flags, flags);
      assert.deepEqual(framedPayload.lineBreaks, breaks);
    });
  }

  it('makes JSON with more than 1,000 line breaks a string', () => {
    const few = Buffer.from('[' + '\n'.repeat(1000) + ']');
    const many = Buffer.from('[' + '\n'.repeat(1001) + ']');
    assert.equal(line(few).flags, RecordFlag.FOLDED);
    assert.equal(line(many).flags, RecordFlag.TEXT);
    const { body, flags, lineBreaks } = line(many);
    assert.deepEqual(unframe('newline', framed('newline', body), flags, lineBreaks), many);
  });

  it('refuses lines that do not fit what the index says', () => {
    const refused: [record: string, flags: number, breaks?: number[]][] = [
      ['', 0],
      ['{}', 0],
      ['{}\n', RecordFlag.TEXT],
      ['"a\n', RecordFlag.TEXT],
      ['7\n', RecordFlag.BASE64],
      ['{ }\n', RecordFlag.FOLDED],
      ['{ }\n', RecordFlag.FOLDED, [0]],
      ['{ }\n', RecordFlag.FOLDED, [2, 0]],
      ['{ }\n', RecordFlag.FOLDED, [6]],
      ['{ }\n', RecordFlag.FOLDED, [2 ** 33 + 2]],
      ['{ }\n', RecordFlag.FOLDED, [Number.MAX_SAFE_INTEGER]],
    ];
    for (const [record, flags, breaks] of refused) {
      throwsWith('OBJECT_CORRUPT', () => unframe('newline', Buffer.from(record), flags, breaks));
    }
  });
});

describe('length framing and no framing', () => {
  it('give back the exact bytes of any payload', () => {
    fc.assert(
      fc.property(anyFraming, anyPayload, (framing, payload) => {
        if (framing === 'newline') return;
        assert.deepEqual(unframe(framing, framed(framing, payload), 0, undefined), payload);
      }),
    );
  });

  it('put the length before the payload, 32 bits, the highest byte first', () => {
    assert.deepEqual(framed('length', Buffer.from('abc')), Buffer.from('\0\0\0\x03abc'));
    assert.deepEqual(framed('none', Buffer.from('abc')), Buffer.from('abc'));
  });

  it('refuse a length that does not fit what the index says', () => {
    for (const record of ['', '\0\0\0', '\0\0\0\x01', '\0\0\0\0a']) {
      throwsWith('OBJECT_CORRUPT', () => unframe('length', Buffer.from(record), 0, undefined));
    }
  });
});
