import { S3BatchError } from '../errors';
import type { Placement } from '../layout';
import { DEFAULT_MAX_BLOCK, frameOverhead, type Framing, toLine } from '../object';

/** Longest topic that MQTT has, in bytes. */
const MAX_TOPIC = 65_535;
/** A JSON string has at most so many bytes for one of its text. */
const MAX_GROWTH = 6;

/** Most bytes of memory for what is uploaded: half of all, so that the rest of what is held has room, too. */
export function uploadMemory(memory: number): number {
  return memory / 2;
}

/** @throws MESSAGE_TOO_LARGE when a message could never be uploaded */
export function checkSize(topic: string, length: number, memory: number): void {
  const most = Math.min(uploadMemory(memory), DEFAULT_MAX_BLOCK);
  if (topic.length <= MAX_TOPIC && length <= most) return;
  throw new S3BatchError(
    'MESSAGE_TOO_LARGE',
    `the message takes ${length} bytes, and its topic ${topic.length} characters, more than the ${Math.floor(most)} bytes ` +
      `and ${MAX_TOPIC} characters that the backup could store: raise the memory limit, or send it in parts`,
  );
}

/** @throws MESSAGE_TOO_LARGE when a message could never be uploaded as it would be written */
export function checkStoredSize(placement: Placement, framing: Framing, memory: number): void {
  const { bytes, json, lineBreaks, topic } = placement;
  if (bytes.length * MAX_GROWTH <= Math.min(uploadMemory(memory), DEFAULT_MAX_BLOCK)) return;
  const { body } = framing === 'newline' ? toLine(bytes, json, lineBreaks) : { body: bytes };
  checkSize(topic.topic, body.length + frameOverhead(framing), memory);
}

/** What a message is told that does not fit any more. */
export function memoryFull(used: number, memory: number, cause: S3BatchError | undefined): S3BatchError {
  return new S3BatchError(
    'MEMORY_FULL',
    `what is held takes ${used} of ${memory} bytes: ` +
      (cause
        ? cause.message
        : 'announcements come later than messages fill the memory; raise the memory limit'),
    { cause },
  );
}
