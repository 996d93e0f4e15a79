import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { mulberry32 } from '../../demo/weld-messages';
import { crc32c } from '../../lib/crc32c';
import { S3BatchError } from '../../lib/errors';
import {
  encodeObject,
  type EncodedObject,
  MAX_INDEX_RECORDS,
  type Records,
  SIDECAR_SUFFIX,
} from '../../lib/object';
import { indexMembers, writeTrailer } from '../../lib/object/tail';
import { RecordFlag } from '../../lib/record';
import { EVERYTHING, fetchRecords, headObject, matchObject } from '../../lib/query';
import { FORMAT, pageTextsOf } from '../lib/object/read-back';
import { MemoryStore } from '../support/memory-store';
import { recordsOf, type TestRecord, weldRecords } from '../support/records';
import { needs, PYTHON } from '../support/python';
import { IS_PYTHON, ROOT, run } from './python';

const SCRIPT = path.join(ROOT, 'test/interop/digest_objects.py');
const OPTIONS = { contentType: 'application/gzip' };

/** An object as somebody may have left it in a bucket. */
interface Left {
  body: Buffer;
  attributes: Record<string, string>;
  sidecar?: Buffer;
}

const LIST: TestRecord[] = [
  ...weldRecords(60, 4),
  { topic: 't', series: 's', time: Date.UTC(2018, 9, 1), payload: Buffer.from('{"a":\r\n1}') },
  { topic: 't', series: 's', time: Date.UTC(2018, 9, 1), payload: Buffer.from([0xff, 10]) },
  { topic: 't', series: 'text', time: 5, payload: Buffer.from('plain text') },
];

