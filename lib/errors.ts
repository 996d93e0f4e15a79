/**
 * Every failure that this package names. A code is stable: flows switch on it, docs/troubleshooting list it.
 */
export type ErrorCode =
  // what a user configured
  | 'LAYOUT_INVALID'
  | 'CONNECTION_INVALID'
  | 'QUERY_INVALID'
  | 'SETTINGS_INVALID'
  | 'BUCKET_INVALID'
  // what a message brought
  | 'PAYLOAD_MISSING'
  | 'PAYLOAD_INVALID'
  | 'TOPIC_MISSING'
  | 'MESSAGE_TOO_LARGE'
  | 'MEMORY_FULL'
  | 'CLOSED'
  | 'ANNOUNCEMENT_INVALID'
  // what a store answered, or did not
  | 'BUCKET_MISSING'
  | 'OBJECT_MISSING'
  | 'OBJECT_CHANGED'
  | 'OBJECT_EXISTS'
  | 'ACCESS_DENIED'
  | 'CREDENTIALS_INVALID'
  | 'CLOCK_SKEWED'
  | 'STORE_UNREACHABLE'
  | 'STORE_TIMEOUT'
  | 'STORE_BUSY'
  | 'STORE_TLS'
  | 'STORE_REFUSED'
  | 'STORE_PROTOCOL'
  | 'RANGE_INVALID'
  | 'ABORTED'
  // what became of a journal
  | 'JOURNAL_LOCKED'
  | 'JOURNAL_UNUSABLE'
  | 'JOURNAL_FAILED'
  | 'JOURNAL_DAMAGED'
  // what an MQTT broker answered, or did not
  | 'BROKER_INVALID'
  | 'BROKER_UNREACHABLE'
  | 'BROKER_REFUSED'
  // what an object holds
  | 'OBJECT_FOREIGN'
  | 'OBJECT_VERSION'
  | 'OBJECT_CORRUPT'
  | 'OBJECT_TOO_LARGE';

/**
 * The one error class of the package: a stable `code`, a message that says what happened and what to do,
 * and, where another error is behind it, that error as `cause`.
 */
export class S3BatchError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'S3BatchError';
    this.code = code;
  }
}

/** The text of whatever was thrown, for messages that wrap it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
