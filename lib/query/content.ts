import { createHash } from 'node:crypto';

import type { FetchedRecord } from './fetch';

/**
 * The SHA-256 of everything in which duplicates are the same, as 32 characters: series, time, topic and payload. The
 * topic counts, too: plants may have devices of one name.
 */
export function contentDigest({
  series,
  topic,
  time,
  payload,
}: Pick<FetchedRecord, 'series' | 'topic' | 'time' | 'payload'>): string {
  // A JSON text has no line break of its own, so the payload begins where it ends.
  const hash = createHash('sha256').update(`${JSON.stringify([series, topic, time])}\n`);
  return hash.update(payload).digest().toString('latin1');
}
