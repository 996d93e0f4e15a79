import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type PeerCertificate } from 'node:tls';

import type { S3TlsOptions } from '../s3-options';
import type { Address } from './address';

/** Bytes of an answer that are looked at. */
const MOST_BYTES = 4096;

/** Addresses of a host. @throws what the resolver says, with its `code` */
export async function resolve(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Opens a TCP connection and closes it again; answers the address that it went to. */
export async function connect({ host, port }: Address, signal: AbortSignal): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connectTcp({ host, port });
    closeOnAbort(socket, signal, fail);
    socket.once('error', fail);
    socket.once('connect', () => {
      done(socket.remoteAddress ?? host);
      socket.destroy();
    });
  });
}

/** What a TLS handshake agreed on. */
export interface Handshake {
  protocol: string;
  certificate: PeerCertificate;
}

/** Shakes hands and closes the connection again; not a byte of HTTP is sent. */
export async function shakeHands(
  { host, port }: Address,
  tls: S3TlsOptions | undefined,
  signal: AbortSignal,
): Promise<Handshake> {
  return new Promise((done, fail) => {
    const socket = connectTls({ ...tlsOptions(host, tls), host, port });
    closeOnAbort(socket, signal, fail);
    socket.once('error', fail);
    // An end before the handshake is no error to Node.js.
    socket.once('close', () => {
      fail(Object.assign(new Error('The connection was closed.'), { code: 'ECONNRESET' }));
    });
    socket.once('secureConnect', () => {
      done({ protocol: socket.getProtocol() ?? '', certificate: socket.getPeerCertificate() });
      socket.destroy();
    });
  });
}

function tlsOptions(host: string, tls: S3TlsOptions = {}): ConnectionOptions {
  const { alpn, ...rest } = tls;
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...rest,
    ...(alpn !== undefined && alpn !== '' && { ALPNProtocols: [alpn] }),
  };
}

/** What a server said to `GET /` without credentials. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The first 4 KiB at most. */
  start: string;
  /** Wall clock before the request and after the headers of the answer, ms since 1970. */
  sent: number;
  received: number;
}

/** Asks for `/` without credentials, on a connection of its own. */
export async function ask(
  { host, port, secure }: Address,
  tls: S3TlsOptions | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((done, fail) => {
    const options = { host, port, path: '/', agent: false as const, headers: { accept: '*/*' }, signal };
    const sent = Date.now();
    const request = secure ? httpsRequest({ ...options, ...tlsOptions(host, tls) }) : httpRequest(options);
    request.once('error', fail);
    request.once('response', (response) => {
      const received = Date.now();
      let start = '';
      const finish = (): void => {
        done({ status: response.statusCode ?? 0, headers: response.headers, start, sent, received });
        response.destroy();
      };
      response.on('data', (piece: Buffer) => {
        start += piece.toString('latin1', 0, MOST_BYTES - start.length);
        if (start.length >= MOST_BYTES) finish();
      });
      response.once('end', finish);
      // What breaks off in its body has been an answer all the same.
      response.once('error', finish);
    });
    request.end();
  });
}

function closeOnAbort(
  socket: { destroy(): unknown; once(event: 'close', listener: () => void): unknown },
  signal: AbortSignal,
  fail: (reason: unknown) => void,
): void {
  const abort = (): void => {
    fail(signal.reason);
    socket.destroy();
  };
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  socket.once('close', () => signal.removeEventListener('abort', abort));
}
