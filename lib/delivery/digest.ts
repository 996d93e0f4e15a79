import * as crypto from 'node:crypto';

import { type Framing, type Records, unframe } from '../object';
import { nextTurn } from '../object/slices';
import { CanonicalJson } from './canonical-json';
import { canonicalText } from './canonical-text';

/** Bytes of a digest. */
export const DIGEST_LENGTH = 8;

/** Work between two turns of the event loop: well under a millisecond. */
const RECORDS_A_TURN = 128;
const BYTES_A_TURN = 64 * 1024;

/** Node 20 has the one-shot function from 20.12 on; making a hash object takes three times as long. */
const oneShot = (crypto as Partial<typeof crypto>).hash;

const canonicalJson = new CanonicalJson();
/** Topic, NUL and canonical text of the message at hand. */
let scratch = Buffer.allocUnsafe(4096);
const MAX_SCRATCH = 1024 * 1024;

/** The first 8 bytes of the SHA-256 of bytes, or of a text's UTF-8, one character a byte. */
export function shortDigest(of: Buffer | string): string {
  const whole = oneShot
    ? oneShot('sha256', of, 'binary')
    : crypto.createHash('sha256').update(of).digest('binary');
  return whole.substring(0, DIGEST_LENGTH);
}

/**
 * Writes the digest of a message, by which two consumers know it as the same: 8 bytes of the SHA-256 of its topic and
 * of its payload's canonical text, with a NUL, which MQTT has in no topic, between them.
 * @param payload as the layout resolved it (decompressed, where the layout decompresses)
 */
export function writeDigest(topic: string, payload: Buffer, target: Buffer, at: number): void {
  target.write(digestOf(topic, payload), at, 'latin1');
}

function digestOf(topic: string, payload: Buffer): string {
  const most = 3 * topic.length + 1 + payload.length;
  if (most > scratch.length) {
    if (most > MAX_SCRATCH) return digestOfText(topic, payload);
    scratch = Buffer.allocUnsafe(2 * most);
  }
  const start = scratch.write(topic, 0, 'utf8');
  scratch[start] = 0;
  const end = canonicalJson.write(payload, scratch, start + 1);
  return end === -1 ? digestOfText(topic, payload) : shortDigest(scratch.subarray(0, end));
}

function digestOfText(topic: string, payload: Buffer): string {
  return shortDigest(`${topic}\0${canonicalText(payload)}`);
}

/**
 * The digests of records, 8 bytes each in the order of arrival. Works in slices of the event loop.
 * @throws OBJECT_CORRUPT when the records do not have this framing
 */
export async function digestsOf(records: Records, framing: Framing): Promise<Buffer> {
  const digests = Buffer.allocUnsafe(records.count * DIGEST_LENGTH);
  let bytes = Buffer.allocUnsafe(1024);
  let worked = 0;
  let turn = 0;
  for (let record = 0; record < records.count; record++) {
    const length = records.length(record);
    if (length > bytes.length) bytes = Buffer.allocUnsafe(length);
    records.copy(record, bytes, 0);
    const payload = unframe(
      framing,
      bytes.subarray(0, length),
      records.flags(record),
      records.lineBreaks(record),
    );
    const topic = records.sources[records.source(record)]?.topic ?? '';
    writeDigest(topic, payload, digests, record * DIGEST_LENGTH);
    worked += length;
    if (++turn < RECORDS_A_TURN && worked < BYTES_A_TURN) continue;
    turn = worked = 0;
    await nextTurn();
  }
  return digests;
}
