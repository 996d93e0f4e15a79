import { S3BatchError } from '../errors';
import { DEFAULT_MAX_BLOCK } from '../object';

/** Longest topic that MQTT has, in bytes. */
const MAX_TOPIC = 65_535;

/** @throws MESSAGE_TOO_LARGE */
export function checkTopic(topic: string): void {
  if (topic.length <= MAX_TOPIC) return;
  throw new S3BatchError(
    'MESSAGE_TOO_LARGE',
    `the topic has ${topic.length} characters, more than the ${MAX_TOPIC} bytes that MQTT takes: shorten it`,
  );
}

/**
 * @param length bytes of a record
 * @param memory most bytes that a writer may hold
 * @throws MESSAGE_TOO_LARGE
 */
export function checkSize(length: number, memory: number): void {
  if (length <= memory && length <= DEFAULT_MAX_BLOCK) return;
  throw new S3BatchError(
    'MESSAGE_TOO_LARGE',
    memory < DEFAULT_MAX_BLOCK
      ? `the message takes ${length} bytes, more than the ${memory} bytes of memory that batches may hold: raise the memory limit`
      : `the message takes ${length} bytes, more than the ${DEFAULT_MAX_BLOCK} that can be read back: send it in parts`,
  );
}
