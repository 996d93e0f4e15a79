import type { Node, NodeAPI } from 'node-red';

import { S3Store } from '../lib/store/s3-store';
import { type ConnectionConfig, optionsOf, type TlsNode } from './common/connection-options';
import type { ConnectionCredentials } from './common/connection-settings';
import { serveDoctor } from './common/doctor';
import { migrate } from './common/settings-version';
import type { ConnectionNode } from './common/types';

/** While flows start, nothing waits yet for what the store has to load. */
function prepared(store: S3Store): S3Store {
  setImmediate(() => void store.prepare());
  return store;
}

export = function (RED: NodeAPI): void {
  function S3ConnectionNode(
    this: ConnectionNode & Node<ConnectionCredentials>,
    config: ConnectionConfig,
  ): void {
    RED.nodes.createNode(this, config);
    let store: S3Store | undefined;
    // Made on first use, so that whoever uses the connection tells what is wrong with it.
    Object.defineProperty(this, 'store', {
      get: () => {
        if (store) return store;
        const settings = migrate('s3-connection', config);
        const tls = settings.tls ? (RED.nodes.getNode(settings.tls) as (Node & TlsNode) | null) : null;
        store = prepared(new S3Store(optionsOf(settings, { ...this.credentials }, tls)));
        return store;
      },
    });
    Object.defineProperty(this, 'endpoint', { value: config.endpoint || '' });
  }
  RED.nodes.registerType('s3-connection', S3ConnectionNode, {
    credentials: {
      accessKeyId: { type: 'text' },
      secretAccessKey: { type: 'password' },
      sessionToken: { type: 'password' },
    },
  });
  serveDoctor(RED);
};
