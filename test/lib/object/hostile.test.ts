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
import { crc32c } from '../../../lib/crc32c';
import { emptyMember } from '../../../lib/object/gzip';
import { indexMembers, writeTrailer } from '../../../lib/object/tail';
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

/** An object without blocks whose directory is `compressed`, and says that it is `size` bytes. */
function withDirectory(compressed: Buffer, directorySize: number): Buffer {
  const members = indexMembers(compressed);
  const { length } = members;
  const checksum = crc32c(compressed);
  const trailer = { offset: 0, length, directoryLength: length, directorySize, count: 1, checksum };
  return Buffer.concat([members, writeTrailer(trailer)]);
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
    const turned = async (byte: number, bit: number): Promise<void> => {
      const body = Buffer.from(object.body);
      body[byte]! ^= 1 << bit;
      counts[await rightOrRefused(body, right)]++;
    };
    for (let byte = tailStart; byte < object.body.length; byte++) {
      await Promise.all(Array.from({ length: 8 }, (_, bit) => turned(byte, bit)));
    }
    // Of an empty member, only the time, the flags and the system in its head mean nothing: 6 bytes, of three members.
    // Of the gzip in two of them, the same, and the flag for text in a third byte.
    const meaningless = 3 * 6 * 8 + 2 * (6 * 8 + 1);
    assert(counts.right <= meaningless && counts.right > 3 * 6 * 8, String(counts.right));
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
      Buffer.concat([zlib.gzipSync('x'), emptyMember('XX', Buffer.alloc(60))]),
      Buffer.concat([zlib.gzipSync('x'), emptyMember('OT', Buffer.alloc(60))]),
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
    data.writeUInt32LE(crc32c(data.subarray(0, 56)), 56);
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
      for (const field of [12, 20, 28, 44]) {
        const body = withTrailer((data) => data.writeBigUInt64LE(value, field));
        if (field === 44) assert.equal(readTrailer(body.subarray(-200), body.length).count, Number(value));
        else await rejectsWith('OBJECT_CORRUPT', readBack(body));
      }
      const body = withTrailer((data) => data.writeBigUInt64LE(value, 36));
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
    const members = indexMembers(Buffer.from('compressed'));
    const checksum = crc32c(Buffer.from('compressed'));
    assert.equal(joinIndexMembers(members, checksum).toString(), 'compressed');
    assert.equal(joinIndexMembers(members).toString(), 'compressed');
    for (let length = 0; length < members.length; length++) {
      throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(members.subarray(0, length), checksum));
    }
    throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(members, checksum + 1));
    throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(Buffer.concat([members, members]), checksum));
    throwsWith('OBJECT_CORRUPT', () => joinIndexMembers(emptyMember('OT', Buffer.from('compressed'))));
  });
});

describe('reading a gzip bomb', () => {
  const bytes = bomb();
  const LITTLE = 64e6;

  it('refuses an index that says how large it is, before anything is decompressed', async () => {
    const body = withDirectory(bytes, 512 << 20);
    assert((await peakOf(() => rejectsWith('OBJECT_TOO_LARGE', readBack(body)))) < LITTLE);
    await rejectsWith('OBJECT_TOO_LARGE', inflateIndex(Buffer.alloc(30), 101, 100));
  });

  it('refuses an index that says it is small once it has grown to that', async () => {
    for (const size of [0, 1, 1000]) {
      const body = withDirectory(bytes, size);
      assert((await peakOf(() => rejectsWith('OBJECT_CORRUPT', readBack(body)))) < LITTLE);
    }
  });

  it('refuses a page of the index that is one', async () => {
    for (const [size, code] of [
      [512 << 20, 'OBJECT_TOO_LARGE'],
      [1000, 'OBJECT_CORRUPT'],
    ] as const) {
      const members = indexMembers(bytes);
      const pages = { series: ['s'], length: [0], records: [1], indexLength: [members.length], size: [size] };
      const range = { count: 1, first: 0, last: 0 };
      const kind = { version: 1, batch: 'b', framing: 'none', compression: 'gzip' };
      const json = Buffer.from(JSON.stringify({ ...kind, ...range, pages }));
      const compressed = zlib.gzipSync(json);
      const directory = indexMembers(compressed);
      const trailer = writeTrailer({
        offset: 0,
        length: members.length + directory.length,
        directoryLength: directory.length,
        directorySize: json.length,
        count: 1,
        checksum: crc32c(compressed),
      });
      const body = Buffer.concat([members, directory, trailer]);
      assert((await peakOf(() => rejectsWith(code, readBack(body)))) < LITTLE);
    }
  });

  it('refuses a claim that deflate could not keep', async () => {
    await rejectsWith('OBJECT_CORRUPT', inflateIndex(zlib.gzipSync('{}'), DEFAULT_MAX_INDEX));
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
      framing: 'none',
      index: '0,914,100,1000',
      'map-pages': 's,0,1,814,1000',
      'map-index': bytes.subarray(0, 1200).toString('base64'),
    };
    assert.equal(readAttributes(attributes, 1000)?.pageBytes, undefined);
    // The size that gzip itself tells is as little to be trusted.
    const lying = Buffer.concat([bytes.subarray(0, 1200), Buffer.from([0xe8, 3, 0, 0])]);
    const summary = readAttributes({ ...attributes, 'map-index': lying.toString('base64') }, 1000);
    assert(summary?.pageBytes);
    await rejectsWith('OBJECT_CORRUPT', inflateIndex(summary.pageBytes, 1000));
  });
});
