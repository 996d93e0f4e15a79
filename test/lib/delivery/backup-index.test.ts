import assert from 'node:assert/strict';

import fc from 'fast-check';

import { DigestIndex } from '../../../lib/delivery/backup-index';
import { PageTable } from '../../../lib/delivery/backup-page';
import { BackupSlice } from '../../../lib/delivery/backup-slice';

/** Digests of which many have the same table, the same place in it, or are the same. */
const digest = fc
  .record({
    table: fc.constantFrom(0, 1, 255),
    high: fc.constantFrom(0, 7),
    low: fc.constantFrom(0, 1, 8, 9, 64),
  })
  .map(({ table, high, low }) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(((table << 24) | high) >>> 0, 0);
    bytes.writeUInt32BE(low, 4);
    return bytes;
  });

const action = fc.oneof(
  { weight: 3, arbitrary: digest.map((bytes) => ({ add: bytes })) },
  { weight: 2, arbitrary: digest.map((bytes) => ({ take: bytes })) },
  { weight: 1, arbitrary: fc.nat().map((place) => ({ remove: place })) },
);

describe('the index of digests', () => {
  it('finds the oldest row of a digest, whatever was added and removed', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const table = new PageTable();
        const slice = new BackupSlice(table, 0, undefined);
        const index = new DigestIndex(table);
        const expected: { id: number; key: string }[] = [];
        for (const one of actions) {
          if ('add' in one) {
            const [id = -1] = slice.addWaiting(one.add);
            index.add(id);
            expected.push({ id, key: one.add.toString('hex') });
          } else if ('take' in one) {
            const key = one.take.toString('hex');
            const oldest = expected.find((row) => row.key === key);
            assert.equal(index.take(one.take.readUInt32BE(0), one.take.readUInt32BE(4)), oldest?.id);
            if (oldest) expected.splice(expected.indexOf(oldest), 1);
          } else if (expected.length > 0) {
            const [row] = expected.splice(one.remove % expected.length, 1);
            index.remove(row!.id);
          }
          assert.equal(index.size, expected.length);
        }
        for (const { id, key } of expected) {
          assert.equal(index.take(parseInt(key.slice(0, 8), 16), parseInt(key.slice(8), 16)), id);
        }
        assert.equal(index.size, 0);
      }),
      { numRuns: 300 },
    );
  });

  it('takes a hundred thousand rows, equal ones too, and gives the memory back', () => {
    const table = new PageTable();
    const slice = new BackupSlice(table, 0, undefined);
    const index = new DigestIndex(table);
    const empty = index.allocated;
    const ids: number[] = [];
    const bytes = Buffer.alloc(8);
    for (let n = 0; n < 100_000; n++) {
      if (n % 2 === 0) bytes.writeUInt32BE(Math.imul(n, 0x9e3779b1) >>> 0, 0);
      else bytes.fill(0xab);
      bytes.writeUInt32BE(n % 2 === 0 ? n : 0, 4);
      const [id = -1] = slice.addWaiting(bytes);
      index.add(id);
      ids.push(id);
    }
    assert.equal(index.size, 100_000);
    assert.ok(index.allocated < 50_001 * 16, `${index.allocated} bytes`);
    for (const id of ids) index.remove(id);
    assert.equal(index.size, 0);
    assert.equal(index.allocated, empty);
  });
});
