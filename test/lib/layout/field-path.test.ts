import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fieldPathText, parseFieldPath } from '../../../lib/layout/field-path';

describe('field path', () => {
  it('reads names, indexes and quoted names', () => {
    assert.deepEqual(parseFieldPath('weldspot.Timestamp'), ['weldspot', 'Timestamp']);
    assert.deepEqual(parseFieldPath('points[0].x'), ['points', '0', 'x']);
    assert.deepEqual(parseFieldPath('points.0.x'), ['points', '0', 'x']);
    assert.deepEqual(parseFieldPath('["a.b"].c'), ['a.b', 'c']);
    assert.deepEqual(parseFieldPath('a["\\u0041 \\"]"]'), ['a', 'A "]']);
    assert.deepEqual(parseFieldPath('Größe'), ['Größe']);
  });

  it('refuses what is no path', () => {
    for (const text of [
      '',
      '.',
      'a.',
      '.a',
      'a..b',
      'a b',
      'a[',
      'a[]',
      'a[x]',
      'a["b]',
      'a]',
      '{a}',
      'a["\\x"]',
      '\ud800',
    ]) {
      assert.equal(parseFieldPath(text), undefined, text);
    }
  });

  it('has one text for each path, which reads back', () => {
    assert.equal(fieldPathText(['a', 'b', '0']), 'a.b.0');
    assert.equal(fieldPathText(['a.b', 'c']), '["a.b"].c');
    const segments = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(segments, (path) => assert.deepEqual(parseFieldPath(fieldPathText(path)), path)));
  });
});
