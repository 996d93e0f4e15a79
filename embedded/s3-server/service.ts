import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bucket } from './bucket';
import { readBody } from './body';
import { S3Error } from './errors';
import { Faults, type Fault } from './faults';
import { interrupt, isAfter, isInterruption } from './interrupt';
import { operate } from './operations';
import { xmlReply, type Reply } from './reply';
import { readRequest, type S3Request } from './request';
import { send } from './send';
import { verifySignature, type Keys, type VerifiedSignature } from './signature';
import { Stats } from './stats';
import type { Storage } from './storage';
import { Uploads } from './uploads';

function errorReply(error: unknown, path: string): Reply {
  const known =
    error instanceof S3Error
      ? error
      : new S3Error(
          'InternalError',
          `We encountered an internal error: ${error instanceof Error ? error.message : String(error)}`,
        );
  const { code, message, details, status } = known;
  return xmlReply(status, 'Error', {
    Code: code,
    Message: message,
    ...details,
    Resource: path,
    RequestId: randomUUID(),
  });
}

/** How a request becomes an answer; see `startS3Server`. */
export class Service {
  readonly faults = new Faults();
  readonly stats = new Stats();
  readonly #keys: Keys;
  readonly #storage: Storage;
  readonly #uploads = new Uploads();
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(keys: Keys, storage: Storage) {
    this.#keys = keys;
    this.#storage = storage;
  }

  /** Takes a request on; never throws. */
  accept(message: IncomingMessage, response: ServerResponse): void {
    // A client that goes away is no failure of the server's.
    response.on('error', () => undefined);
    const run: Promise<void> = this.#answer(message, response)
      .catch(() => {
        response.destroy();
      })
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Waits until everything under way has ended; its connections must be closed by then. */
  async settle(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = message.method === 'HEAD';
    let fault: Fault | undefined;
    let reply: Reply | undefined;
    try {
      const request = readRequest(message);
      this.stats.count(request.operation);
      fault = this.faults.take(request);
      reply = await this.#reply(request, message, response, fault);
    } catch (error) {
      reply = errorReply(error, message.url ?? '');
      if (head) delete reply.body;
    }
    if (reply === undefined) return;
    response.setHeader('x-amz-request-id', randomUUID());
    await send(response, reply, { head, fault, stats: this.stats });
  }

  async #reply(
    request: S3Request,
    message: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<Reply | undefined> {
    if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { signal: this.#stopping.signal });
    if (fault?.kind === 'ignore-range') delete message.headers.range;
    if (!isInterruption(fault)) return this.#perform(request, message, response);
    if (isAfter(fault)) {
      const reply = await this.#perform(request, message, response);
      await reply.file?.handle.close();
    }
    return interrupt(fault, message);
  }

  async #perform(request: S3Request, message: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const verified = verifySignature(request, this.#keys);
    const storage = this.#storage;
    return operate({
      storage,
      uploads: this.#uploads,
      region: this.#keys.region,
      request,
      body: this.#body(message, response, verified),
      get bucket(): Bucket {
        return storage.bucket(request.bucket);
      },
    });
  }

  /** A client that waits for leave to send gets it when somebody wants the body, and no sooner. */
  async *#body(
    message: IncomingMessage,
    response: ServerResponse,
    verified: VerifiedSignature,
  ): AsyncGenerator<Buffer> {
    if (message.headers.expect !== undefined) response.writeContinue();
    for await (const piece of readBody(message, verified)) {
      this.stats.bytesReceived += piece.length;
      yield piece;
    }
  }
}
