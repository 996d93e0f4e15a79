import type { StoredObject } from './bucket';
import { S3Error } from './errors';
import { listPage, type Listing, type Marker } from './list';
import { encodePath } from './query';
import { xmlReply, type Context, type Reply } from './reply';
import type { S3Request } from './request';
import type { XmlElements } from './xml';

const OWNER: XmlElements = { ID: 'embedded', DisplayName: 'embedded' };
/** S3's largest page. */
const LARGEST_PAGE = 1000;

export function listBuckets({ storage }: Context): Reply {
  const buckets = storage.buckets.map(({ name, created }) => ({
    Name: name,
    CreationDate: new Date(created).toISOString(),
  }));
  return xmlReply(200, 'ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket: buckets } });
}

export async function createBucket({ storage, request }: Context): Promise<Reply> {
  await storage.createBucket(request.bucket);
  return { status: 200, headers: { location: `/${request.bucket}` } };
}

export function headBucket({ region }: Context): Reply {
  return { status: 200, headers: { 'x-amz-bucket-region': region } };
}

export async function deleteBucket({ storage, request }: Context): Promise<Reply> {
  await storage.deleteBucket(request.bucket);
  return { status: 204 };
}

/** S3 names every region but its first. */
export function getBucketLocation({ region }: Context): Reply {
  return xmlReply(200, 'LocationConstraint', region === 'us-east-1' ? '' : region);
}

function readToken(token: string): Marker {
  try {
    const [after, skipPrefix] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (typeof after === 'string' && typeof skipPrefix === 'boolean') return { after, skipPrefix };
  } catch {
    // Answered below.
  }
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
}

const writeToken = ({ after, skipPrefix }: Marker): string =>
  Buffer.from(JSON.stringify([after, skipPrefix])).toString('base64url');

interface ListRequest {
  prefix: string;
  delimiter: string;
  maxKeys: number;
  /** How names are written in the answer. */
  name: (text: string) => string;
  encoding: string | undefined;
}

function readListRequest({ query }: S3Request): ListRequest {
  const encoding = query.get('encoding-type');
  if (encoding !== undefined && encoding !== 'url') {
    throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request');
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: query.number('max-keys', LARGEST_PAGE, LARGEST_PAGE),
    name: encoding === 'url' ? encodePath : (text) => text,
    encoding,
  };
}

function listing(bucket: string, list: ListRequest, page: Listing<StoredObject>): XmlElements {
  return {
    Name: bucket,
    Prefix: list.name(list.prefix),
    Delimiter: list.delimiter === '' ? undefined : list.name(list.delimiter),
    MaxKeys: list.maxKeys,
    EncodingType: list.encoding,
    IsTruncated: page.next !== undefined,
    Contents: page.contents.map((object) => ({
      Key: list.name(object.key),
      LastModified: new Date(object.modified).toISOString(),
      ETag: `"${object.etag}"`,
      Size: object.size,
      StorageClass: 'STANDARD',
    })),
    CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: list.name(prefix) })),
  };
}

export function listObjectsV2({ bucket, request }: Context): Reply {
  const list = readListRequest(request);
  const token = request.query.get('continuation-token');
  const startAfter = request.query.get('start-after');
  let marker: Marker | undefined;
  if (token !== undefined) marker = readToken(token);
  else if (startAfter !== undefined) marker = { after: startAfter, skipPrefix: false };
  const page = listPage(bucket.objects, { ...list, ...(marker && { marker }) });
  return xmlReply(200, 'ListBucketResult', {
    ...listing(bucket.name, list, page),
    KeyCount: page.contents.length + page.prefixes.length,
    StartAfter: startAfter === undefined ? undefined : list.name(startAfter),
    ContinuationToken: token,
    NextContinuationToken: page.next && writeToken(page.next),
  });
}

/** The first version of the listing: it goes on behind a key, or behind the common prefix that was listed last. */
export function listObjects({ bucket, request }: Context): Reply {
  const list = readListRequest(request);
  const after = request.query.get('marker') ?? '';
  const skipPrefix = list.delimiter !== '' && after.endsWith(list.delimiter);
  const page = listPage(bucket.objects, { ...list, ...(after !== '' && { marker: { after, skipPrefix } }) });
  return xmlReply(200, 'ListBucketResult', {
    ...listing(bucket.name, list, page),
    Marker: list.name(after),
    NextMarker: page.next && list.name(page.next.after),
  });
}
