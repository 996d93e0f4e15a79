import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import type { ListedObject, ListPage } from './object-store';
import { protocolError } from './protocol-error';

/** A name of a listing with `encoding-type=url`; some stores write a space as `+`. */
function decodeName(name: string, place: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    throw protocolError(`The store listed the name ${JSON.stringify(name)}, which is not URL-encoded`, place);
  }
}

/**
 * A page of a listing out of the SDK's answer.
 * @throws STORE_PROTOCOL when it is no listing
 */
export function readPage(output: ListObjectsV2CommandOutput, place: string): ListPage {
  if (output.Name === undefined)
    throw protocolError('The store answered a listing with something else', place);
  const decode = (name: string): string => (output.EncodingType === 'url' ? decodeName(name, place) : name);
  const objects = (output.Contents ?? []).map((entry): ListedObject => {
    const { Key: key, Size: size, ETag: etag, LastModified: lastModified } = entry;
    if (key === undefined || size === undefined || etag === undefined) {
      throw protocolError('The store listed an object without its name, size or entity tag', place);
    }
    return { key: decode(key), size, etag, ...(lastModified && { lastModified }) };
  });
  const prefixes = (output.CommonPrefixes ?? []).flatMap(({ Prefix: prefix }) =>
    prefix === undefined ? [] : [decode(prefix)],
  );
  return { objects, prefixes };
}

/**
 * The token of the next page; none after the last one.
 * @throws STORE_PROTOCOL when the store would send the caller round in circles
 */
export function nextToken(
  output: ListObjectsV2CommandOutput,
  token: string | undefined,
  place: string,
): string | undefined {
  if (output.IsTruncated !== true) return undefined;
  const next = output.NextContinuationToken;
  if (next === undefined || next === '' || next === token) {
    throw protocolError('The store listed a part and did not say how to go on', place);
  }
  return next;
}
