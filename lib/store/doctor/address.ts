import { isIP } from 'node:net';

import type { CheckedOptions } from '../s3-options';

/** Where a connection to the store goes. */
export interface Address {
  /** Without the brackets that an IPv6 address has in an endpoint. */
  host: string;
  port: number;
  secure: boolean;
  isIpAddress: boolean;
}

/** Without an endpoint, that of AWS for the region (docs.aws.amazon.com/general/latest/gr/s3.html). */
export function addressOf({ endpoint, region }: Pick<CheckedOptions, 'endpoint' | 'region'>): Address {
  const aws = `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const { protocol, hostname, port } = endpoint ?? new URL(aws);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const secure = protocol === 'https:';
  return { host, port: Number(port) || (secure ? 443 : 80), secure, isIpAddress: isIP(host) !== 0 };
}

/** The same address with the other scheme, as an endpoint. */
export function otherScheme({ endpoint }: Pick<CheckedOptions, 'endpoint'>): string | undefined {
  if (endpoint === undefined) return undefined;
  const { protocol, hostname, port } = endpoint;
  // A default port stays what it is: it is the scheme that is in question.
  const given = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return new URL(`${protocol === 'https:' ? 'http:' : 'https:'}//${hostname}:${given}`).origin;
}
