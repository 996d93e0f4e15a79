import type * as S3Sdk from '@aws-sdk/client-s3';
import type { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { CheckedOptions } from './s3-options';
import { credentialsError } from './s3-errors';

export interface LoadedClient {
  sdk: typeof S3Sdk;
  client: S3Sdk.S3Client;
}

/**
 * How often the SDK tries a request that was refused or reset: enough for a connection that the store has just
 * closed. A longer outage is for the caller, who knows what to do in the meantime.
 */
const ATTEMPTS = 3;

/** Failures are told by errors; of some the SDK would write to the console besides. */
const SILENCE = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

type Provider = ReturnType<typeof fromTemporaryCredentials>;

/** STS of AWS has an address of its own; other stores answer for roles at the address where they serve objects. */
function stsEndpoint(endpoint: URL | undefined): string | undefined {
  return endpoint === undefined || /\.amazonaws\.com(?:\.cn)?$/.test(endpoint.hostname)
    ? undefined
    : endpoint.origin;
}

/** Where keys come from when they are not simply given. */
async function credentialsProvider(options: CheckedOptions): Promise<Provider> {
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  const { credentials, profile, role, region } = options;
  const source =
    credentials ?? fromNodeProviderChain(profile === undefined || profile === '' ? {} : { profile });
  if (role === undefined) return typeof source === 'function' ? source : () => Promise.resolve(source);
  const endpoint = stsEndpoint(options.endpoint);
  return fromTemporaryCredentials({
    masterCredentials: source,
    params: {
      RoleArn: role.arn,
      ExternalId: role.externalId,
      RoleSessionName: role.sessionName ?? 'node-red-contrib-s3-batch',
    },
    clientConfig: { region, ...(endpoint !== undefined && { endpoint }) },
  });
}

/** Says of a failure to get keys that it is one, before it is mistaken for an answer about an object. */
function withClearErrors(provider: Provider, options: CheckedOptions): Provider {
  return async (properties) => {
    try {
      return await provider(properties);
    } catch (error) {
      throw credentialsError(error, options);
    }
  };
}

function tlsAgentOptions({ tls }: CheckedOptions): Record<string, unknown> {
  if (tls === undefined) return {};
  const { alpn, ...rest } = tls;
  return { ...rest, ...(alpn !== undefined && alpn !== '' && { ALPNProtocols: [alpn] }) };
}

/** What only trials of a store choose; see `doctor/`. */
export interface TrialOptions {
  /** Ceph and others refuse the checksums that the SDK would add; the signature covers the body all the same. */
  checksums?: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  attempts?: number;
}

/** Loads the SDK, which takes about 100 ms, and makes a client of it. */
export async function loadClient(
  options: CheckedOptions,
  { checksums = 'WHEN_REQUIRED', attempts = ATTEMPTS }: TrialOptions = {},
): Promise<LoadedClient> {
  const { endpoint, region, pathStyle, credentials, role, maxSockets } = options;
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    region,
    forcePathStyle: pathStyle,
    ...(endpoint !== undefined && { endpoint: endpoint.origin }),
    credentials:
      credentials !== undefined && role === undefined
        ? credentials
        : withClearErrors(await credentialsProvider(options), options),
    maxAttempts: attempts,
    retryMode: 'standard',
    logger: SILENCE,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    // For this header the SDK makes a connection of its own, without the TLS settings.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: options.requestTimeoutMs,
      httpAgent: { keepAlive: true, maxSockets },
      httpsAgent: { keepAlive: true, maxSockets, ...tlsAgentOptions(options) },
    },
  });
  return { sdk, client };
}
