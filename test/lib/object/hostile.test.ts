import assert from 'node:assert/strict';
import zlib from 'node:zlib';

import fc from 'fast-check';

import { S3BatchError } from '../../../lib/errors';
import {
  DEFAULT_MAX_INDEX,
  encodeObject,
  type EncodedObject,
  inflateIndex,
  joinIndexMembers,
  openRange,
  readAttributes,
  readTrailer,
  type StoredRecord,
  TRAILER_LENGTH,
} from '../../../lib/object';
import { crc32c } from '../../../lib/object/crc32c';
import { emptyMember } from '../../../lib/object/gzip';
import { writeTail } from '../../../lib/object/tail';
import { recordsOf, type TestRecord, weldRecords } from '../../support/records';
import { FORMAT, indexOf, readAll, rejectsWith, throwsWith } from './read-back';

const LIST: TestRecord[] = [
  ...weldRecords(6, 2),
  { topic: 't', series: 's', time: Date.UTC(2018, 9, 1), payload: Buffer.from('{"a":\r\n1}') },
  { topic: 't', series: 's', time: Date.UTC(2018, 9, 1), payload: Buffer.from([0xff, 10]) },
];

async function readBack(body: Buffer): Promise<StoredRecord[]> {
  return readAll(body, await indexOf({ body }));
}

/** The right records, or an error of ours: whatever a stranger does to an object, there is nothing else. */
async function rightOrRefused(body: Buffer, right: StoredRecord[]): Promise<'right' | 'refused'> {
  let records: StoredRecord[];
  try {
    records = await readBack(body);
  } catch (error) {
    assert(error instanceof S3BatchError, String(error));
    return 'refused';
  }
  assert.deepEqual(records, right);
  return 'right';
}

/** What a piece of work adds to the most memory that this process ever had, in bytes. */
async function peakOf(work: () => Promise<void>): Promise<number> {
  const before = process.resourceUsage().maxRSS;
  await work();
  return (process.resourceUsage().maxRSS - before) * 1024;
}

/** 512 MiB of zeros in 512 KiB of gzip. */
function bomb(): Buffer {
  const member = zlib.gzipSync(Buffer.alloc(16 << 20));
  return Buffer.concat(Array.from({ length: 32 }, () => member));
}

describe('reading a damaged object', () => {
  let object: EncodedObject;
  let right: StoredRecord[];
  let tailStart: number;

  before(async () => {
    object = await encodeObject(recordsOf(LIST, 'newline'), FORMAT, { blockSize: 400 });
    right = await readBack(object.body);
    assert.equal(right.length, LIST.length);
    tailStart = object.body.length - object.indexLength;
  });

  it('refuses it when it was cut, wherever', async () => {
    for (let length = 0; length < object.body.length; length++) {
      const cut = object.body.subarray(0, length);
      assert.equal(await rightOrRefused(cut, right), 'refused', `${length} bytes`);
      throwsWith('OBJECT_CORRUPT', () => readAttributes(object.attributes, length));
    }
  });

  it('refuses it when bytes are missing at its beginning, or came behind its end', async () => {
    for (const length of [1, 10, tailStart, object.body.length - TRAILER_LENGTH]) {
      assert.equal(await rightOrRefused(object.body.subarray(length), right), 'refused');
    }
    await rejectsWith('OBJECT_FOREIGN', readBack(Buffer.concat([object.body, Buffer.from('\n')])));
    await rejectsWith('OBJECT_CORRUPT', readBack(Buffer.concat([object.body, object.body])));
  });

  it('refuses it, or reads it right, when any one bit of index or trailer is turned', async () => {
    const counts = { right: 0, refused: 0 };
    for (let bit = tailStart * 8; bit < object.body.length * 8; bit++) {
      const body = Buffer.from(object.body);
      body[bit >>> 3]! ^= 1 << (bit & 7);
      counts[await rightOrRefused(body, right)]++;
    }
    // Of an empty member, only the time, the flags and the system in its head mean nothing: 6 bytes, of two members.
    assert.equal(counts.right, 2 * 6 * 8);
  });

  it('refuses it, or reads it right, when any bytes are changed', async () => {
    const change = fc.tuple(fc.nat(object.body.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const body = Buffer.from(object.body);
        for (const [at, byte] of changes) body[at] = byte;
        await rightOrRefused(body, right);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses what others wrote', async () => {
    const others = [
      Buffer.alloc(0),
      Buffer.from('hello'),
      Buffer.alloc(1000),
      Buffer.alloc(1000, 0x1f),
      Buffer.from('{"a":1}\n'.repeat(100)),
      zlib.gzipSync('{"a":1}\n'.repeat(100)),
      Buffer.concat([zlib.gzipSync('x'), emptyMember('XX', Buffer.alloc(52))]),
      Buffer.concat([zlib.gzipSync('x'), emptyMember('OT', Buffer.alloc(52))]),
      Buffer.concat([zlib.gzipSync('x'), emptyMember('OT', Buffer.alloc(20))]),
    ];
    for (const other of others) {
      throwsWith('OBJECT_FOREIGN', () => readTrailer(other, other.length));
      await rejectsWith('OBJECT_FOREIGN', readBack(other));
    }
  });

  /** The object with another trailer, its checksum right. */
  function withTrailer(change: (data: Buffer) => void): Buffer {
    const body = Buffer.from(object.body);
    const data = body.subarray(body.length - TRAILER_LENGTH + 16, body.length - 10);
    change(data);
    data.writeUInt32LE(crc32c(data.subarray(0, 48)), 48);
    return body;
  }

  it('refuses a later version', async () => {
    await rejectsWith('OBJECT_VERSION', readBack(withTrailer((data) => data.writeUInt32LE(2, 8))));
    await rejectsWith('OBJECT_VERSION', readBack(withTrailer((data) => data.writeUInt32LE(0xffffffff, 8))));
    await rejectsWith('OBJECT_CORRUPT', readBack(withTrailer((data) => data.writeUInt32LE(0, 8))));
  });

  it('refuses a trailer whose numbers cannot be true', async () => {
    const huge = [1n, BigInt(object.body.length), 2n ** 32n, 2n ** 53n, 2n ** 64n - 1n];
    for (const value of huge) {
      for (const field of [12, 20]) {
        const body = withTrailer((data) => data.writeBigUInt64LE(value, field));
        await rejectsWith('OBJECT_CORRUPT', readBack(body));
      }
      const body = withTrailer((data) => data.writeBigUInt64LE(value, 28));
      const expected = value > DEFAULT_MAX_INDEX ? 'OBJECT_TOO_LARGE' : 'OBJECT_CORRUPT';
      await rejectsWith(expected, readBack(body));
    }
    const swapped = withTrailer((data) => {
      data.writeBigUInt64LE(0n, 12);
      data.writeBigUInt64LE(BigInt(object.body.length - TRAILER_LENGTH), 20);
    });
    await rejectsWith('OBJECT_CORRUPT', readBack(swapped));
  });

  it('refuses index members that are not the written ones', () => {
    const { index } = writeTail(Buffer.from('compressed'), 10, 1, 0);
    const checksum = crc32c(Buffer.from('compressed'));
    assert.equal(joinIndexMembers(index, checksum).toString(), 'compressed');
    for (let length = 0; length < index.length; length++) {
      throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(index.subarray(0, length), checksum));
    }
    throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(index, checksum + 1));
    throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(Buffer.concat([index, index]), checksum));
    throwsWith('OBJECT_CORRUPT', () =>
      joinIndexMembers(emptyMember('OT', Buffer.from('compressed')), checksum),
    );
  });
});

