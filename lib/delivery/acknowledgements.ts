import { randomBytes } from 'node:crypto';

import type { HeldMessage } from './held-message';

/** When a message is safe enough to be acknowledged. */
export type AcknowledgeWhen = 'journaled' | 'stored';

/** What one taker of a message, such as an s3-batch-out, has in hand of its acknowledgement. */
export interface HeldAcknowledgement {
  readonly when: AcknowledgeWhen;
  /** The taker's copy is safe. Idempotent, and without effect when the connection is gone. */
  release(): void;
  /**
   * The taker did not keep its copy. Nobody's release acknowledges the message then: the broker sends it again, unless
   * the flow dismisses it.
   */
  refuse(): void;
  /** Whom to call, once at most, when the broker sends nothing more before acknowledgements: it seals the taker's batch. */
  waitsFor(seal: () => void): void;
}

/** The messages of one connection, found by the ids that it gave them. */
export interface HeldMessages {
  readonly held: number;
  find(messageId: string): HeldMessage | undefined;
}

/**
 * Characters, of 64 kinds, that the ids of a connection's messages have in common. With six digits behind them, an id is
 * short enough that engines keep it as one piece of text.
 */
export const PREFIX_LENGTH = 6;

/**
 * The messages of this process whose acknowledgements are held, by the id that they carry through a flow.
 *
 * Clones of a message keep its id, so several may take it. Each is a taker from its `get` on, and the message is safe
 * when every taker has released it: the safe reading of a wire that branches. One who comes after the others have
 * released still counts as long as the acknowledgement is not written; later, `get` answers undefined.
 *
 * An id tells the connection and the place in its queue, so that no index by id is kept for thousands of messages that
 * live for milliseconds.
 */
export class Acknowledgements {
  /** By what their ids begin with. */
  readonly #connections = new Map<string, HeldMessages>();
  /** The connection of the message last looked for: nearly always that of the next one. */
  #last: { prefix: string; messages: HeldMessages } | undefined;
  /** By id, those whose connection is gone, and that nodes have in hand or have made safe. */
  readonly #left = new Map<string, HeldMessage>();

  /** Messages of open connections, and those that are left of others. */
  get size(): number {
    let size = this.#left.size;
    for (const { held } of this.#connections.values()) size += held;
    return size;
  }

  /** Makes the caller a taker of the message; undefined when no acknowledgement of it is held. */
  get(messageId: string | undefined): HeldAcknowledgement | undefined {
    return this.#find(messageId)?.take();
  }

  /**
   * The flow says that nobody needs this message, or its refused copies. Acknowledges it, unless takers still have it:
   * then with their release. Answers false when no acknowledgement of it is held.
   */
  dismiss(messageId: string | undefined): boolean {
    const message = this.#find(messageId);
    message?.dismiss();
    return message !== undefined;
  }

  /**
   * The messages of a new connection are found from now on.
   * @returns what their ids must begin with
   */
  open(messages: HeldMessages): string {
    let prefix: string;
    do prefix = randomBytes(PREFIX_LENGTH).toString('base64url').slice(0, PREFIX_LENGTH);
    while (this.#connections.has(prefix));
    this.#connections.set(prefix, messages);
    return prefix;
  }

  /** The connection is gone: only those that nodes have in hand, or have made safe, are found any more. */
  close(prefix: string, left: readonly HeldMessage[]): void {
    this.#connections.delete(prefix);
    this.#last = undefined;
    for (const message of left) this.#left.set(message.messageId, message);
  }

  /** The acknowledgement of a message that was left is written, or void. */
  forget(message: HeldMessage): void {
    if (this.#left.size > 0) this.#left.delete(message.messageId);
  }

  #find(messageId: string | undefined): HeldMessage | undefined {
    // Flows may have put anything in the place of the id, and most have no mqtt-ack-in.
    if (typeof messageId !== 'string' || (this.#connections.size === 0 && this.#left.size === 0))
      return undefined;
    return this.#connectionOf(messageId)?.find(messageId) ?? this.#left.get(messageId);
  }

  #connectionOf(messageId: string): HeldMessages | undefined {
    if (this.#last && messageId.startsWith(this.#last.prefix)) return this.#last.messages;
    const prefix = messageId.slice(0, PREFIX_LENGTH);
    const messages = this.#connections.get(prefix);
    if (messages) this.#last = { prefix, messages };
    return messages;
  }
}

/** Those of this process: a message is taken in one node and released in another. */
export const acknowledgements = new Acknowledgements();
