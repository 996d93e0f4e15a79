import fc from 'fast-check';
import assert from 'node:assert/strict';
import { listPage, type Marker, type SortableKey } from '../../embedded/s3-server/list';

const sorted = (keys: Iterable<string>): SortableKey[] =>
  [...keys].map((key) => ({ key, bytes: Buffer.from(key) })).sort((a, b) => a.bytes.compare(b.bytes));

function listAll(
  keys: SortableKey[],
  options: { prefix: string; delimiter: string; maxKeys: number },
  first?: Marker,
) {
  const all = { keys: [] as string[], prefixes: [] as string[] };
  let marker = first;
  let pages = 0;
  do {
    const page = listPage(keys, { ...options, ...(marker && { marker }) });
    assert.ok(page.contents.length + page.prefixes.length <= options.maxKeys);
    all.keys.push(...page.contents.map(({ key }) => key));
    all.prefixes.push(...page.prefixes);
    marker = page.next;
    assert.ok(++pages <= keys.length + 1, 'a listing comes to its end');
  } while (marker !== undefined);
  return all;
}

describe('listings of the embedded S3 server', () => {
  // Few letters, so that prefixes and delimiters meet; the last two are ordered otherwise in UTF-16.
  const key = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '0', '\uffee', '\u{1f525}'),
    minLength: 1,
    maxLength: 6,
  });
  const keys = fc.uniqueArray(key, { maxLength: 30 });
  const part = fc.constantFrom('', 'a', '/', 'a/', '/a', '\uffee', 'zz');

  it('are what filtering and folding all keys gives, in pages of any size', () => {
    fc.assert(
      fc.property(keys, part, part, fc.integer({ min: 1, max: 8 }), (all, prefix, delimiter, maxKeys) => {
        const matching = sorted(all.filter((candidate) => candidate.startsWith(prefix))).map(
          (entry) => entry.key,
        );
        const fold = (candidate: string): string | undefined => {
          const at = delimiter === '' ? -1 : candidate.indexOf(delimiter, prefix.length);
          return at < 0 ? undefined : candidate.slice(0, at + delimiter.length);
        };
        assert.deepEqual(listAll(sorted(all), { prefix, delimiter, maxKeys }), {
          keys: matching.filter((candidate) => fold(candidate) === undefined),
          prefixes: [...new Set(matching.map(fold).filter((common) => common !== undefined))],
        });
      }),
    );
  });

  it('begin behind the key to start after', () => {
    fc.assert(
      fc.property(keys, part, key, fc.integer({ min: 1, max: 8 }), (all, prefix, after, maxKeys) => {
        const bytes = Buffer.from(after);
        const expected = sorted(all.filter((candidate) => candidate.startsWith(prefix)))
          .filter((entry) => entry.bytes.compare(bytes) > 0)
          .map((entry) => entry.key);
        const marker = { after, skipPrefix: false };
        assert.deepEqual(listAll(sorted(all), { prefix, delimiter: '', maxKeys }, marker).keys, expected);
      }),
    );
  });

  it('are empty and at their end when no key is wanted', () => {
    const options = { prefix: '', delimiter: '', maxKeys: 0 };
    assert.deepEqual(listPage(sorted(['a', 'b']), options), { contents: [], prefixes: [] });
  });
});
