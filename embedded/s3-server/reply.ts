import type { FileHandle } from 'node:fs/promises';
import type { Bucket } from './bucket';
import type { S3Request } from './request';
import type { Storage } from './storage';
import type { Uploads } from './uploads';
import { xmlDocument, type XmlContent } from './xml';

/** What an operation has at hand. */
export interface Context {
  readonly storage: Storage;
  readonly uploads: Uploads;
  readonly region: string;
  readonly request: S3Request;
  /** The request's body, decoded and checked; see `readBody`. */
  readonly body: AsyncIterable<Buffer>;
  /** The bucket that the request is about. */
  readonly bucket: Bucket;
}

/** An answer before it is sent. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: Buffer;
  /** A body out of a file; whoever has the reply closes it. */
  file?: { handle: FileHandle; start: number; length: number };
}

export function xmlReply(status: number, root: string, content: XmlContent): Reply {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(xmlDocument(root, content)),
  };
}
