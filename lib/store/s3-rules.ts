/** What is right in the settings of a connection. The dialogue asks the same: nothing here may need Node.js. */
import { S3BatchError } from '../errors';

/** The largest delay that Node.js's timers take. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export function isRegion(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text);
}

/** A line break or a space that was copied along with a key would only show as a wrong signature, or worse. */
export function isSecret(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

export function isRoleArn(text: string): boolean {
  return /^arn:[^:\s]+:iam:[^:\s]*:[^:\s]*:role\/\S+$/.test(text);
}

/** The error for a setting that cannot work. */
export const invalid = (message: string, cause?: unknown): S3BatchError =>
  new S3BatchError('CONNECTION_INVALID', message, cause === undefined ? undefined : { cause });

/** @throws CONNECTION_INVALID */
export function checkEndpoint(endpoint: string): URL {
  const example = 'write it as https://host or http://host:port';
  const url = urlOf(endpoint);
  if (url === undefined) throw invalid(`The endpoint ${JSON.stringify(endpoint)} is not a URL: ${example}.`);
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'The endpoint has a user name or a password in it: enter keys in the fields for credentials instead.',
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`The endpoint ${JSON.stringify(endpoint)} is neither http nor https: ${example}.`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw invalid(
      `The endpoint ${JSON.stringify(endpoint)} has a path or a query: ${example}; the bucket has its own setting.`,
    );
  }
  return url;
}

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
