/** What can be known of anything that the SDK throws. Texts in it are the store's or the SDK's, untrusted. */
export interface Failure {
  /** S3's error code, or the name of the SDK's or Node.js's error. */
  name: string;
  /** Empty when there are only the SDK's words about a body that it cannot read, and where to look for it. */
  message: string;
  /** HTTP status, when there was an answer. */
  status: number | undefined;
  /** Node.js's code, such as ECONNREFUSED, when there was none. */
  code: string | undefined;
  /** The region that the store says a bucket is in. */
  region: string | undefined;
  requestId: string | undefined;
}

/** Longest text of a store's that is repeated. */
const LONGEST_TEXT = 300;

/** A property of whatever was thrown; getters of foreign objects may throw too. */
function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function readFailure(error: unknown): Failure {
  const metadata = property(error, '$metadata');
  const response = property(error, '$response');
  const headers = property(response, 'headers');
  // Node.js tries several addresses of a host, and then throws their errors together without a message.
  const first = (property(error, 'errors') as unknown[] | undefined)?.[0];
  const message = text(property(error, 'message')) ?? text(property(first, 'message')) ?? '';
  return {
    name: text(property(error, 'name')) ?? 'Error',
    message: message.includes('Deserialization error') ? '' : message,
    status: number(property(metadata, 'httpStatusCode')) ?? number(property(response, 'statusCode')),
    code: text(property(error, 'code')) ?? text(property(first, 'code')),
    region: text(property(error, 'Region')) ?? text(property(headers, 'x-amz-bucket-region')),
    requestId: text(property(metadata, 'requestId')),
  };
}

/**
 * Text of a store's or the SDK's in a form that may be logged: one short line without the secrets that are known,
 * and without anything that looks like a signature or a token, should a store send back what it was sent.
 */
export function withoutSecrets(message: string, secrets: readonly string[]): string {
  const hidden = secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), message);
  return hidden
    .replace(/(signature|credential|token|authorization)=[^\s,&]+/gi, '$1=***')
    .replace(/[A-Za-z0-9+/=_%-]{60,}/g, '***')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_TEXT);
}

/**
 * A stand-in for the SDK's error that is fit to be a `cause`: the SDK's own holds the request with its
 * Authorization header, which a log of the error would show.
 */
export function causeOf(failure: Failure, secrets: readonly string[]): Error {
  const cause = new Error(withoutSecrets(failure.message, secrets));
  cause.name = withoutSecrets(failure.name, secrets);
  const { status, code, requestId } = failure;
  return Object.assign(
    cause,
    status !== undefined && { status },
    code !== undefined && { code: withoutSecrets(code, secrets) },
    requestId !== undefined && { requestId: withoutSecrets(requestId, secrets) },
  );
}
