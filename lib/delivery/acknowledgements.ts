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

/**
 * The messages of this process whose acknowledgements are held, by the id that they carry through a flow.
 *
 * Clones of a message keep its id, so several may take it. Each is a taker from its `get` on, and the message is safe
 * when every taker has released it: the safe reading of a wire that branches. One who comes after the others have
 * released still counts as long as the acknowledgement is not written; later, `get` answers undefined.
 */
export class Acknowledgements {
  readonly #held = new Map<string, HeldMessage>();

  get size(): number {
    return this.#held.size;
  }

  /** Makes the caller a taker of the message; undefined when no acknowledgement of it is held. */
  get(messageId: string): HeldAcknowledgement | undefined {
    return this.#held.get(messageId)?.take();
  }

  /**
   * The flow says that nobody needs this message, or its refused copies. Acknowledges it, unless takers still have it:
   * then with their release. Answers false when no acknowledgement of it is held.
   */
  dismiss(messageId: string): boolean {
    const message = this.#held.get(messageId);
    message?.dismiss();
    return message !== undefined;
  }

  /** For the window that the message is in. */
  add(message: HeldMessage): void {
    this.#held.set(message.messageId, message);
  }

  /** Its acknowledgement is written, or void. */
  remove(message: HeldMessage): void {
    this.#held.delete(message.messageId);
  }
}

/** Those of this process: a message is taken in one node and released in another. */
export const acknowledgements = new Acknowledgements();
