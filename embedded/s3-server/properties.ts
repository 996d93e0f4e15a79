import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectProperties, Precondition, StoredObject } from './bucket';
import { S3Error } from './errors';

const PREFIX = 'x-amz-meta-';
/** S3's limit for names and values together. */
const LARGEST_METADATA = 2048;
/** UTF-8 bytes of a key. */
const LONGEST_KEY = 1024;
const KEPT_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const;

/** @throws S3Error `KeyTooLongError` */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > LONGEST_KEY) throw new S3Error('KeyTooLongError', 'Your key is too long');
}

/**
 * What a write's headers say of the object.
 * @throws S3Error `MetadataTooLarge`
 */
export function propertiesOf(headers: IncomingHttpHeaders): ObjectProperties {
  const properties: ObjectProperties = { attributes: {}, headers: {} };
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(PREFIX) || value === undefined) continue;
    const text = String(value);
    properties.attributes[name.slice(PREFIX.length)] = text;
    size += Buffer.byteLength(name.slice(PREFIX.length), 'latin1') + Buffer.byteLength(text, 'latin1');
  }
  if (size > LARGEST_METADATA) {
    throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      Size: String(size),
      MaxSizeAllowed: String(LARGEST_METADATA),
    });
  }
  for (const name of KEPT_HEADERS) {
    const value = headers[name];
    if (value !== undefined) properties.headers[name] = value;
  }
  // aws-chunked tells how the body travelled, not what it is.
  const encoding = (properties.headers['content-encoding'] ?? '')
    .split(/\s*,\s*/)
    .filter((part) => part !== 'aws-chunked');
  if (encoding.join('') === '') delete properties.headers['content-encoding'];
  else properties.headers['content-encoding'] = encoding.join(',');
  return properties;
}

/** The headers that a GET or a HEAD gives back. */
export function headersOf(object: StoredObject): Record<string, string> {
  return {
    'content-type': 'binary/octet-stream',
    ...object.headers,
    ...Object.fromEntries(Object.entries(object.attributes).map(([name, value]) => [PREFIX + name, value])),
    'accept-ranges': 'bytes',
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modified).toUTCString(),
  };
}

function namesEtag(condition: string, etag: string): boolean {
  return condition
    .split(',')
    .map((part) => part.trim().replace(/^(?:W\/)?"(.*)"$/, '$1'))
    .some((part) => part === '*' || part === etag);
}

const failed = (condition: string): S3Error =>
  new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  });

/** The condition that a PUT's `If-Match` or `If-None-Match` sets; of the latter S3 takes `*` only. */
export function writePrecondition(headers: IncomingHttpHeaders): Precondition {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new S3Error(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
      {
        Header: 'If-None-Match',
      },
    );
  }
  return (current) => {
    if (ifNoneMatch !== undefined && current !== undefined) throw failed('If-None-Match');
    if (ifMatch === undefined) return;
    if (current === undefined) throw new S3Error('NoSuchKey', 'The specified key does not exist.');
    if (!namesEtag(ifMatch, current.etag)) throw failed('If-Match');
  };
}

/**
 * Whether a reader who says what it has needs no bytes (304).
 * @throws S3Error `PreconditionFailed`
 */
export function isNotModified(headers: IncomingHttpHeaders, object: StoredObject): boolean {
  const modified = Math.floor(object.modified / 1000) * 1000;
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    if (!namesEtag(ifMatch, object.etag)) throw failed('If-Match');
  } else if (modified > Date.parse(headers['if-unmodified-since'] ?? '')) {
    throw failed('If-Unmodified-Since');
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return namesEtag(ifNoneMatch, object.etag);
  return modified <= Date.parse(headers['if-modified-since'] ?? '');
}
