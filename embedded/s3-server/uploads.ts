import { createHash, randomUUID } from 'node:crypto';
import type { Bucket, ObjectProperties, StoredData } from './bucket';
import { readText } from './body';
import { S3Error } from './errors';
import { requireLength } from './objects';
import { checkKey, propertiesOf, writePrecondition } from './properties';
import { xmlReply, type Context, type Reply } from './reply';
import { innerXml, textOf } from './xml';

const MOST_PARTS = 10_000;
/** S3's smallest part, but for the last one. */
const SMALLEST_PART = 5 * 1024 * 1024;

interface Upload {
  bucket: Bucket;
  key: string;
  properties: ObjectProperties;
  parts: Map<number, StoredData>;
}

/** The multipart uploads under way. They are in memory only: a restart ends them, and clears their parts away. */
export class Uploads {
  readonly #uploads = new Map<string, Upload>();

  add(upload: Upload): string {
    const id = randomUUID();
    this.#uploads.set(id, upload);
    return id;
  }

  /** @throws S3Error `NoSuchUpload` */
  get({ request, bucket }: Context): Upload {
    const upload = this.#uploads.get(request.query.get('uploadId') ?? '');
    if (upload?.key !== request.key || upload.bucket !== bucket) {
      throw new S3Error('NoSuchUpload', 'The specified multipart upload does not exist.');
    }
    return upload;
  }

  /** Ends an upload and answers it, so that of two clients who end it only one goes on. */
  take(context: Context): Upload {
    const upload = this.get(context);
    this.#uploads.delete(context.request.query.get('uploadId') ?? '');
    return upload;
  }
}

export function createMultipartUpload({ bucket, request, uploads }: Context): Reply {
  checkKey(request.key);
  const properties = propertiesOf(request.headers);
  const id = uploads.add({ bucket, key: request.key, properties, parts: new Map() });
  return xmlReply(200, 'InitiateMultipartUploadResult', {
    Bucket: bucket.name,
    Key: request.key,
    UploadId: id,
  });
}

export async function uploadPart(context: Context): Promise<Reply> {
  const { bucket, request, body, uploads } = context;
  const { parts } = uploads.get(context);
  const number = request.query.number('partNumber', 0, MOST_PARTS + 1);
  if (number < 1 || number > MOST_PARTS) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  requireLength(request.headers);
  const data = await bucket.write(body);
  const before = parts.get(number);
  parts.set(number, data);
  if (before !== undefined) await bucket.discard(before);
  return { status: 200, headers: { etag: `"${data.md5}"` } };
}

/** The parts that a CompleteMultipartUpload names, checked. */
function chooseParts(xml: string, stored: ReadonlyMap<number, StoredData>): StoredData[] {
  const named = innerXml(xml, 'Part').map((part) => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
  }));
  if (named.length === 0) throw new S3Error('MalformedXML', 'The XML you provided names no part');
  if (named.some(({ number }, index) => index > 0 && number <= (named[index - 1]?.number ?? 0))) {
    throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  return named.map(({ number, etag }, index) => {
    const part = stored.get(number);
    if (part?.md5 !== etag)
      throw new S3Error('InvalidPart', 'One or more of the specified parts could not be found.');
    if (part.size < SMALLEST_PART && index < named.length - 1) {
      throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
    }
    return part;
  });
}

export async function completeMultipartUpload(context: Context): Promise<Reply> {
  const { bucket, request, body, uploads } = context;
  const xml = await readText(body);
  const precondition = writePrecondition(request.headers);
  const chosen = chooseParts(xml, uploads.get(context).parts);
  const { properties, parts } = uploads.take(context);
  const data = await bucket.write(
    (async function* () {
      for (const part of chosen) yield* bucket.read(part);
    })(),
  );
  const md5s = Buffer.from(chosen.map(({ md5 }) => md5).join(''), 'hex');
  const etag = `${createHash('md5').update(md5s).digest('hex')}-${chosen.length}`;
  await bucket.commit(request.key, data, properties, etag, precondition);
  for (const part of parts.values()) await bucket.discard(part);
  return xmlReply(200, 'CompleteMultipartUploadResult', {
    Location: request.rawPath,
    Bucket: bucket.name,
    Key: request.key,
    ETag: `"${etag}"`,
  });
}

export async function abortMultipartUpload(context: Context): Promise<Reply> {
  for (const part of context.uploads.take(context).parts.values()) await context.bucket.discard(part);
  return { status: 204 };
}
