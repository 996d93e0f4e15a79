import assert from 'node:assert/strict';

import { crc32c, crc32cOfWords } from '../../lib/crc32c';

describe('crc32c', () => {
  // RFC 3720, appendix B.4, where the checksums are printed byte by byte, the lowest first.
  const vectors: [what: string, bytes: Buffer, checksum: string][] = [
    ['32 zeros', Buffer.alloc(32), 'aa36918a'],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), '43aba862'],
    ['32 bytes counting up', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), '4e79dd46'],
    ['32 bytes counting down', Buffer.from(Array.from({ length: 32 }, (_, n) => 31 - n)), '5cdb3f11'],
    [
      'an iSCSI read command',
      Buffer.from(
        '01c0000000000000000000000000000014000000000004000000001400000018280000000000000002000000' +
          '00000000',
        'hex',
      ),
      '563a96d9',
    ],
  ];
  for (const [what, bytes, checksum] of vectors) {
    it(`gives the checksum of RFC 3720 for ${what}`, () => {
      assert.equal(crc32c(bytes), Buffer.from(checksum, 'hex').readUInt32LE());
    });
  }

  it('gives the check value of the CRC catalogue for "123456789"', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  });

  it('goes on from the checksum of what came before, wherever the bytes are cut', () => {
    const bytes = Buffer.from(Array.from({ length: 60 }, (_, n) => (n * 37) & 0xff));
    const whole = crc32c(bytes);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.equal(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut)), whole);
      assert.equal(crc32c(bytes, cut), crc32c(bytes.subarray(cut)));
    }
  });

  it('takes words as their bytes, the lowest first', () => {
    for (const [first, second] of [
      [0, 0],
      [0x01020304, 0xfffefdfc],
      [0xffffffff, 0x80000000],
    ] as const) {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(first, 0);
      bytes.writeUInt32LE(second, 4);
      assert.equal(crc32cOfWords(first, second), crc32c(bytes));
      assert.equal(crc32cOfWords(first, second, 0xe3069283), crc32c(bytes, 0, 8, 0xe3069283));
    }
  });

  it('gives 0 for no bytes', () => {
    assert.equal(crc32c(Buffer.alloc(0)), 0);
  });
});
