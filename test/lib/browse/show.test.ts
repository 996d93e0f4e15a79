import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hexLines, indentedJson, spanText, timeText, utf8Text } from '../../../lib/browse/show';

describe('showing records', () => {
  it('indents JSON and leaves every value as it was written', () => {
    assert.equal(
      indentedJson('{"a":[1.50,12345678901234567890,{}, [ ] ],"b":"x, {\\"y\\": 1}", "c":null}'),
      [
        '{',
        '  "a": [',
        '    1.50,',
        '    12345678901234567890,',
        '    {},',
        '    []',
        '  ],',
        '  "b": "x, {\\"y\\": 1}",',
        '  "c": null',
        '}',
      ].join('\n'),
    );
    for (const text of ['', 'x', '{', '{"a":1', "{'a':1}"]) assert.equal(indentedJson(text), undefined, text);
  });

  it('indents any JSON as JSON.stringify would', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        assert.equal(indentedJson(json), JSON.stringify(JSON.parse(json), null, 2));
      }),
    );
  });

  it('writes bytes in lines', () => {
    assert.equal(hexLines(new Uint8Array()), '');
    assert.equal(
      hexLines(Buffer.from('Weld\n\u00ff12 9')),
      '0000  57 65 6c 64 0a c3 bf 31  Weld...1\n0008  32 20 39                 2 9',
    );
  });

  it('reads text, and tells bytes that are none', () => {
    assert.equal(utf8Text(Buffer.from('ü'), true), 'ü');
    assert.equal(utf8Text(Buffer.from('aü').subarray(0, 2), true), undefined);
    assert.equal(utf8Text(Buffer.from('aü').subarray(0, 2), false), 'a');
    assert.equal(utf8Text(Buffer.from([0xff]), false), undefined);
  });

  it('writes times in UTC, and the date only once', () => {
    const time = Date.UTC(2018, 9, 1, 17, 10, 35);
    assert.equal(timeText(time), '2018-10-01 17:10:35');
    assert.equal(timeText(time + 7), '2018-10-01 17:10:35.007');
    assert.equal(spanText(time, time), '2018-10-01 17:10:35');
    assert.equal(spanText(time, time + 60_000), '2018-10-01 17:10:35 – 17:11:35');
    assert.equal(spanText(time, time + 86_400_000), '2018-10-01 17:10:35 – 2018-10-02 17:10:35');
  });
});
