import type { AcknowledgeWhen } from './acknowledgements';
import { type HeldMessage, type Identity, isSame } from './held-message';

/**
 * The messages of a session that nodes had in hand, or had made safe, when the connection ended. None of them was
 * acknowledged, so the broker sends each again with the packet id that it had (MQTT 3.1.1: 4.4), which it cannot give to
 * another message before. Then nobody need take it once more: the copy that nodes have stands for it, and its acknowledgement
 * is sent on the new connection when that is safe.
 */
export class HeldOver {
  readonly #byPacket = new Map<number, HeldMessage>();

  get size(): number {
    return this.#byPacket.size;
  }

  /** The connection of these is gone. */
  keep(messages: Iterable<HeldMessage>): void {
    for (const message of messages) {
      this.#byPacket.get(message.packetId)?.forget();
      this.#byPacket.set(message.packetId, message);
    }
  }

  /**
   * The message that the broker sends again here. Undefined for one that it sends for the first time, and for one that
   * a node refused meanwhile, or was to make safe at another time: that must be taken anew.
   */
  take(identity: Identity, isAgain: boolean, when: AcknowledgeWhen): HeldMessage | undefined {
    const message = this.#byPacket.get(identity.packetId);
    if (!message) return undefined;
    this.#byPacket.delete(identity.packetId);
    if (isAgain && !message.isUnfinished && message.when === when && isSame(message, identity))
      return message;
    message.forget();
    return undefined;
  }

  /** The broker has lost the session: its packet ids mean other messages from now on. */
  clear(): void {
    for (const message of this.#byPacket.values()) message.forget();
    this.#byPacket.clear();
  }
}
