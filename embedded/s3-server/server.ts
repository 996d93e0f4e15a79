import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Faults } from './faults';
import { Service } from './service';
import type { Keys } from './signature';
import type { Stats } from './stats';
import { Storage } from './storage';

/** Idle connections are kept longer than clients keep them, so that no request meets a closing one. */
const KEEP_ALIVE_MS = 65_000;

export interface S3ServerOptions extends Keys {
  /** Where the buckets are kept; made when it is not there. It belongs to one server at a time. */
  folder: string;
  /** 0, the default: any free port. */
  port?: number;
  host?: string;
  /** Key and certificate, to serve https. */
  tls?: TlsOptions;
}

export interface S3Server {
  url: string;
  port: number;
  /** What goes wrong on purpose. */
  faults: Faults;
  stats: Stats;
  /** Ends all connections and waits until nothing touches the folder any more. */
  stop(): Promise<void>;
}

/**
 * Starts an S3 server for demonstrations and tests, on one folder and for one user. What it has: buckets, objects
 * with ranges, attributes and conditions, both listings, multi-object delete, multipart uploads, SigV4 signatures.
 * What it was told to store is on the disk when it says so, and is there again after a restart on the same folder.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const { folder, port = 0, host = '127.0.0.1', tls, accessKey, secretKey, region } = options;
  const service = new Service({ accessKey, secretKey, region }, await Storage.open(folder));
  const listener: RequestListener = (message, response) => service.accept(message, response);
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('checkContinue', listener);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`,
    port: address.port,
    faults: service.faults,
    stats: service.stats,
    async stop() {
      if (server.listening) {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }
      await service.settle();
    },
  };
}
