import { types } from 'node:util';

import { messageOf, S3BatchError } from '../../lib/errors';

/**
 * The bytes of a payload: a Buffer, a typed array or an ArrayBuffer as it is, text as UTF-8, anything else as JSON.
 * @throws PAYLOAD_MISSING, PAYLOAD_INVALID
 */
export function payloadBytes(payload: unknown): Buffer {
  if (Buffer.isBuffer(payload)) return payload;
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8');
  if (payload === undefined || payload === null) {
    throw new S3BatchError(
      'PAYLOAD_MISSING',
      'the message has no payload: set msg.payload to a Buffer, a string or an object',
    );
  }
  // Function nodes have typed arrays of their own, so `instanceof` would not know them.
  if (ArrayBuffer.isView(payload)) return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (types.isAnyArrayBuffer(payload)) return Buffer.from(payload);
  let text: unknown;
  try {
    // Text, but undefined for a function or a symbol.
    text = JSON.stringify(payload);
  } catch (error) {
    throw new S3BatchError('PAYLOAD_INVALID', `the payload cannot be written as JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (typeof text !== 'string') {
    throw new S3BatchError(
      'PAYLOAD_INVALID',
      `a payload of type ${typeof payload} cannot be written as JSON`,
    );
  }
  return Buffer.from(text, 'utf8');
}

/** @throws TOPIC_MISSING */
export function topicOf(topic: unknown): string {
  if (typeof topic === 'string' && topic !== '') return topic;
  throw new S3BatchError(
    'TOPIC_MISSING',
    'the message has no topic, which decides where it is stored: set msg.topic',
  );
}
