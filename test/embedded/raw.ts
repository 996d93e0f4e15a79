import { createHash, createHmac } from 'node:crypto';
import { request, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { S3Server } from '../../embedded/s3-server';
import { KEYS } from './harness';

export interface RawRequest {
  method: string;
  /** Path and query as they go out; the query sorted and encoded as SigV4 wants it. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** `x-amz-content-sha256`; the hash of the body when not given. */
  payload?: string;
  /** Headers that are sent and not signed. */
  unsigned?: readonly string[];
}

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The `Code` of an XML error. */
  code: string | undefined;
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** The SigV4 headers of a request, and what its chunks are signed with. */
export function sign(
  { method, path, headers = {}, body = '', payload, unsigned = [] }: RawRequest,
  host: string,
): {
  headers: Record<string, string>;
  chunk: (kind: string, previous: string, hashes: string[]) => string;
  seed: string;
} {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${timestamp.slice(0, 8)}/${KEYS.region}/s3/aws4_request`;
  const content = payload ?? sha256(body);
  const all: Record<string, string> = {
    ...headers,
    host,
    'x-amz-date': timestamp,
    'x-amz-content-sha256': content,
  };
  const signed = Object.keys(all)
    .filter((name) => !unsigned.includes(name))
    .sort();
  const [route = '', query = ''] = path.split('?');
  const canonical = [
    method,
    route,
    query,
    ...signed.map((name) => `${name}:${all[name]}`),
    '',
    signed.join(';'),
    content,
  ].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${KEYS.secretKey}`);
  const seed = hmac(key, ['AWS4-HMAC-SHA256', timestamp, scope, sha256(canonical)].join('\n')).toString(
    'hex',
  );
  return {
    headers: {
      ...all,
      authorization: `AWS4-HMAC-SHA256 Credential=${KEYS.accessKey}/${scope}, SignedHeaders=${signed.join(';')}, Signature=${seed}`,
    },
    chunk: (kind, previous, hashes) =>
      hmac(key, [`AWS4-HMAC-SHA256-${kind}`, timestamp, scope, previous, ...hashes].join('\n')).toString(
        'hex',
      ),
    seed,
  };
}

/** Sends bytes and headers just as they are given. */
export async function exchange(
  server: S3Server,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | Buffer = '',
): Promise<RawAnswer> {
  const outgoing = request({ host: '127.0.0.1', port: server.port, method, path, headers, agent: false });
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      buffer(response).then((content) => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: content,
          code: /<Code>(\w+)<\/Code>/.exec(content.toString())?.[1],
        });
      }, reject);
    });
    outgoing.end(body);
  });
}

/** Signs a request and sends it. */
export async function rawRequest(server: S3Server, raw: RawRequest): Promise<RawAnswer> {
  const { headers } = sign(raw, `127.0.0.1:${server.port}`);
  return exchange(server, raw.method, raw.path, headers, raw.body);
}
