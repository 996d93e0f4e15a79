import type { Node, NodeAPI, NodeDef } from 'node-red';

import { S3Store, type S3StoreOptions } from '../lib/store/s3-store';
import { type ConnectionNode, numberOf } from './common/types';

interface Config extends NodeDef {
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

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/** What Node-RED's tls-config node offers. */
interface TlsNode {
  addTLSOptions(options: NonNullable<S3StoreOptions['tls']>): NonNullable<S3StoreOptions['tls']>;
}

function optionsOf(config: Config, credentials: Partial<Credentials>, tls: TlsNode | null): S3StoreOptions {
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

/** While flows start, nothing waits yet for what the store has to load. */
function prepared(store: S3Store): S3Store {
  setImmediate(() => void store.prepare());
  return store;
}

export = function (RED: NodeAPI): void {
  function S3ConnectionNode(this: ConnectionNode & Node<Credentials>, config: Config): void {
    RED.nodes.createNode(this, config);
    let store: S3Store | undefined;
    // Made on first use, so that whoever uses the connection tells what is wrong with it.
    Object.defineProperty(this, 'store', {
      get: () => {
        const tls = config.tls ? (RED.nodes.getNode(config.tls) as (Node & TlsNode) | null) : null;
        store ??= prepared(new S3Store(optionsOf(config, { ...this.credentials }, tls)));
        return store;
      },
    });
  }
  RED.nodes.registerType('s3-connection', S3ConnectionNode, {
    credentials: {
      accessKeyId: { type: 'text' },
      secretAccessKey: { type: 'password' },
      sessionToken: { type: 'password' },
    },
  });
};
