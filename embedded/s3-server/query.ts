import { S3Error } from './errors';

/** Percent-decoding as UTF-8; what does not decode is the client's error. */
export function decodeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  }
}

/** Percent-encoding of SigV4: everything but the unreserved characters of RFC 3986. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Percent-encoding that leaves slashes, as in SigV4's canonical path and in listings with `encoding-type=url`. */
export function encodePath(path: string): string {
  return encodeUri(path).replaceAll('%2F', '/');
}

/** The query of a request line: names and values, decoded, in the order they came. */
export class Query {
  readonly pairs: readonly (readonly [name: string, value: string])[];

  constructor(raw: string) {
    this.pairs = raw
      .split('&')
      .filter((part) => part !== '')
      .map((part) => {
        const at = part.indexOf('=');
        const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
        return [decodeUri(name.replaceAll('+', ' ')), decodeUri(value.replaceAll('+', ' '))];
      });
  }

  get(name: string): string | undefined {
    return this.pairs.find(([candidate]) => candidate === name)?.[1];
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** A whole number from 0 to `most`, `fallback` when the parameter is not there. */
  number(name: string, fallback: number, most: number): number {
    const text = this.get(name);
    if (text === undefined || text === '') return fallback;
    if (!/^\d{1,10}$/.test(text))
      throw new S3Error('InvalidArgument', `Argument ${name} must be an integer.`);
    return Math.min(Number(text), most);
  }
}
