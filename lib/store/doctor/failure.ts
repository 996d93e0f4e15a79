import { S3BatchError } from '../../errors';
import { readFailure, type Failure } from '../s3-failure';
import { failed, warning, type FindingName, type Outcome } from './finding';
import type { Trial } from './trial';

/** OpenSSL's and Node.js's codes for what can be wrong with TLS, with the finding that each is. */
const TLS_FINDINGS: readonly (readonly [code: RegExp, finding: FindingName])[] = [
  [/^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)$/, 'certificateSelfSigned'],
  [/^UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(?:_LOCALLY)?)$/, 'certificateUntrusted'],
  [/^CERT_(?:UNTRUSTED|SIGNATURE_FAILURE|CHAIN_TOO_LONG)$|^INVALID_CA$/, 'certificateUntrusted'],
  [/^CERT_HAS_EXPIRED$/, 'certificateExpired'],
  [/^CERT_NOT_YET_VALID$/, 'certificateEarly'],
  [/^(?:ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/, 'certificateOtherHost'],
  [
    /CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA/,
    'clientCertificateWanted',
  ],
  [/^(?:EPROTO$|ERR_SSL_|ERR_TLS_|ERR_OSSL_)/, 'tlsFailed'],
];

/** Names what is wrong with TLS; undefined when it is something else. */
export function tlsFinding(code: string | undefined): FindingName | undefined {
  return code === undefined ? undefined : TLS_FINDINGS.find(([pattern]) => pattern.test(code))?.[1];
}

/** Whether a server that was sent a TLS handshake speaks plain HTTP. */
export function isPlainPort({ code, message }: Failure): boolean {
  return (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number|packet length too long/i.test(message)
  );
}

/** Whether the store says that another region is the right one, whether or not it says which. */
export function isOtherRegion({ name, status, region }: Failure): boolean {
  const names = ['AuthorizationHeaderMalformed', 'PermanentRedirect', 'IllegalLocationConstraintException'];
  return names.includes(name) || ([301, 307, 308].includes(status ?? 0) && region !== undefined);
}

/** S3's codes about credentials, with the finding that each is. */
const KEY_FINDINGS: Readonly<Record<string, FindingName>> = {
  InvalidAccessKeyId: 'keyUnknown',
  SignatureDoesNotMatch: 'secretWrong',
  ExpiredToken: 'tokenExpired',
  TokenRefreshRequired: 'tokenExpired',
  InvalidToken: 'tokenWrong',
  RequestTimeTooSkewed: 'clockRefused',
  RequestExpired: 'clockRefused',
};

/** Names what is wrong with the credentials; undefined when it is something else. */
export function keyFinding({ name }: Failure): FindingName | undefined {
  return KEY_FINDINGS[name];
}

const BUSY = new Set(['SlowDown', 'ServiceUnavailable', 'OperationAborted', 'ConditionalRequestConflict']);

/**
 * What a failure means wherever it comes from; `action` is what was tried, as IAM names it. Denials are noted for the
 * check of rights.
 */
export function outcomeOf(error: unknown, trial: Trial, action?: string): Outcome {
  const failure = readFailure(error);
  const { name, status, code, message } = failure;
  const detail = error instanceof S3BatchError ? wordsOfPort(error, trial) : trial.wordsOf(failure);
  const key = keyFinding(failure);
  if (key !== undefined) return failed(key, { detail });
  if (isDenied(error)) {
    if (action !== undefined) trial.denied.add(action);
    return failed('denied', { detail, ...(action !== undefined && { values: { action } }) });
  }
  if (status === 501 || name === 'NotImplemented' || status === 405)
    return failed('notImplemented', { detail });
  if (status === 429 || status === 503 || BUSY.has(name)) return warning('busy', { detail });
  if (status !== undefined && status >= 300) return failed('refused', { detail });
  const tls = tlsFinding(code);
  if (tls !== undefined) return failed(tls, { detail });
  if (error instanceof S3BatchError) {
    if (error.code === 'CREDENTIALS_INVALID') return failed('keysMissing', { detail });
    if (error.code === 'STORE_TIMEOUT') return failed('timeout', { detail });
    if (error.code === 'STORE_PROTOCOL') return failed('notS3Answer', { detail });
  }
  if (name === 'TimeoutError' || code === 'ETIMEDOUT') return failed('timeout', { detail });
  return failed(code === undefined || message === '' ? 'notS3Answer' : 'brokeOff', { detail });
}

/** Whether the store knows the keys and does not allow what was asked for. */
export function isDenied(error: unknown): boolean {
  const { name, status } = readFailure(error);
  if (error instanceof S3BatchError) return error.code === 'ACCESS_DENIED';
  return (
    ['AccessDenied', 'AllAccessDisabled'].includes(name) ||
    (status === 403 && keyFinding({ name } as Failure) === undefined)
  );
}

/** An error of the port has put its words together already, and is free of secrets. */
function wordsOfPort({ message, cause }: S3BatchError, trial: Trial): string {
  return cause === undefined ? message.slice(0, 300) : trial.wordsOf(readFailure(cause));
}
