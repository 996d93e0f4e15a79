import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Fault } from './faults';
import { xmlReply, type Reply } from './reply';

type Interruption = Extract<Fault, { kind: 'status' | 'reset' | 'hang' | 'body' }>;

/** Whether a fault takes the place of the operation's own answer. */
export function isInterruption(fault: Fault | undefined): fault is Interruption {
  return fault !== undefined && ['status', 'reset', 'hang', 'body'].includes(fault.kind);
}

/** When an interruption comes. */
export function isAfter(fault: Interruption): boolean {
  return fault.kind !== 'body' && fault.when === 'after';
}

/** What the client gets instead of an answer: another answer, or none (`undefined`). */
export function interrupt(fault: Interruption, message: IncomingMessage): Reply | undefined {
  switch (fault.kind) {
    case 'reset':
      if (message.socket instanceof Socket) message.socket.resetAndDestroy();
      return undefined;
    case 'hang':
      message.resume();
      return undefined;
    case 'body':
      return {
        status: fault.status,
        headers: { 'content-type': fault.contentType },
        body: Buffer.from(fault.body),
      };
    case 'status': {
      const { status, code, message: text, headers } = fault;
      if (code === undefined) return { status, headers: { ...headers } };
      const reply = xmlReply(status, 'Error', { Code: code, Message: text ?? code, RequestId: randomUUID() });
      return { ...reply, headers: { ...reply.headers, ...headers } };
    }
  }
}
