import assert from 'node:assert/strict';
import zlib from 'node:zlib';

import fc from 'fast-check';

import {
  EMPTY_MEMBER_OVERHEAD,
  emptyMember,
  gunzip,
  GzipMembers,
  MAX_SUBFIELD,
  readEmptyMember,
} from '../../../lib/object/gzip';
import { rejectsWith } from './read-back';

describe('empty gzip members', () => {
  const data = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

  it('decompress to nothing', () => {
    fc.assert(
      fc.property(data, (bytes) => {
        assert.equal(zlib.gunzipSync(emptyMember('OI', bytes)).length, 0);
      }),
    );
  });

  it('leave what other members hold as it is, before, between and behind them', () => {
    const empty = emptyMember('OI', Buffer.from('index'));
    const parts = [empty, zlib.gzipSync('one\n'), empty, empty, zlib.gzipSync('two\n'), empty];
    assert.equal(zlib.gunzipSync(Buffer.concat(parts)).toString(), 'one\ntwo\n');
  });

  it('give back their data and where they end', () => {
    fc.assert(
      fc.property(data, fc.nat(50), (bytes, before) => {
        const file = Buffer.concat([Buffer.alloc(before, 7), emptyMember('OT', bytes), Buffer.alloc(30, 9)]);
        const member = readEmptyMember(file, before, 'OT');
        assert.deepEqual(member?.data, bytes);
        assert.equal(member.end, before + EMPTY_MEMBER_OVERHEAD + bytes.length);
      }),
    );
  });

  it('take 65,531 bytes and no more', () => {
    const full = emptyMember('OI', Buffer.alloc(MAX_SUBFIELD, 0xff));
    assert.equal(zlib.gunzipSync(full).length, 0);
    assert.equal(readEmptyMember(full, 0, 'OI')?.data.length, 65_531);
    assert.throws(() => emptyMember('OI', Buffer.alloc(MAX_SUBFIELD + 1)), RangeError);
  });

  it('are told from members of another kind', () => {
    const member = emptyMember('OI', Buffer.from('index'));
    assert.equal(readEmptyMember(member, 0, 'OT'), undefined);
    assert.equal(readEmptyMember(zlib.gzipSync('text'), 0, 'OI'), undefined);
    assert.equal(readEmptyMember(Buffer.alloc(200), 0, 'OI'), undefined);
    assert.equal(readEmptyMember(member, 1, 'OI'), undefined);
    for (let length = 0; length < member.length; length++) {
      assert.equal(readEmptyMember(member.subarray(0, length), 0, 'OI'), undefined, `${length} bytes`);
    }
  });
});

describe('gunzip', () => {
  it('gives exactly the size that is said', async () => {
    assert.equal((await gunzip(zlib.gzipSync('12345'), 5, 'it')).toString(), '12345');
    assert.equal((await gunzip(zlib.gzipSync(''), 0, 'it')).length, 0);
  });

  it('refuses more, fewer, and what is no gzip', async () => {
    await rejectsWith('OBJECT_CORRUPT', gunzip(zlib.gzipSync('12345'), 4, 'it'));
    await rejectsWith('OBJECT_CORRUPT', gunzip(zlib.gzipSync('12345'), 6, 'it'));
    await rejectsWith('OBJECT_CORRUPT', gunzip(zlib.gzipSync('1'), 0, 'it'));
    await rejectsWith('OBJECT_CORRUPT', gunzip(Buffer.from('12345'), 5, 'it'));
    await rejectsWith('OBJECT_CORRUPT', gunzip(Buffer.alloc(0), 0, 'it'));
  });
});

describe('gzip members one after another', () => {
  it('hold what was given, in the same bytes each time', async () => {
    const texts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.nat(300_000).map(noise)), {
      maxLength: 8,
    });
    const compressed = async (all: readonly Uint8Array[]): Promise<Buffer[]> => {
      const members = new GzipMembers({ level: 6 });
      const each: Buffer[] = [];
      for (const bytes of all) each.push(await members.compress(bytes));
      members.close();
      return each;
    };
    await fc.assert(
      fc.asyncProperty(texts, async (all) => {
        const members = await compressed(all);
        assert.deepEqual(
          members.map((member) => zlib.gunzipSync(member)),
          all.map((bytes) => Buffer.from(bytes)),
        );
        assert.deepEqual(await compressed(all), members);
      }),
      { numRuns: 30 },
    );
  });

  it('fail for who wants them, and not the process, once they are closed', async () => {
    const members = new GzipMembers({ level: 6 });
    members.close();
    await assert.rejects(members.compress(Buffer.from('x')));
  });
});

/** Bytes that compress to about half. */
function noise(length: number): Uint8Array {
  let state = length;
  return Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 27);
}
