import { S3BatchError } from '../errors';

/** The characters of a header's name (RFC 9110), in lower case, as stores give them back. */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** Printable US-ASCII; outer spaces would be trimmed on the way. */
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

/**
 * Attributes travel as headers. What does not fit in there comes back changed, or breaks the request's signature.
 * @throws STORE_REFUSED
 */
export function checkAttributes(attributes: Record<string, string>, place: string): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (!NAME.test(name)) {
      throw new S3BatchError(
        'STORE_REFUSED',
        `The attribute name ${JSON.stringify(name)} cannot be stored: ${place}. Use lower-case letters, digits and hyphens.`,
      );
    }
    if (!VALUE.test(value)) {
      throw new S3BatchError(
        'STORE_REFUSED',
        `The attribute ${name} cannot be stored: ${place}. Its value must be printable US-ASCII without outer spaces:` +
          ' percent-encode it.',
      );
    }
  }
}
