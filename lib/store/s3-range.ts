import type { Readable } from 'node:stream';
import { S3BatchError } from '../errors';
import type { ByteRange } from './object-store';
import { protocolError } from './protocol-error';

/** What an answer to a ranged GET says of itself, before its body is read. */
export interface PartHead {
  status: number | undefined;
  contentRange: string | undefined;
  contentLength: number | undefined;
}

/** Where the bytes of an answer lie in the object. */
export interface PartPlace {
  offset: number;
  length: number;
  size: number;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/**
 * The Range header for a range.
 * @throws RANGE_INVALID when it can have no byte
 */
export function rangeHeader(range: ByteRange, place: string): string {
  const length = 'suffix' in range ? range.suffix : range.length;
  if (
    !isCount(length) ||
    length === 0 ||
    ('offset' in range && !(isCount(range.offset) && isCount(range.offset + length)))
  ) {
    throw new S3BatchError(
      'RANGE_INVALID',
      `The range ${JSON.stringify(range)} has no bytes: ask for at least one, from offset 0 on: ${place}.`,
    );
  }
  if ('suffix' in range) return `bytes=-${range.suffix}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

/** Where the bytes lie that a range asks of an object of this size. */
function expectedPlace(range: ByteRange, size: number): PartPlace {
  const offset = 'suffix' in range ? Math.max(0, size - range.suffix) : range.offset;
  const length = 'suffix' in range ? size - offset : Math.min(range.length, size - offset);
  return { offset, length, size };
}

/**
 * Checks that an answer is the range that was asked for, so that no memory is taken for anything else. The whole
 * object (200) will do where the range covers it.
 * @throws STORE_PROTOCOL
 */
export function placeOfPart(range: ByteRange, head: PartHead, place: string): PartPlace {
  const { status, contentRange, contentLength } = head;
  if (status === 200) {
    const asked = 'suffix' in range ? range.suffix : range.offset === 0 ? range.length : 0;
    if (contentLength === undefined || contentLength > asked || contentLength === 0) {
      throw protocolError(
        'The store sent the whole object (200) instead of the range that was asked for',
        place,
      );
    }
    return { offset: 0, length: contentLength, size: contentLength };
  }
  if (status !== 206) throw protocolError(`The store answered a range with status ${status ?? '?'}`, place);
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(contentRange ?? '');
  if (match === null) {
    const given =
      contentRange === undefined ? 'no Content-Range' : `the Content-Range ${JSON.stringify(contentRange)}`;
    throw protocolError(`The store answered a range with ${given}`, place);
  }
  const [first, last, size] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const expected = expectedPlace(range, size);
  const isExpected = first === expected.offset && last === first + expected.length - 1 && last >= first;
  if (!isExpected || (contentLength !== undefined && contentLength !== expected.length)) {
    throw protocolError(
      `The store was asked for ${rangeHeader(range, place)} and answered ${JSON.stringify(contentRange)}` +
        ` with ${contentLength ?? 'an unknown number of'} bytes`,
      place,
    );
  }
  return expected;
}

/**
 * Reads a body that must have `length` bytes, and not one more into memory.
 * @throws STORE_PROTOCOL when it has fewer or more; what the stream throws when the connection breaks
 */
export async function readExactly(body: Readable, length: number, place: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  // Leaving the loop early destroys the stream, and with it the connection that has the surplus.
  for await (const piece of body) {
    const chunk = piece as Buffer;
    if (filled + chunk.length > length)
      throw protocolError(`The store sent more than ${length} bytes`, place);
    filled += chunk.copy(bytes, filled);
  }
  if (filled < length) throw protocolError(`The store sent ${filled} of ${length} bytes`, place);
  return bytes;
}
