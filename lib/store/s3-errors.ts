import { S3BatchError, type ErrorCode } from '../errors';
import { causeOf, readFailure, withoutSecrets, type Failure } from './s3-failure';
import type { CheckedOptions } from './s3-options';

/** What a call was about. */
export interface Target {
  bucket?: string;
  key?: string;
  /** What a failed condition means: of a PUT that the name is taken, of a GET that the object is another by now. */
  condition?: 'OBJECT_EXISTS' | 'OBJECT_CHANGED';
}

type StoreOptions = Pick<CheckedOptions, 'endpoint' | 'region' | 'credentials'>;

/** Characters of a key that an error shows. */
const LONGEST_KEY = 300;

/** Where a call went, in words. Keys are quoted as JSON, so that no character of theirs can mislead. */
export function describePlace({ endpoint, region }: StoreOptions, { bucket, key }: Target): string {
  const store = endpoint === undefined ? `AWS S3, region ${region}` : endpoint.origin;
  if (bucket === undefined) return store;
  if (key === undefined) return `bucket ${JSON.stringify(bucket)} at ${store}`;
  const shown = key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key;
  return `object ${JSON.stringify(shown)} in bucket ${JSON.stringify(bucket)} at ${store}`;
}

/** S3's error codes, with the code that each has here. What is not here goes by its HTTP status. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'BUCKET_MISSING',
  NoSuchKey: 'OBJECT_MISSING',
  InvalidBucketName: 'BUCKET_INVALID',
  InvalidRange: 'RANGE_INVALID',
  AccessDenied: 'ACCESS_DENIED',
  AllAccessDisabled: 'ACCESS_DENIED',
  CredentialsProviderError: 'CREDENTIALS_INVALID',
  ExpiredToken: 'CREDENTIALS_INVALID',
  InvalidAccessKeyId: 'CREDENTIALS_INVALID',
  InvalidToken: 'CREDENTIALS_INVALID',
  SignatureDoesNotMatch: 'CREDENTIALS_INVALID',
  TokenRefreshRequired: 'CREDENTIALS_INVALID',
  RequestExpired: 'CLOCK_SKEWED',
  RequestTimeTooSkewed: 'CLOCK_SKEWED',
  ConditionalRequestConflict: 'STORE_BUSY',
  OperationAborted: 'STORE_BUSY',
  ServiceUnavailable: 'STORE_BUSY',
  SlowDown: 'STORE_BUSY',
  RequestTimeout: 'STORE_TIMEOUT',
  TimeoutError: 'STORE_TIMEOUT',
};

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  401: 'CREDENTIALS_INVALID',
  403: 'ACCESS_DENIED',
  404: 'OBJECT_MISSING',
  416: 'RANGE_INVALID',
  429: 'STORE_BUSY',
  503: 'STORE_BUSY',
};

const UNREACHABLE = new Set(
  (
    'EADDRNOTAVAIL EAI_AGAIN EAI_FAIL EAI_NODATA ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH EMFILE ' +
    'ENETDOWN ENETRESET ENETUNREACH ENFILE ENOBUFS ENOTFOUND EPIPE ERR_STREAM_PREMATURE_CLOSE UND_ERR_SOCKET'
  ).split(' '),
);
/** OpenSSL's names for what is wrong with a certificate, and Node.js's for what is wrong with TLS. */
const TLS =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|ERR_OSSL_|ERR_SSL_|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/;

function codeOf({ name, status, code }: Failure, { condition, key }: Target): ErrorCode {
  if (status === 412) return condition ?? 'STORE_REFUSED';
  if (status === undefined && code !== undefined) {
    // Before the name: the SDK calls a broken connection a TimeoutError.
    if (TLS.test(code)) return 'STORE_TLS';
    if (UNREACHABLE.has(code)) return 'STORE_UNREACHABLE';
    if (code === 'ETIMEDOUT') return 'STORE_TIMEOUT';
  }
  const byName = CODES[name];
  if (byName !== undefined) return byName;
  if (status !== undefined && status >= 300) {
    if (status === 404 && key === undefined) return 'BUCKET_MISSING';
    return STATUSES[status] ?? 'STORE_REFUSED';
  }
  return 'STORE_PROTOCOL';
}

type Sentence = readonly [happened: string, remedy: string];

