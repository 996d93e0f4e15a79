import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import fc from 'fast-check';

import { announcementsOf, MAX_ANNOUNCEMENT, parseAnnouncement } from '../../../lib/delivery/announcement';
import { S3BatchError } from '../../../lib/errors';
import { crc32c } from '../../../lib/crc32c';

const BATCH = '01cqt4w8p0k3jx5m7n9q';

function throwsInvalid(message: Buffer): void {
  assert.throws(
    () => parseAnnouncement(message),
    (error) => error instanceof S3BatchError && error.code === 'ANNOUNCEMENT_INVALID',
  );
}

describe('announcements', () => {
  it('say what they were made of', () => {
    const id = fc.stringMatching(/^[!-~]{1,64}$/);
    fc.assert(
      fc.property(id, fc.uint8Array({ minLength: 0, maxLength: 50 }), (batch, bytes) => {
        const digests = Buffer.concat(Array.from(bytes, (byte) => Buffer.alloc(8, byte)));
        const messages = announcementsOf(batch, digests);
        assert.equal(messages.length, bytes.length === 0 ? 0 : 1);
        for (const message of messages) {
          assert.deepEqual(parseAnnouncement(message), { batch, chunk: 0, chunks: 1, digests });
        }
      }),
    );
  });

  it('are cut so that each stays within 128,000 bytes', () => {
    const digests = randomBytes(8 * 40_000);
    const messages = announcementsOf(BATCH, digests);
    assert.deepEqual(
      messages.map((message) => message.length <= MAX_ANNOUNCEMENT),
      [true, true, true],
    );
    const parsed = messages.map(parseAnnouncement);
    assert.deepEqual(
      parsed.map(({ chunk, chunks }) => `${chunk}/${chunks}`),
      ['0/3', '1/3', '2/3'],
    );
    assert.ok(Buffer.concat(parsed.map((part) => part.digests)).equals(digests));
    assert.equal(announcementsOf(BATCH, randomBytes(8 * 10_000)).length, 1);
  });

  it('that are damaged anywhere are refused', () => {
    const [message = Buffer.alloc(0)] = announcementsOf(BATCH, randomBytes(8 * 3));
    for (let at = 0; at < message.length; at++) {
      for (const bit of [1, 0x80]) {
        const damaged = Buffer.from(message);
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        throwsInvalid(damaged);
      }
      throwsInvalid(message.subarray(0, at));
    }
    throwsInvalid(Buffer.concat([message, Buffer.alloc(1)]));
    throwsInvalid(Buffer.from(message.toString('utf8')));
  });

  it('of a stranger end in an error, whatever they claim with a right checksum', () => {
    const [message = Buffer.alloc(0)] = announcementsOf(BATCH, randomBytes(8 * 3));
    const sealed = (change: (copy: Buffer) => void): Buffer => {
      const copy = Buffer.from(message);
      change(copy);
      copy.writeUInt32BE(crc32c(copy.subarray(0, -4)), copy.length - 4);
      return copy;
    };
    assert.equal(parseAnnouncement(sealed(() => undefined)).batch, BATCH);
    throwsInvalid(sealed((copy) => copy.writeUInt8(2, 4))); // another version
    throwsInvalid(sealed((copy) => copy.writeUInt8(0, 5))); // no id
    throwsInvalid(sealed((copy) => copy.writeUInt8(255, 5))); // an id longer than the message
    throwsInvalid(sealed((copy) => copy.writeUInt8(10, 6))); // a control character in the id
    throwsInvalid(sealed((copy) => copy.writeUInt32BE(1, 26))); // part 1 of 1
    throwsInvalid(sealed((copy) => copy.writeUInt32BE(0xffffffff, 34))); // far more digests than there are
    throwsInvalid(Buffer.alloc(MAX_ANNOUNCEMENT + 1));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        throwsInvalid(Buffer.from(bytes));
        throwsInvalid(Buffer.concat([message.subarray(0, 6), bytes]));
      }),
    );
  });
});
