import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { S3Error } from './errors';
import { decodeUri, Query } from './query';

export type Operation =
  | 'ListBuckets'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'DeleteBucket'
  | 'GetBucketLocation'
  | 'ListObjects'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  /** Everything that S3 has and this server does not. */
  | 'Unknown';

/** A request of S3's, read from its request line and headers; the body is still to come. */
export interface S3Request {
  readonly operation: Operation;
  readonly method: string;
  /** Path as it was sent, without the query. */
  readonly rawPath: string;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  /** Empty when the request is about no bucket. */
  readonly bucket: string;
  /** Empty when the request is about no object. */
  readonly key: string;
}

/** Parameters that make of a bucket's or an object's request one about something else. */
const SUBRESOURCES = new Set(
  (
    'accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle logging ' +
    'metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject ' +
    'replication requestPayment restore retention select session tagging torrent versionId versioning versions website'
  ).split(' '),
);

function bucketOperation(method: string, query: Query): Operation {
  switch (method) {
    case 'GET':
      if (query.has('location')) return 'GetBucketLocation';
      if (query.has('uploads')) return 'Unknown';
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
    case 'PUT':
      return 'CreateBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'DELETE':
      return 'DeleteBucket';
    case 'POST':
      return query.has('delete') ? 'DeleteObjects' : 'Unknown';
    default:
      return 'Unknown';
  }
}

function objectOperation(method: string, query: Query, headers: IncomingHttpHeaders): Operation {
  const upload = query.has('uploadId');
  switch (method) {
    case 'GET':
      return upload ? 'Unknown' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'PUT':
      if (headers['x-amz-copy-source'] !== undefined) return 'Unknown';
      return upload ? 'UploadPart' : 'PutObject';
    case 'DELETE':
      return upload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      return upload ? 'CompleteMultipartUpload' : 'Unknown';
    default:
      return 'Unknown';
  }
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  query: Query,
  headers: IncomingHttpHeaders,
): Operation {
  if (query.pairs.some(([name]) => SUBRESOURCES.has(name))) return 'Unknown';
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : 'Unknown';
  return key === '' ? bucketOperation(method, query) : objectOperation(method, query, headers);
}

/**
 * Reads the path by hand: a URL parser would resolve the `..` of a hostile key, and signatures are over the path
 * as it was sent. Buckets are addressed by path only.
 */
export function readRequest(message: IncomingMessage): S3Request {
  const target = message.url ?? '';
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  if (!rawPath.startsWith('/')) throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  const query = new Query(mark < 0 ? '' : target.slice(mark + 1));
  const slash = rawPath.indexOf('/', 1);
  const bucket = decodeUri(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  const key = slash < 0 ? '' : decodeUri(rawPath.slice(slash + 1));
  const method = message.method ?? '';
  return {
    operation: operationOf(method, bucket, key, query, message.headers),
    method,
    rawPath,
    query,
    headers: message.headers,
    rawHeaders: message.rawHeaders,
    bucket,
    key,
  };
}
