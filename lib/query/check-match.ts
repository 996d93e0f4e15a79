import { S3BatchError } from '../errors';
import { DEFAULT_MAX_BLOCK } from '../object';
import type { Entry, MatchedBlock, ObjectMatch } from './match';

/** Most times that deflate can shrink its input: a larger claim about a size is a lie. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * What a message brings may be of anyone's making: it is checked before memory is taken. Of what a query found, whole
 * blocks and entries may have been left out.
 * @throws RANGE_INVALID, OBJECT_TOO_LARGE
 */
export function checkMatch(object: ObjectMatch): void {
  check(['newline', 'length', 'none'].includes(object.framing), 'framing');
  check(['gzip', 'none'].includes(object.compression), 'compression');
  let end = 0;
  for (const block of object.blocks) {
    check(isCount(block.offset) && block.offset >= end, 'blocks');
    checkBlock(block, object.compression === 'none');
    end = block.offset + block.length;
  }
}

function checkBlock({ length, size, entries }: MatchedBlock, isPlain: boolean): void {
  check(isCount(length) && isCount(size), 'block sizes');
  if (size > DEFAULT_MAX_BLOCK || length > DEFAULT_MAX_BLOCK) {
    throw new S3BatchError(
      'OBJECT_TOO_LARGE',
      `a block is ${Math.max(size, length)} bytes, more than the ${DEFAULT_MAX_BLOCK} that this reader takes`,
    );
  }
  check(isPlain ? size === length : size <= length * MAX_DEFLATE_RATIO, 'block sizes');
  let end = 0;
  for (const entry of entries) {
    check(isCount(entry.start) && isCount(entry.length) && entry.start >= end, 'entries');
    end = entry.start + entry.length;
    check(end <= size, 'entries');
    checkEntry(entry);
  }
}

function checkEntry({ topic, series, time, flags, lineBreaks }: Entry): void {
  check(typeof topic === 'string' && typeof series === 'string', 'topic and series');
  check(isCount(time) && isCount(flags), 'times and flags');
  check(lineBreaks === undefined || (Array.isArray(lineBreaks) && lineBreaks.every(isCount)), 'line breaks');
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function check(condition: boolean, what: string): void {
  if (condition) return;
  throw new S3BatchError(
    'RANGE_INVALID',
    `the offset map is not one that offset-index answered (${what}): pass it on as it is, or leave out whole entries`,
  );
}
