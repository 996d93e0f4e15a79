import { isBucketName, RESERVED_PREFIX } from './bucket-rules';
import { shortHash } from './encoding';

const MAX_LENGTH = 63;
const HASH_DIGITS = 8;

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
