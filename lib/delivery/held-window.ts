import {
  type Acknowledgements,
  type AcknowledgeWhen,
  type HeldMessages,
  PREFIX_LENGTH,
} from './acknowledgements';
import { HeldMessage, type HeldBy, type Identity } from './held-message';
import { type Acknowledgement, AcknowledgementWriter } from './held-packets';

export interface HeldWindowSettings {
  acknowledgements: Acknowledgements;
  when: AcknowledgeWhen;
  /** Writes whole acknowledgements, one after another, to the broker. */
  write(acknowledgements: Buffer): void;
  /** An acknowledgement is about to be written. */
  acknowledged?(message: HeldMessage): void;
}

/** Messages that wait too long: how many, and the one that has waited longest. */
export interface Overdue {
  count: number;
  oldest: HeldMessage | undefined;
}

/** How much of the queue's start may be empty before it is moved. */
const COMPACT_AFTER = 1024;

/**
 * The messages of one connection whose acknowledgements are not written yet, in the order of their arrival. MQTT wants
 * acknowledgements in this order (3.1.1: 4.6), so a message that is safe waits for those before it.
 */
export class HeldWindow implements HeldBy, HeldMessages {
  readonly #idPrefix: string;
  #queue: (HeldMessage | undefined)[] = [];
  /** Messages that were in the queue before its present first place. */
  #before = 0;
  #start = 0;
  readonly #byPacket = new Map<number, HeldMessage>();
  readonly #writer = new AcknowledgementWriter();
  #flush: NodeJS.Immediate | undefined;
  #waiting = false;
  #isVoid = false;

  constructor(private readonly settings: HeldWindowSettings) {
    this.#idPrefix = settings.acknowledgements.open(this);
  }

  get when(): AcknowledgeWhen {
    return this.settings.when;
  }

  /** Messages whose acknowledgements are not written, safe or not. */
  get held(): number {
    return this.#queue.length - this.#start;
  }

  has(packetId: number): boolean {
    return this.#byPacket.has(packetId);
  }

  /** @returns the id that the message is to carry through the flow */
  arrive(identity: Identity, now: number): string {
    const messageId = `${this.#idPrefix}${this.#before + this.#queue.length}`;
    this.#add(new HeldMessage(messageId, identity, now, this));
    return messageId;
  }

  find(messageId: string): HeldMessage | undefined {
    const message = this.#queue[numberIn(messageId) - this.#before];
    return message?.messageId === messageId ? message : undefined;
  }

  /** A message of another connection arrived once more. */
  arriveAgain(message: HeldMessage, now: number): void {
    message.moveTo(this, now);
    this.#add(message);
  }

  /** Takes an acknowledgement that the client wants to send; false when it belongs to no message here. */
  hold(packetId: number, acknowledgement: Acknowledgement): boolean {
    const message = this.#byPacket.get(packetId);
    if (!message) return false;
    message.acknowledgement = acknowledgement;
    if (message.isSafe) this.changed();
    return true;
  }

  /** Writes what is safe once the event loop has come round, so that many go out in one write. */
  changed(): void {
    if (this.#isVoid) return;
    this.#flush ??= setImmediate(() => {
      this.flush();
    });
  }

  waiting(): void {
    this.#waiting = true;
  }

  /** Writes the acknowledgements of all safe messages that no other message is before. */
  flush(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    for (;;) {
      const message = this.#queue[this.#start];
      if (message?.acknowledgement === undefined || !message.isSafe) break;
      this.#writer.add(message.packetId, message.acknowledgement);
      this.#queue[this.#start++] = undefined;
      this.#byPacket.delete(message.packetId);
      this.settings.acknowledgements.forget(message);
      this.settings.acknowledged?.(message);
    }
    const packets = this.#writer.take();
    if (!packets) return;
    this.#compact();
    this.settings.write(packets);
  }

  /** Seals the batches that messages here wait for, each once. */
  seal(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    const seals = new Set<() => void>();
    for (const message of this.#messages()) message.takeSeals(seals);
    for (const seal of seals) seal();
  }

  /** Messages older than `ms`: those that nobody has in hand, and those that takers have not released. */
  overdue(now: number, ms: number): { unfinished: Overdue; waiting: Overdue } {
    const unfinished: Overdue = { count: 0, oldest: undefined };
    const waiting: Overdue = { count: 0, oldest: undefined };
    for (const message of this.#messages()) {
      if (now - message.arrived < ms) break;
      if (message.isSafe) continue;
      const kind = message.isUnfinished ? unfinished : waiting;
      kind.count++;
      kind.oldest ??= message;
    }
    return { unfinished, waiting };
  }

  /** True when takers have messages here that they have not released. */
  get hasWaiting(): boolean {
    for (const message of this.#messages()) if (!message.isSafe && !message.isUnfinished) return true;
    return false;
  }

  /**
   * The connection is gone: none of these acknowledgements may be sent on another one.
   * @returns the messages that nodes have in hand or have made safe; the others are forgotten
   */
  void(): HeldMessage[] {
    this.#isVoid = true;
    clearImmediate(this.#flush);
    this.#flush = undefined;
    const left: HeldMessage[] = [];
    for (const message of this.#messages()) {
      if (message.isUnfinished) this.forget(message);
      else left.push(message);
    }
    this.settings.acknowledgements.close(this.#idPrefix, left);
    this.#queue = [];
    this.#start = 0;
    this.#byPacket.clear();
    return left;
  }

  forget(message: HeldMessage): void {
    this.settings.acknowledgements.forget(message);
  }

  #add(message: HeldMessage): void {
    this.#queue.push(message);
    this.#byPacket.set(message.packetId, message);
  }

  *#messages(): Generator<HeldMessage> {
    for (let at = this.#start; at < this.#queue.length; at++) {
      const message = this.#queue[at];
      if (message) yield message;
    }
  }

  #compact(): void {
    if (this.#start === this.#queue.length) this.#queue = [];
    else if (this.#start > COMPACT_AFTER && this.#start * 2 > this.#queue.length)
      this.#queue = this.#queue.slice(this.#start);
    else return;
    this.#before += this.#start;
    this.#start = 0;
  }
}

/** The decimal number behind the prefix of an id; some other number where there is none. */
function numberIn(messageId: string): number {
  let number = 0;
  for (let at = PREFIX_LENGTH; at < messageId.length; at++)
    number = number * 10 + messageId.charCodeAt(at) - 0x30;
  return number;
}