describe('reading a gzip bomb', () => {
  const bytes = bomb();
  const LITTLE = 64e6;

  it('refuses an index that says how large it is, before anything is decompressed', async () => {
    const { index, trailer } = writeTail(bytes, 512 << 20, 1, 0);
    const body = Buffer.concat([index, trailer]);
    assert((await peakOf(() => rejectsWith('OBJECT_TOO_LARGE', readBack(body)))) < LITTLE);
    await rejectsWith('OBJECT_TOO_LARGE', inflateIndex(Buffer.alloc(30), 101, 100));
  });

  it('refuses an index that says it is small once it has grown to that', async () => {
    for (const size of [0, 1, 1000]) {
      const { index, trailer } = writeTail(bytes, size, 1, 0);
      const body = Buffer.concat([index, trailer]);
      assert((await peakOf(() => rejectsWith('OBJECT_CORRUPT', readBack(body)))) < LITTLE);
    }
  });

  it('refuses a claim that deflate could not keep', async () => {
    await rejectsWith('OBJECT_CORRUPT', inflateIndex(zlib.gzipSync('{}'), 60e6));
  });

  it('refuses a block that grows beyond the size in the index', async () => {
    assert((await peakOf(() => rejectsWith('OBJECT_CORRUPT', openRange('gzip', 1000, bytes)))) < LITTLE);
  });

  it('refuses a plain range of another length', async () => {
    await rejectsWith('OBJECT_CORRUPT', openRange('none', 4, Buffer.from('12345')));
    assert.equal((await openRange('none', 5, Buffer.from('12345'))).toString(), '12345');
  });

  it('refuses a bomb in the attributes', async () => {
    const attributes = {
      format: 's3-batch/1',
      count: '1',
      first: '2018-10-01T17:10:35.000Z',
      last: '2018-10-01T17:10:35.000Z',
      index: '0,922,1000',
      'map-index': `1000,${bytes.subarray(0, 1200).toString('base64')}`,
    };
    assert.equal(readAttributes(attributes, 1000)?.indexBytes, undefined);
    // The size that gzip itself tells is as little to be trusted.
    const lying = Buffer.concat([bytes.subarray(0, 1200), Buffer.from([0xe8, 3, 0, 0])]);
    const summary = readAttributes({ ...attributes, 'map-index': `1000,${lying.toString('base64')}` }, 1000);
    assert(summary?.indexBytes);
    await rejectsWith('OBJECT_CORRUPT', inflateIndex(summary.indexBytes, 1000));
  });
});