describe('Python: objects that were tampered with', function () {
  this.timeout(120_000);
  let folder: string;

  before(async function () {
    needs(this, 'Python 3.9', IS_PYTHON);
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-'));
  });

  after(async () => {
    if (folder) await rm(folder, { recursive: true });
  });

  async function write(objects: readonly Left[]): Promise<string[]> {
    for (const [number, { body, attributes, sidecar }] of objects.entries()) {
      const file = path.join(folder, String(number));
      await writeFile(file, body);
      await writeFile(`${file}.attributes.json`, JSON.stringify(attributes));
      if (sidecar) await writeFile(file + SIDECAR_SUFFIX, sidecar);
      else await rm(file + SIDECAR_SUFFIX, { force: true });
    }
    return objects.map((_, number) => path.join(folder, String(number)));
  }

  /** What Python makes of each: a digest of the records, or `refused`. */
  async function inPython(objects: readonly Left[]): Promise<string[]> {
    const { code, stdout, stderr } = await run([SCRIPT, ...(await write(objects))]);
    assert.equal(code, 0, stderr);
    return stdout.trim().split('\n');
  }

  async function sameAsTypeScript(objects: readonly Left[]): Promise<string[]> {
    const expected: string[] = [];
    for (const object of objects) expected.push(await inTypeScript(object));
    assert.deepEqual(await inPython(objects), expected);
    return expected;
  }

  for (const compression of ['gzip', 'none'] as const) {
    it(`is refused, or read, as in TypeScript: bytes changed, cut and added; compression ${compression}`, async () => {
      const random = mulberry32(11);
      const { body, attributes, sidecar } = await encode(compression);
      const below = (most: number): number => Math.floor(random() * most);
      const spoiled = (bytes: Buffer): Buffer => {
        const copy = Buffer.from(bytes);
        const kind = below(10);
        if (kind === 0) return copy.subarray(0, below(copy.length));
        if (kind === 1) return Buffer.concat([copy, Buffer.from('x')]);
        // Most of what can be said about an object is said at its end.
        const at = kind < 5 ? below(copy.length) : copy.length - 1 - below(Math.min(copy.length, 900));
        copy[at] = kind % 2 === 0 ? below(256) : (copy[at] ?? 0) ^ (1 << below(8));
        return copy;
      };
      const objects = Array.from({ length: 150 }, (_, n): Left => {
        const some = n % 2 === 0 ? attributes : {};
        // A plain block has no checksum, so that only what the framing tells can be noticed.
        return sidecar
          ? { body, attributes: some, sidecar: spoiled(sidecar) }
          : { body: spoiled(body), attributes: some };
      });
      const found = await sameAsTypeScript([{ body, attributes, ...(sidecar && { sidecar }) }, ...objects]);
      assert.notEqual(found[0], 'refused');
      assert.ok(found.filter((text) => text === 'refused').length > 50);
    });
  }

  it('is refused, or read, as in TypeScript: numbers of a page changed', async () => {
    const random = mulberry32(12);
    const below = (most: number): number => Math.floor(random() * most);
    const { body } = await encode('none');
    const [page] = await pageTextsOf(await encode('none'));
    assert.ok(page);
    const text = page.json.toString();
    const numbers = [...text.matchAll(/-?\b\d+\b/g)];
    const values = [
      '0',
      '1',
      '-1',
      '5',
      '1.5',
      '9007199254740992',
      '99999999999999999999',
      'null',
      '"1"',
      '[]',
    ];
    const objects = Array.from({ length: 200 }, (): Left => {
      const found = numbers[below(numbers.length)];
      assert.ok(found);
      const value = values[below(values.length)] ?? '';
      const json = text.slice(0, found.index) + value + text.slice(found.index + found[0].length);
      return { body, attributes: {}, sidecar: gzipSync(`${json}\n`) };
    });
    const results = await sameAsTypeScript(objects);
    assert.ok(results.filter((result) => result === 'refused').length > 100);
  });

  it('is refused, or read, as in TypeScript: attributes changed', async () => {
    const { body, attributes } = await encode('gzip');
    const names = Object.keys(attributes);
    const values = [
      '',
      '0',
      '1,2,3,4',
      's3-batch/2',
      's3-batch/0',
      '.index.gz',
      '2018-13-01T00:00:00.000Z',
      '%',
    ];
    const objects = names.flatMap((name) => [
      ...values.map((value): Left => ({ body, attributes: { ...attributes, [name]: value } })),
      { body, attributes: Object.fromEntries(Object.entries(attributes).filter(([own]) => own !== name)) },
      { body, attributes: { ...attributes, [name]: (attributes[name] ?? '').slice(0, -1) } },
    ]);
    await sameAsTypeScript(objects);
  });

  it('is refused, or read, as in TypeScript: a text nested without end, more records than a reader takes', async () => {
    const line = Buffer.from(`${'['.repeat(200_000)}\n`);
    const one: Records = {
      ...{ count: 1, sources: [{ topic: 't', series: 's' }], flags: () => RecordFlag.TEXT },
      ...{ time: () => 5, length: () => line.length, source: () => 0, lineBreaks: () => undefined },
      copy: (_record, target, at) => line.copy(target, at),
    };
    const text = await encodeObject(one, FORMAT);
    const count = MAX_INDEX_RECORDS + 1;
    const records: Records = {
      ...{ count, sources: [{ topic: 't', series: 's' }] },
      ...{ time: () => 5, length: () => 0, source: () => 0, flags: () => 0, lineBreaks: () => undefined },
      copy: () => undefined,
    };
    const many = await encodeObject(records, { ...FORMAT, framing: 'none', compression: 'none' });
    assert.deepEqual(await sameAsTypeScript([text, many]), ['refused', 'refused']);
  });

  it('takes bounded memory, whatever the object claims', async () => {
    const bounded = (files: string[]): Promise<string> =>
      // 1,200 MiB of addresses for Python, its libraries and all threads.
      run(['-c', `ulimit -v 1228800; exec "$0" "$@"`, PYTHON, SCRIPT, ...files], { command: 'bash' }).then(
        ({ stdout, stderr }) => stdout + stderr,
      );
    const zeros = Buffer.alloc(16 << 20, '0,');
    const page = `{"version":1,"batch":"b","records":{"length":[${zeros.toString('latin1', 0, 15 << 20)}0]}}`;
    const objects: Left[] = [
      { body: withDirectory(gzipSync(Buffer.alloc(64 << 20)), 1 << 30), attributes: {} },
      { body: withDirectory(gzipSync(Buffer.alloc(64 << 20)), 10 << 20), attributes: {} },
      { body: withDirectory(gzipSync('['.repeat(15 << 20)), 15 << 20), attributes: {} },
      { body: withDirectory(gzipSync('"'.repeat(4 << 20)), 4 << 20), attributes: {} },
      { body: withDirectory(gzipSync(page), page.length), attributes: {} },
      { body: Buffer.alloc(9), attributes: {}, sidecar: gzipSync(`${page}\n`) },
    ];
    const said = await bounded(await write(objects));
    assert.equal(said, 'refused\n'.repeat(objects.length));
  });
});

function encode(compression: 'gzip' | 'none'): Promise<EncodedObject> {
  return encodeObject(recordsOf(LIST, 'newline'), { ...FORMAT, compression }, { blockSize: 2000 });
}

async function inTypeScript({ body, attributes, sidecar }: Left): Promise<string> {
  const store = new MemoryStore();
  await store.put('b', 'o', body, { ...OPTIONS, attributes });
  if (sidecar) await store.put('b', `o${SIDECAR_SUFFIX}`, sidecar, { ...OPTIONS, attributes: {} });
  const digest = createHash('sha256');
  try {
    const head = await headObject(store, 'b', 'o');
    const match = await matchObject(store, head, EVERYTHING);
    for await (const records of fetchRecords(store, [match])) {
      for (const { topic, series, time, payload } of records)
        digest.update(`${JSON.stringify([topic, series, time])}${payload.toString('base64')}\n`);
    }
    return digest.digest('hex');
  } catch (error) {
    assert.ok(error instanceof S3BatchError, String(error));
    return 'refused';
  }
}

/** An object without blocks whose directory is `compressed`, and says that it is `size` bytes. */
function withDirectory(compressed: Buffer, directorySize: number): Buffer {
  const members = indexMembers(compressed);
  const { length } = members;
  const checksum = crc32c(compressed);
  const trailer = { offset: 0, length, directoryLength: length, directorySize, count: 1, checksum };
  return Buffer.concat([members, writeTrailer(trailer)]);
}
