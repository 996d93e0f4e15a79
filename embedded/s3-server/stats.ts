import type { Operation } from './request';

/** What a server was asked and gave, counted from its start or from the last `reset`. */
export class Stats {
  /** Requests of any kind, those that met a fault included. */
  requests = 0;
  /** Bytes of answers' bodies that were handed to connections. */
  bytesSent = 0;
  /** Bytes of requests' bodies, decoded. */
  bytesReceived = 0;
  readonly #operations = new Map<Operation, number>();

  count(operation: Operation): void {
    this.requests++;
    this.#operations.set(operation, this.of(operation) + 1);
  }

  /** Requests of this operation. */
  of(operation: Operation): number {
    return this.#operations.get(operation) ?? 0;
  }

  reset(): void {
    this.requests = 0;
    this.bytesSent = 0;
    this.bytesReceived = 0;
    this.#operations.clear();
  }
}
