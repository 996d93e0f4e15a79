import { isUtf8 } from 'node:buffer';

import type { NodeMessage } from 'node-red';

import type { FetchedRecord } from '../../lib/query';

/** The form in which payloads go on. */
export type PayloadType = 'auto' | 'buffer' | 'string' | 'json';

/** The members of a message that tell a record. */
export function recordMembers(record: FetchedRecord, type: PayloadType): NodeMessage {
  const { topic, time, key, series, payload } = record;
  return { topic, payload: payloadAs(type, payload), time, key, series };
}

/**
 * The payload as the dialogue wants it. `json` and `auto` leave text that is no JSON as text, and `auto` leaves bytes
 * that are no text as a Buffer, so nothing is ever lost to a wrong choice. A Buffer is the record's own, since the
 * flow may keep it or write to it.
 */
function payloadAs(type: PayloadType, bytes: Buffer): unknown {
  if (type === 'buffer') return Buffer.from(bytes);
  if (type === 'auto' && !isUtf8(bytes)) return Buffer.from(bytes);
  const content = bytes.toString('utf8');
  if (type === 'string') return content;
  try {
    return JSON.parse(content) as unknown;
  } catch {
    return content;
  }
}
