import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { encodeHeader, parseHeader } from '../../../lib/journal/format';
import { MemoryDisk } from './memory-disk';
import { openOn, recordsOf } from './support';

const PAGE = join(__dirname, '../../../../docs/journal-format.md');

/** The bytes of the page's example: the hexadecimal columns of its code block. */
function exampleOnPage(): Buffer {
  const block = /## An example[^]*?```\n([^]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
  const columns = block.split('\n').map((line) => line.slice(6, 54));
  return Buffer.from(columns.join('').replaceAll(' ', ''), 'hex');
}

/** A journal whose secret is that of the page. */
function diskOfThePage(): MemoryDisk {
  const disk = new MemoryDisk();
  const header = { version: 1, number: 1, first: 1, salt: 0x2a2a2a2a, nextBatch: 7 };
  disk.files.set('000001.journal', encodeHeader(header));
  return disk;
}

describe('the format of a journal', () => {
  it('is what docs/journal-format.md shows', async () => {
    const disk = diskOfThePage();
    const { journal } = await openOn(disk);
    const batch = journal.openBatch('b7', '{}');
    const source = batch.addSource('weld/1', 'W1');
    const first = Buffer.from('{"a":1}\n');
    batch.append(1538413835000, source, 0, first, 0, first.length);
    const second = Buffer.from('{ "a":2 }\n');
    batch.append(1538413836000, source, 4, second, 0, second.length, [2]);
    batch.seal('key');
    const passing = journal.openBatch('b8', '');
    passing.forget();
    await journal.commit();
    const written = disk.files.get('000002.journal')!;
    assert.equal(exampleOnPage().toString('hex'), written.toString('hex'));
    await journal.close();
  });

  it('is read as docs/journal-format.md shows', async () => {
    const disk = new MemoryDisk();
    disk.files.set('000002.journal', exampleOnPage());
    const { batches, damage } = await openOn(disk);
    assert.deepEqual(damage, []);
    assert.deepEqual(
      batches.map(({ id, description, sealed, count, bytes }) => [id, description, sealed, count, bytes]),
      [['b7', '{}', 'key', 2, 18]],
    );
    const source = { topic: 'weld/1', series: 'W1' };
    assert.deepEqual(await recordsOf(batches[0]!), [
      { time: 1538413835000, ...source, flags: 0, text: '{"a":1}\n', lineBreaks: undefined },
      { time: 1538413836000, ...source, flags: 4, text: '{ "a":2 }\n', lineBreaks: [2] },
    ]);
  });

  it('has a header that stands damage to either of its copies', () => {
    const header = { version: 1, number: 3, first: 2, salt: 0xdeadbeef, nextBatch: 0xfffffff0 };
    const whole = encodeHeader(header);
    assert.deepEqual(parseHeader(whole), header);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      assert.deepEqual(parseHeader(damaged), header);
    }
    assert.equal(parseHeader(whole.subarray(0, 31)), undefined);
    assert.equal(parseHeader(Buffer.alloc(64)), undefined);
  });
});
