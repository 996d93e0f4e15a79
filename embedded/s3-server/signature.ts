import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { S3Error } from './errors';
import { decodeUri, encodePath, encodeUri } from './query';
import type { S3Request } from './request';

/** The one user of the server. */
export interface Keys {
  accessKey: string;
  secretKey: string;
  region: string;
}

/** Signs what comes after the headers (the chunks of an `aws-chunked` body), each over the signature before it. */
export type ChunkSigner = (
  kind: 'PAYLOAD' | 'TRAILER',
  previous: string,
  hashes: readonly string[],
) => string;

export interface VerifiedSignature {
  /** What the request says of its body: a SHA-256 in hex, `UNSIGNED-PAYLOAD` or one of `STREAMING-…`. */
  payload: string;
  /** The request's own signature in hex: the first link of the chain of chunk signatures. */
  signature: string;
  signChunk: ChunkSigner;
}

/** How far a client's clock may be off. */
const MOST_SKEW_MS = 15 * 60 * 1000;
/** SigV4's longest life of a presigned address. */
const MOST_EXPIRES_S = 7 * 24 * 3600;

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

interface Claim {
  accessKey: string;
  day: string;
  region: string;
  service: string;
  signedHeaders: readonly string[];
  signature: string;
  /** `x-amz-date`: yyyymmddThhmmssZ. */
  timestamp: string;
  /** Seconds that a presigned address lives; none for a signature in the headers. */
  expires?: number;
  payload: string;
}

/** All values of a header, joined as SigV4 joins them. Node's own joining differs, so the raw headers are read. */
function headerValue(request: S3Request, name: string): string | undefined {
  const values: string[] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === name) {
      values.push((request.rawHeaders[i + 1] ?? '').trim().replace(/ +/g, ' '));
    }
  }
  return values.length === 0 ? undefined : values.join(',');
}

function splitScope(credential: string): Pick<Claim, 'accessKey' | 'day' | 'region' | 'service'> {
  const parts = credential.split('/');
  const [day, region, service, end] = parts.slice(-4);
  if (
    parts.length < 5 ||
    day === undefined ||
    region === undefined ||
    service === undefined ||
    end !== 'aws4_request'
  ) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The authorization header is malformed; the Credential is invalid.',
    );
  }
  return { accessKey: parts.slice(0, -4).join('/'), day, region, service };
}

function claimFromHeaders(request: S3Request, authorization: string): Claim {
  const fields = new Map(
    authorization
      .replace(/^AWS4-HMAC-SHA256\s+/, '')
      .split(/,\s*/)
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, Math.max(at, 0)), field.slice(at + 1)] as const;
      }),
  );
  const credential = fields.get('Credential');
  const signedHeaders = fields.get('SignedHeaders');
  const signature = fields.get('Signature');
  if (!authorization.startsWith('AWS4-HMAC-SHA256')) {
    throw new S3Error(
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    );
  }
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  }
  const payload = headerValue(request, 'x-amz-content-sha256');
  if (payload === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return {
    ...splitScope(credential),
    signedHeaders: signedHeaders.split(';'),
    signature,
    timestamp: headerValue(request, 'x-amz-date') ?? '',
    payload,
  };
}

function claimFromQuery(request: S3Request): Claim {
  const { query } = request;
  return {
    ...splitScope(query.get('X-Amz-Credential') ?? ''),
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: query.get('X-Amz-Signature') ?? '',
    timestamp: query.get('X-Amz-Date') ?? '',
    expires: query.number('X-Amz-Expires', 0, MOST_EXPIRES_S),
    payload: 'UNSIGNED-PAYLOAD',
  };
}

function timeOf(timestamp: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
  if (match === null)
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
}

function checkTime(claim: Claim, now: number): void {
  const age = now - timeOf(claim.timestamp);
  const tooOld = claim.expires === undefined ? age > MOST_SKEW_MS : age > claim.expires * 1000;
  if (claim.expires !== undefined && tooOld) throw new S3Error('AccessDenied', 'Request has expired');
  if (tooOld || age < -MOST_SKEW_MS) {
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: claim.timestamp,
        ServerTime: new Date(now).toISOString(),
        MaxAllowedSkewMilliseconds: String(MOST_SKEW_MS),
      },
    );
  }
}

/** Host and everything of Amazon's must be signed, or someone in between could change its meaning. */
function checkSignedHeaders(request: S3Request, claim: Claim): void {
  const mustBeSigned = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'));
  for (const name of ['host', ...(claim.expires === undefined ? mustBeSigned : [])]) {
    if (!claim.signedHeaders.includes(name)) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        HeadersNotSigned: name,
      });
    }
  }
}

function canonicalRequest(request: S3Request, claim: Claim): Buffer {
  const query = request.query.pairs
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = claim.signedHeaders.map((name) => `${name}:${headerValue(request, name) ?? ''}\n`).join('');
  const lines = [
    request.method,
    encodePath(decodeUri(request.rawPath)),
    query,
    headers,
    claim.signedHeaders.join(';'),
    claim.payload,
  ];
  // Node hands header bytes over as Latin-1, so this gives back the bytes that the client signed.
  return Buffer.from(lines.join('\n'), 'latin1');
}

function equalInConstantTime(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Checks a request's SigV4 signature, in its headers or, presigned, in its query
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
 * @throws S3Error as S3 words it: `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `RequestTimeTooSkewed`, `AccessDenied`, …
 */
export function verifySignature(request: S3Request, keys: Keys, now = Date.now()): VerifiedSignature {
  const authorization = headerValue(request, 'authorization');
  if (authorization === undefined && !request.query.has('X-Amz-Algorithm')) {
    throw new S3Error('AccessDenied', 'Access Denied');
  }
  const claim =
    authorization === undefined ? claimFromQuery(request) : claimFromHeaders(request, authorization);
  if (claim.accessKey !== keys.accessKey) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  if (claim.region !== keys.region || claim.service !== 's3') {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${claim.region}' is wrong; expecting '${keys.region}'`,
      { Region: keys.region },
    );
  }
  checkTime(claim, now);
  checkSignedHeaders(request, claim);

  const scope = `${claim.day}/${claim.region}/${claim.service}/aws4_request`;
  const signingKey = [claim.day, claim.region, claim.service, 'aws4_request'].reduce<string | Buffer>(
    (key, part) => hmac(key, part),
    `AWS4${keys.secretKey}`,
  );
  const sign = (text: string): string => hmac(Buffer.from(signingKey), text).toString('hex');
  const expected = sign(
    ['AWS4-HMAC-SHA256', claim.timestamp, scope, sha256(canonicalRequest(request, claim))].join('\n'),
  );
  if (!claim.timestamp.startsWith(claim.day) || !equalInConstantTime(expected, claim.signature)) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    );
  }
  return {
    payload: claim.payload,
    signature: claim.signature,
    signChunk: (kind, previous, hashes) =>
      sign([`AWS4-HMAC-SHA256-${kind}`, claim.timestamp, scope, previous, ...hashes].join('\n')),
  };
}

/** Whether a chunk's signature is the one expected. */
export function checkChunkSignature(expected: string, given: string): void {
  if (!equalInConstantTime(expected, given)) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The signature of a chunk of the body does not match its content.',
    );
  }
}
