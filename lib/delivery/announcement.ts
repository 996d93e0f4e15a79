import { crc32c } from '../crc32c';
import { S3BatchError } from '../errors';
import { DIGEST_LENGTH } from './digest';

/** Most bytes of a control message: the least that a broker in wide use takes. */
export const MAX_ANNOUNCEMENT = 128_000;

/** Its first byte is in no UTF-8 text, so that no consumer takes a control message for a string. */
const MAGIC = Buffer.from([0x89, 0x53, 0x33, 0x41]); // 0x89 S3A
const VERSION = 1;
const MAX_ID = 64;

/** One control message: what a part of a stored object's records were. */
export interface Announcement {
  /** The batch's id: printable ASCII, 1 to 64 characters. */
  batch: string;
  /** Its number among the batch's control messages, from 0. */
  chunk: number;
  /** How many control messages the batch has. */
  chunks: number;
  /** The digests one behind the other, a view of the message. */
  digests: Buffer;
}

/*
 * A control message, numbers big-endian:
 *   4 magic  1 version  1 length of the id  n id  4 chunk  4 chunks  4 count  8 * count digests  4 CRC-32C of all before
 */
function headerLength(idLength: number): number {
  return MAGIC.length + 1 + 1 + idLength + 4 + 4 + 4;
}

/**
 * The control messages that announce a stored batch, at most 128,000 bytes each; none when there are no digests.
 * @param batch its id: printable ASCII, 1 to 64 characters
 * @param digests 8 bytes a record
 */
export function announcementsOf(batch: string, digests: Buffer): Buffer[] {
  const header = headerLength(batch.length);
  const most = Math.floor((MAX_ANNOUNCEMENT - header - 4) / DIGEST_LENGTH);
  const count = digests.length / DIGEST_LENGTH;
  const chunks = Math.ceil(count / most);
  return Array.from({ length: chunks }, (_, chunk) => {
    const own = digests.subarray(chunk * most * DIGEST_LENGTH, (chunk + 1) * most * DIGEST_LENGTH);
    const message = Buffer.allocUnsafe(header + own.length + 4);
    let at = MAGIC.copy(message);
    at = message.writeUInt8(VERSION, at);
    at = message.writeUInt8(batch.length, at);
    at += message.write(batch, at, 'latin1');
    at = message.writeUInt32BE(chunk, at);
    at = message.writeUInt32BE(chunks, at);
    at = message.writeUInt32BE(own.length / DIGEST_LENGTH, at);
    at += own.copy(message, at);
    message.writeUInt32BE(crc32c(message.subarray(0, at)), at);
    return message;
  });
}

/**
 * Reads a control message. Anyone may publish on a control topic, so nothing of it is believed.
 * @throws ANNOUNCEMENT_INVALID
 */
export function parseAnnouncement(message: Buffer): Announcement {
  if (message.length > MAX_ANNOUNCEMENT) throw invalid(`it has ${message.length} bytes, more than any has`);
  if (message.length < headerLength(1) + 4 || !message.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw invalid(
      'it does not begin as one; only s3-batch-out may publish on the control topic, ' +
        'and the MQTT node that receives it must hand on a Buffer',
    );
  }
  let at = MAGIC.length;
  const version = message.readUInt8(at++);
  if (version !== VERSION) {
    throw invalid(`it has format version ${version}, this is ${VERSION}: use one release on both sides`);
  }
  const idLength = message.readUInt8(at++);
  if (idLength < 1 || idLength > MAX_ID || message.length < headerLength(idLength) + 4) throw damaged();
  const batch = message.toString('latin1', at, at + idLength);
  at += idLength;
  const chunk = message.readUInt32BE(at);
  const chunks = message.readUInt32BE(at + 4);
  const count = message.readUInt32BE(at + 8);
  at += 12;
  const end = at + count * DIGEST_LENGTH;
  if (count < 1 || chunk >= chunks || end + 4 !== message.length || !/^[!-~]+$/.test(batch)) throw damaged();
  if (message.readUInt32BE(end) !== crc32c(message.subarray(0, end))) throw damaged();
  return { batch, chunk, chunks, digests: message.subarray(at, end) };
}

function damaged(): S3BatchError {
  return invalid('its bytes are damaged; the MQTT node that receives it must hand on a Buffer');
}

function invalid(why: string): S3BatchError {
  return new S3BatchError(
    'ANNOUNCEMENT_INVALID',
    `the message on the control topic is no announcement: ${why}`,
  );
}
