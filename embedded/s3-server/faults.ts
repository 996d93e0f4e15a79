import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from './request';

/** What a fault's `match` sees of a request. */
export interface FaultRequest {
  operation: Operation;
  method: string;
  bucket: string;
  key: string;
  headers: IncomingHttpHeaders;
}

/** `before`: the operation is not done at all. `after`: it is done (an object is stored), and then it goes wrong. */
type When = 'before' | 'after';

export type FaultKind =
  /** An answer of this status; with a `code` as S3's XML, without one with no body at all. */
  | {
      kind: 'status';
      status: number;
      code?: string;
      message?: string;
      headers?: Record<string, string>;
      when?: When;
    }
  /** Goes on after so many milliseconds. */
  | { kind: 'delay'; ms: number }
  /** The connection is reset instead of answered. */
  | { kind: 'reset'; when?: When }
  /** The request is read and never answered. */
  | { kind: 'hang'; when?: When }
  /** The answer's body ends early, after `bytes` bytes (half of them by default), and the connection with it. */
  | { kind: 'torn'; bytes?: number }
  /** The answer's body comes at this rate. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** The whole object, whatever range was asked for. */
  | { kind: 'ignore-range' }
  /** Headers of the answer are replaced; `undefined` takes one away. */
  | { kind: 'headers'; headers: Record<string, string | undefined> }
  /** Another body is answered, with the length it has. */
  | { kind: 'body'; status: number; contentType: string; body: string };

export type Fault = FaultKind & {
  /** Which requests it meets; all, when there is none. */
  match?: (request: FaultRequest) => boolean;
  /** How many requests it meets; all, when there is none. */
  times?: number;
};

/** The faults that are switched on. Of several that match a request the one that was added first meets it. */
export class Faults {
  #armed: { fault: Fault; left: number }[] = [];

  /** Switches a fault on, and answers what switches it off. */
  add(fault: Fault): () => void {
    const armed = { fault, left: fault.times ?? Infinity };
    this.#armed.push(armed);
    return () => {
      this.#armed = this.#armed.filter((other) => other !== armed);
    };
  }

  /** Switches all faults off. Requests that hang go on hanging. */
  clear(): void {
    this.#armed = [];
  }

  /** The fault that meets this request, counted as used. */
  take(request: FaultRequest): Fault | undefined {
    const armed = this.#armed.find(({ fault }) => fault.match?.(request) ?? true);
    if (armed === undefined) return undefined;
    armed.left--;
    if (armed.left <= 0) this.#armed = this.#armed.filter((other) => other !== armed);
    return armed.fault;
  }
}