/** What happened and what to do, per code; codes of which the store's own words matter most are not here. */
const SENTENCES: Readonly<Partial<Record<ErrorCode, Sentence>>> = {
  BUCKET_MISSING: ['The bucket does not exist', 'Create it, or correct its name.'],
  BUCKET_INVALID: [
    'The store does not take this bucket name',
    'Use 3 to 63 lower-case letters, digits, hyphens and dots.',
  ],
  OBJECT_MISSING: ['The object does not exist', 'Check its name; it may have been deleted.'],
  OBJECT_EXISTS: ['An object of this name is there already', 'It was left as it is.'],
  OBJECT_CHANGED: ['The object was replaced while it was read', 'Read it anew from its start.'],
  RANGE_INVALID: ['The object has no byte in the range that was asked for', 'Check its size.'],
  ACCESS_DENIED: [
    'The store denies access',
    'Allow these credentials s3:PutObject, s3:GetObject and s3:ListBucket, as far as the flow needs them.',
  ],
  CREDENTIALS_INVALID: [
    'The store does not accept the credentials',
    'Check access key ID, secret access key and session token, and whether they have expired.',
  ],
  CLOCK_SKEWED: [
    "This computer's clock and the store's differ too much",
    'Set this clock, by NTP if possible.',
  ],
  STORE_BUSY: ['The store is busy', 'Try again later, with fewer requests at a time.'],
  STORE_TIMEOUT: [
    'The store did not answer in time',
    'Check the store and the network, or raise the timeouts.',
  ],
  STORE_UNREACHABLE: [
    'The store cannot be reached, or broke the connection',
    'Check the endpoint, the network and whether the store runs.',
  ],
  STORE_TLS: [
    'The TLS connection to the store failed',
    "Check that the endpoint's scheme and host name are right, and give the CA certificate that signed the store's.",
  ],
  STORE_PROTOCOL: [
    'The store sent an answer that is not S3',
    'Check that the endpoint is an S3 store, and that no proxy in between changes its answers.',
  ],
};

/** What a refusal says for itself, and the remedy where there is one that S3's code points to. */
function refusal({ name, status, region }: Failure, options: StoreOptions): Sentence {
  const isRedirect = status === 301 || status === 307 || status === 308;
  if (
    isRedirect ||
    name === 'AuthorizationHeaderMalformed' ||
    name === 'IllegalLocationConstraintException'
  ) {
    return region === undefined || region === options.region
      ? [
          `The store wants another region or endpoint than region ${options.region}`,
          'Correct them in the connection.',
        ]
      : [
          `The bucket is in region ${region}`,
          `Set the connection's region to ${region} (it is ${options.region}).`,
        ];
  }
  if (name === 'MetadataTooLarge') {
    return ['The attributes are larger than the store takes', 'Names and values may have 2 KB together.'];
  }
  if (name === 'KeyTooLongError') return ["The object's name is too long", 'Keep it within 1024 bytes.'];
  if (status !== undefined && status >= 500) {
    return [`The store failed with status ${status}`, "Try again later; the reason is in the store's log."];
  }
  return [
    `The store refused the request${status === undefined ? '' : ` with status ${status}`}`,
    status === 400 && (name === 'Unknown' || name === 'UnknownError')
      ? 'It gave no reason; too many or too large attributes are a frequent one with Ceph.'
      : "The reason is in the store's own words, or in its log.",
  ];
}

/** Everything of the credentials that must not be seen. */
export function secretsOf({ credentials }: StoreOptions): string[] {
  if (credentials === undefined) return [];
  const { secretAccessKey, sessionToken } = credentials;
  return sessionToken === undefined ? [secretAccessKey] : [secretAccessKey, sessionToken];
}

/** The store's own words, unless they only repeat a name that says nothing. */
function quote({ name, message, code }: Failure, secrets: readonly string[]): string {
  const words = [code ?? name, message]
    .map((part) => withoutSecrets(part, secrets))
    .filter(
      (part, index, all) =>
        part !== '' && !/^(?:Error|Unknown|UnknownError)$/.test(part) && all.indexOf(part) === index,
    );
  return words.length === 0 ? '' : ` (${words.join(': ')})`;
}

/** Whatever a call to the SDK threw, as the port's error; one that is already that stays as it is. */
export function storeError(error: unknown, options: StoreOptions, target: Target): S3BatchError {
  if (error instanceof S3BatchError) return error;
  const failure = readFailure(error);
  const secrets = secretsOf(options);
  const code = codeOf(failure, target);
  const [happened, remedy] = SENTENCES[code] ?? refusal(failure, options);
  return new S3BatchError(
    code,
    `${happened}: ${describePlace(options, target)}${quote(failure, secrets)}. ${remedy}`,
    { cause: causeOf(failure, secrets) },
  );
}

/** A failure to find keys or to assume a role, before any request to the store. */
export function credentialsError(
  error: unknown,
  options: StoreOptions & Pick<CheckedOptions, 'profile' | 'role'>,
): S3BatchError {
  const failure = readFailure(error);
  const secrets = secretsOf(options);
  const { role, profile } = options;
  const profileText = profile === undefined || profile === '' ? '' : `, profile ${JSON.stringify(profile)}`;
  const [happened, remedy] =
    role === undefined
      ? [
          `The default credential chain has no usable credentials${profileText}`,
          'Set them in the environment or the shared files of the user that runs Node-RED, or enter keys.',
        ]
      : [
          `The role ${role.arn} could not be assumed${profileText}`,
          'Check the role, its trust policy, its external ID and the credentials that assume it.',
        ];
  const code = codeOf(failure, {});
  const isTransport =
    code === 'STORE_TIMEOUT' || code === 'STORE_UNREACHABLE' || code === 'STORE_TLS' || code === 'STORE_BUSY';
  return new S3BatchError(
    isTransport && role !== undefined ? code : 'CREDENTIALS_INVALID',
    `${happened}${quote(failure, secrets)}. ${remedy}`,
    {
      cause: causeOf(failure, secrets),
    },
  );
}
