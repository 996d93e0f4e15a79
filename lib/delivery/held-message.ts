import type { IPublishPacket } from 'mqtt';

import { crc32c } from '../crc32c';
import type { AcknowledgeWhen, HeldAcknowledgement } from './acknowledgements';
import type { Acknowledgement } from './held-packets';

/** What the broker calls a message in a session, and enough of its content to notice a broker that errs. */
export interface Identity {
  readonly packetId: number;
  readonly qos: number;
  readonly topic: string;
  /** Of the payload. */
  readonly length: number;
  readonly checksum: number;
}

export function identityOf({ messageId, qos, topic, payload }: IPublishPacket): Identity {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return { packetId: messageId ?? 0, qos, topic, length: bytes.length, checksum: crc32c(bytes) };
}

export function isSame(one: Identity, other: Identity): boolean {
  return (
    one.packetId === other.packetId &&
    one.qos === other.qos &&
    one.topic === other.topic &&
    one.length === other.length &&
    one.checksum === other.checksum
  );
}

/** What a held message needs of the window that it is in. */
export interface HeldBy {
  readonly when: AcknowledgeWhen;
  /** A message may have become safe. */
  changed(): void;
  /** A taker named a batch to seal. */
  waiting(): void;
  /** Nobody is going to acknowledge this message. */
  forget(message: HeldMessage): void;
}

/**
 * A message between its arrival and the writing of its acknowledgement. Thousands are held at a time, and every object
 * that lives as long as they do is copied by the garbage collector: so there is one for each, and no lists in it.
 */
export class HeldMessage implements Identity {
  readonly packetId: number;
  readonly qos: number;
  readonly topic: string;
  readonly length: number;
  readonly checksum: number;
  /** What the client wrote; undefined until it has. */
  acknowledgement: Acknowledgement | undefined;
  #taken = false;
  #pending = 0;
  #refused = 0;
  /** The batches to seal: nearly always one. */
  #seal: (() => void) | undefined;
  #otherSeals: (() => void)[] | undefined;
  #window: HeldBy;

  /** @param arrived on the clock that never runs backwards, ms */
  constructor(
    readonly messageId: string,
    { packetId, qos, topic, length, checksum }: Identity,
    public arrived: number,
    window: HeldBy,
  ) {
    this.packetId = packetId;
    this.qos = qos;
    this.topic = topic;
    this.length = length;
    this.checksum = checksum;
    this.#window = window;
  }

  /** When it is safe enough. */
  get when(): AcknowledgeWhen {
    return this.#window.when;
  }

  /** Everyone who took it has released it. */
  get isSafe(): boolean {
    return this.#taken && this.#pending === 0 && this.#refused === 0;
  }

  /** Nobody has it in hand, and nobody kept it: it was never taken, or takers refused it. */
  get isUnfinished(): boolean {
    return this.#pending === 0 && !this.isSafe;
  }

  /** It arrived once more, in the window of another connection. */
  moveTo(window: HeldBy, now: number): void {
    this.#window = window;
    this.arrived = now;
    this.acknowledgement = undefined;
    if (this.#seal) window.waiting();
  }

  /** Its acknowledgement is not going to be sent. */
  forget(): void {
    this.#window.forget(this);
  }

  take(): HeldAcknowledgement {
    this.#taken = true;
    this.#pending++;
    return new Taker(this, this.#window.when);
  }

  dismiss(): void {
    this.#taken = true;
    this.#refused = 0;
    this.#window.changed();
  }

  settle(isKept: boolean): void {
    this.#pending--;
    if (!isKept) this.#refused++;
    this.#window.changed();
  }

  wait(seal: () => void): void {
    if (this.#seal === undefined) this.#seal = seal;
    else if (this.#seal !== seal) (this.#otherSeals ??= []).push(seal);
    this.#window.waiting();
  }

  /** Adds the batches to seal, each of them once. */
  takeSeals(into: Set<() => void>): void {
    if (this.#seal) into.add(this.#seal);
    for (const seal of this.#otherSeals ?? []) into.add(seal);
    this.#seal = undefined;
    this.#otherSeals = undefined;
  }
}

class Taker implements HeldAcknowledgement {
  #settled = false;

  constructor(
    private readonly message: HeldMessage,
    readonly when: AcknowledgeWhen,
  ) {}

  release(): void {
    this.#settle(true);
  }

  refuse(): void {
    this.#settle(false);
  }

  waitsFor(seal: () => void): void {
    if (!this.#settled) this.message.wait(seal);
  }

  #settle(isKept: boolean): void {
    if (this.#settled) return;
    this.#settled = true;
    this.message.settle(isKept);
  }
}
