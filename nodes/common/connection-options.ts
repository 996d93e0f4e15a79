import type { NodeDef } from 'node-red';

import type { S3StoreOptions } from '../../lib/store/s3-store';
import { numberOf } from './types';

/** Settings of an s3-connection. */
export interface ConnectionSettings {
  endpoint: string;
  region: string;
  /** A flow that was written by hand may lack it. */
  pathStyle?: boolean;
  auth: 'keys' | 'chain';
  profile: string;
  roleArn: string;
  roleExternalId: string;
  tls: string;
  connectTimeout: string | number;
  requestTimeout: string | number;
}

export type ConnectionConfig = NodeDef & ConnectionSettings;

export interface ConnectionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

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
