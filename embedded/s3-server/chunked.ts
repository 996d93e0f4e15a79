import { createHash } from 'node:crypto';
import { S3Error } from './errors';
import { checkChunkSignature, type VerifiedSignature } from './signature';

const EMPTY_SHA256 = createHash('sha256').digest('hex');
/** Chunk heads and trailers are short; a longer line is an attempt to fill the memory. */
const LONGEST_LINE = 4096;
const MOST_TRAILERS = 16;

const incomplete = (): S3Error =>
  new S3Error('IncompleteBody', 'The request body terminated unexpectedly or is not aws-chunked.');

/** Reads lines and counted bytes off a stream of buffers. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #pull(): Promise<Buffer> {
    const next = await this.#source.next();
    if (next.done === true) throw incomplete();
    return next.value;
  }

  /** The next line, without its CRLF. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > LONGEST_LINE) throw incomplete();
      this.#rest = Buffer.concat([this.#rest, await this.#pull()]);
    }
  }

  /** The next `count` bytes, in pieces as they come. */
  async *bytes(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      if (this.#rest.length === 0) this.#rest = await this.#pull();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** Reads the stream to its end, so that the connection can serve the next request. */
  async drain(): Promise<void> {
    while ((await this.#source.next()).done !== true);
  }
}

async function readTrailers(
  reader: ByteReader,
  trailers: Map<string, string>,
  signature: VerifiedSignature | undefined,
  previous: string,
): Promise<void> {
  let signed = '';
  for (let count = 0; ; count++) {
    const line = await reader.line();
    if (line === '') break;
    if (count >= MOST_TRAILERS) throw incomplete();
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    trailers.set(name, value);
    if (name !== 'x-amz-trailer-signature') signed += `${name}:${value}\n`;
  }
  if (signature === undefined) return;
  const expected = signature.signChunk('TRAILER', previous, [
    createHash('sha256').update(signed).digest('hex'),
  ]);
  checkChunkSignature(expected, trailers.get('x-amz-trailer-signature') ?? '');
}

/**
 * Decodes an `aws-chunked` body
 * (docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html):
 * per chunk a head `HEX-LENGTH[;chunk-signature=…]`, its bytes, CRLF; the last chunk is empty, trailers may follow.
 * Chunk and trailer signatures are checked where the payload's type has them; trailers are put into `trailers`.
 * @throws S3Error `IncompleteBody`, `SignatureDoesNotMatch`
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  verified: VerifiedSignature,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const signature = verified.payload.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD') ? verified : undefined;
  const reader = new ByteReader(source);
  let previous = verified.signature;
  for (;;) {
    const head = /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(await reader.line());
    if (head === null) throw incomplete();
    const length = Number.parseInt(head[1] ?? '', 16);
    const hash = createHash('sha256');
    for await (const piece of reader.bytes(length)) {
      if (signature !== undefined) hash.update(piece);
      yield piece;
    }
    if (signature !== undefined) {
      const expected = signature.signChunk('PAYLOAD', previous, [EMPTY_SHA256, hash.digest('hex')]);
      checkChunkSignature(expected, head[2] ?? '');
      previous = expected;
    }
    if (length === 0) break;
    if ((await reader.line()) !== '') throw incomplete();
  }
  if (verified.payload.endsWith('-TRAILER')) await readTrailers(reader, trailers, signature, previous);
  await reader.drain();
}
