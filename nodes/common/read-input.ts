import type { NodeMessage } from 'node-red';

import { S3BatchError } from '../../lib/errors';
import type { ObjectMatch } from '../../lib/query';

/** What a message asks s3-range-in to fetch. */
export type ReadInput =
  /** What offset-index answered. */
  | { kind: 'matches'; objects: ObjectMatch[] }
  /** All records of one object. */
  | { kind: 'object'; bucket: string; key: string }
  /** Plain bytes. */
  | { kind: 'range'; bucket: string; key: string; offset: number; length: number; etag?: string };

/**
 * The object that the dialogue names; undefined where it leaves that to the message.
 * @throws QUERY_INVALID when only one of bucket and name is there, or one is no text
 */
export function namedObject(bucket: unknown, key: unknown): ReadInput | undefined {
  if (isBlank(bucket) && isBlank(key)) return undefined;
  if (typeof bucket === 'string' && bucket !== '' && typeof key === 'string' && key !== '')
    return { kind: 'object', bucket, key };
  throw new S3BatchError(
    'QUERY_INVALID',
    'bucket and object name in the dialogue of the node must both be text, or both be blank: then the message tells them',
  );
}

/** @throws QUERY_INVALID when the message asks for nothing that can be fetched */
export function readInputOf(message: NodeMessage): ReadInput {
  const { payload } = message;
  if (isObject(payload) && Array.isArray(payload.objects)) {
    for (const object of payload.objects as unknown[]) checkMatch(object);
    return { kind: 'matches', objects: payload.objects as ObjectMatch[] };
  }
  const asked = isObject(payload) && typeof payload.bucket === 'string' ? payload : message;
  const { bucket, key, offset, length, etag } = asked;
  if (typeof bucket !== 'string' || bucket === '' || typeof key !== 'string' || key === '') {
    throw new S3BatchError(
      'QUERY_INVALID',
      'the message asks for nothing: send it what offset-index answers, or bucket and key, with offset and length for a plain range',
    );
  }
  if (offset === undefined && length === undefined) return { kind: 'object', bucket, key };
  if (!isCount(offset) || !isCount(length) || length === 0) {
    throw new S3BatchError(
      'QUERY_INVALID',
      'offset and length must be whole numbers of bytes, and length at least 1',
    );
  }
  return { kind: 'range', bucket, key, offset, length, ...(typeof etag === 'string' && { etag }) };
}

/** A match may have gone through a user's function nodes: its shape is checked before it is relied on. */
function checkMatch(object: unknown): void {
  const right =
    isObject(object) &&
    [object.bucket, object.key, object.etag].every((text) => typeof text === 'string' && text !== '') &&
    ['newline', 'length', 'none'].includes(object.framing as string) &&
    ['gzip', 'none'].includes(object.compression as string) &&
    Array.isArray(object.blocks) &&
    (object.blocks as unknown[]).every(isBlock) &&
    follow(object.blocks as { offset: number; length: number }[]);
  if (!right)
    throw new S3BatchError(
      'QUERY_INVALID',
      'payload.objects is not what offset-index answers: pass it on unchanged, or leave out whole entries only',
    );
}

/** Whether each block begins where the one before ends, or behind that: requests are merged on that ground. */
function follow(blocks: readonly { offset: number; length: number }[]): boolean {
  let end = 0;
  for (const { offset, length } of blocks) {
    if (offset < end) return false;
    end = offset + length;
  }
  return true;
}

function isBlock(block: unknown): boolean {
  return (
    isObject(block) &&
    [block.offset, block.length, block.size].every(isCount) &&
    Array.isArray(block.entries) &&
    (block.entries as unknown[]).every(
      (entry) =>
        isObject(entry) &&
        [entry.start, entry.length, entry.flags].every(isCount) &&
        typeof entry.key === 'string' &&
        (entry.lineBreaks === undefined ||
          (Array.isArray(entry.lineBreaks) && entry.lineBreaks.every(isCount))),
    )
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
