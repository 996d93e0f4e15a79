import { S3Error } from './errors';

export interface Slice {
  start: number;
  length: number;
}

/**
 * The bytes that a Range header asks of an object of `size` bytes. `undefined`: the whole object, because there is
 * no header or it is not one single range of bytes (RFC 9110 has a server ignore what it does not understand).
 * @throws S3Error `InvalidRange` when no byte of the range exists
 */
export function sliceOf(range: string | undefined, size: number): Slice | undefined {
  const match = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/.exec(range ?? '');
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    if (length === 0) throw unsatisfiable(range, size);
    return { start: size - length, length };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) throw unsatisfiable(range, size);
  return { start, length: end - start + 1 };
}

function unsatisfiable(range: string | undefined, size: number): S3Error {
  return new S3Error('InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: range ?? '',
    ActualObjectSize: String(size),
  });
}
