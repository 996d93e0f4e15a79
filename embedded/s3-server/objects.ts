import { S3Error } from './errors';
import { readText } from './body';
import { checkKey, headersOf, isNotModified, propertiesOf, writePrecondition } from './properties';
import { sliceOf } from './range';
import { xmlReply, type Context, type Reply } from './reply';
import { innerXml, textOf } from './xml';

/** S3's limit for the keys of one multi-object delete. */
const MOST_DELETES = 1000;

export async function putObject({ bucket, request, body }: Context): Promise<Reply> {
  const { headers, key } = request;
  checkKey(key);
  const properties = propertiesOf(headers);
  const precondition = writePrecondition(headers);
  requireLength(headers);
  const data = await bucket.write(body);
  const object = await bucket.commit(key, data, properties, data.md5, precondition);
  return { status: 200, headers: { etag: `"${object.etag}"` } };
}

/** S3 wants to know a body's length beforehand. */
export function requireLength(headers: Context['request']['headers']): void {
  if (headers['content-length'] === undefined && headers['x-amz-decoded-content-length'] === undefined) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
}

/** GET; and HEAD, which is a GET whose body the server does not send. */
export async function getObject({ bucket, request }: Context): Promise<Reply> {
  const { object, file: handle } = await bucket.open(request.key);
  try {
    const headers = headersOf(object);
    if (isNotModified(request.headers, object)) {
      await handle.close();
      return { status: 304, headers: { etag: `"${object.etag}"` } };
    }
    const slice = sliceOf(request.headers.range, object.size);
    if (slice === undefined) {
      return { status: 200, headers, file: { handle, start: 0, length: object.size } };
    }
    headers['content-range'] = `bytes ${slice.start}-${slice.start + slice.length - 1}/${object.size}`;
    return { status: 206, headers, file: { handle, ...slice } };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export async function deleteObject({ bucket, request }: Context): Promise<Reply> {
  await bucket.delete(request.key);
  return { status: 204 };
}

export async function deleteObjects({ bucket, body }: Context): Promise<Reply> {
  const xml = await readText(body);
  const keys = innerXml(xml, 'Object').map((object) => textOf(object, 'Key'));
  if (
    keys.length === 0 ||
    keys.length > MOST_DELETES ||
    keys.some((key) => key === undefined || key === '')
  ) {
    throw new S3Error(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our schema',
    );
  }
  const deleted: { Key: string }[] = [];
  for (const key of keys) {
    if (key === undefined) continue;
    await bucket.delete(key);
    deleted.push({ Key: key });
  }
  const quiet = textOf(xml, 'Quiet') === 'true';
  return xmlReply(200, 'DeleteResult', quiet ? {} : { Deleted: deleted });
}
