import type { NodeDef } from 'node-red';

import type { S3StoreOptions } from '../../lib/store/s3-store';
import type { ConnectionCredentials, ConnectionSettings } from './connection-settings';
import { numberOf } from './types';

export type ConnectionConfig = NodeDef & ConnectionSettings;

/** What Node-RED's tls-config node offers. */
export interface TlsNode {
  addTLSOptions(options: NonNullable<S3StoreOptions['tls']>): NonNullable<S3StoreOptions['tls']>;
}

export function optionsOf(
  config: ConnectionSettings,
  credentials: Partial<ConnectionCredentials>,
  tls: TlsNode | null,
): S3StoreOptions {
  const { accessKeyId = '', secretAccessKey = '', sessionToken = '' } = credentials;
  return {
    ...(config.endpoint && { endpoint: config.endpoint }),
    region: config.region || 'us-east-1',
    pathStyle: config.pathStyle ?? Boolean(config.endpoint),
    ...(config.auth !== 'chain' && {
      credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
    }),
    ...(config.auth === 'chain' && config.profile && { profile: config.profile }),
    ...(config.roleArn && {
      role: { arn: config.roleArn, ...(config.roleExternalId && { externalId: config.roleExternalId }) },
    }),
    ...(tls && { tls: tls.addTLSOptions({}) }),
    connectTimeoutMs: Math.round(numberOf(config.connectTimeout, 5) * 1000),
    requestTimeoutMs: Math.round(numberOf(config.requestTimeout, 30) * 1000),
  };
}
