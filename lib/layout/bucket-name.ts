import { shortHash } from './encoding';

// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const SHAPE = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IP_ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
const RESERVED_PREFIX = /^(?:xn--|sthree-|amzn-s3-demo-)/;
const RESERVED_SUFFIX = /(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/;

const MAX_LENGTH = 63;
const HASH_DIGITS = 8;

export function isBucketName(name: string): boolean {
  return (
    SHAPE.test(name) &&
    !name.includes('..') &&
    !IP_ADDRESS.test(name) &&
    !RESERVED_PREFIX.test(name) &&
    !RESERVED_SUFFIX.test(name)
  );
}

/** A piece of a bucket's name: from the template, which may bring dots, or from a record, which may not. */
export interface BucketNamePart {
  text: string;
  fromTemplate: boolean;
}

/**
 * The valid bucket name closest to these pieces. Lower case and '-' for '/' come for free; any other change adds
 * '-' and eight digits of the SHA-256 of the pieces as they were, so that different ones stay apart.
 */
export function bucketName(parts: readonly BucketNamePart[]): string {
  const original = parts.map((part) => part.text).join('');
  const simple = original.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()).replaceAll('/', '-');
  const legal = parts
    .map(({ text, fromTemplate }) =>
      text
        .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
        .replace(fromTemplate ? /[^a-z0-9.-]+/g : /[^a-z0-9-]+/g, (run) =>
          /^\/+$/.test(run) ? '-'.repeat(run.length) : '-',
        ),
    )
    .join('');
  if (legal === simple && isBucketName(legal)) return legal;
  const prefixed = RESERVED_PREFIX.test(legal) ? `b-${legal}` : legal;
  const base = prefixed
    .replace(/\.{2,}/g, '.')
    .replace(/^[.-]+/, '')
    .slice(0, MAX_LENGTH - HASH_DIGITS - 1)
    .replace(/[.-]+$/, '');
  return `${base === '' ? 'b' : base}-${shortHash(original, HASH_DIGITS)}`;
}
