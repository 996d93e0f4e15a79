import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { CHECKSUMS, type Hasher } from './checksums';
import { decodeAwsChunked } from './chunked';
import { S3Error } from './errors';
import type { VerifiedSignature } from './signature';

/** The XML bodies of S3 (a list of parts, a list of keys) stay below this. */
const LARGEST_XML = 2 * 1024 * 1024;

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** Starts the hashes of those checksums that the request has in its headers or announces as trailers. */
function startChecksums(headers: IncomingHttpHeaders): Map<string, Hasher> {
  const announced = (header(headers, 'x-amz-trailer') ?? '').toLowerCase().split(/\s*,\s*/);
  const started = new Map<string, Hasher>();
  for (const [name, start] of CHECKSUMS) {
    if (headers[name] !== undefined || announced.includes(name)) started.set(name, start());
  }
  return started;
}

function checkMd5(expected: string | undefined, md5: Hasher | undefined): void {
  if (expected === undefined || md5 === undefined) return;
  if (!/^[A-Za-z0-9+/]{22}==$/.test(expected)) {
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.');
  }
  if (md5.digest('base64') !== expected) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
}

/**
 * The bytes of a request's body as they come, decoded from `aws-chunked` where it is in that form. After the last
 * byte everything is checked that the client said of the body, so a reader that got to the end has what was sent.
 * A reader that stops early leaves the connection usable.
 * @throws S3Error `BadDigest`, `InvalidDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody`, `SignatureDoesNotMatch`
 */
export async function* readBody(
  message: IncomingMessage,
  verified: VerifiedSignature,
): AsyncGenerator<Buffer> {
  const { headers } = message;
  const raw = message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const trailers = new Map<string, string>();
  const streaming = verified.payload.startsWith('STREAMING-');
  const bytes = streaming ? decodeAwsChunked(raw, verified, trailers) : raw;
  const sha256 = /^[0-9a-f]{64}$/.test(verified.payload) ? createHash('sha256') : undefined;
  const md5 = headers['content-md5'] === undefined ? undefined : createHash('md5');
  const checksums = startChecksums(headers);

  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    sha256?.update(piece);
    md5?.update(piece);
    for (const hasher of checksums.values()) hasher.update(piece);
    yield piece;
  }

  const decodedLength = header(headers, 'x-amz-decoded-content-length');
  if (streaming && decodedLength !== undefined && Number(decodedLength) !== length) {
    throw new S3Error(
      'IncompleteBody',
      'You did not provide the number of bytes specified by x-amz-decoded-content-length.',
    );
  }
  if (sha256 !== undefined && sha256.digest('hex') !== verified.payload) {
    throw new S3Error(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  checkMd5(header(headers, 'content-md5'), md5);
  for (const [name, hasher] of checksums) {
    if (hasher.digest('base64') !== (header(headers, name) ?? trailers.get(name))) {
      throw new S3Error('BadDigest', `The ${name} you specified did not match what we received.`);
    }
  }
}

/** A small body as text, for the operations that take XML. */
export async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > LARGEST_XML) throw new S3Error('EntityTooLarge', 'The XML you provided is too large.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
