import type { AcknowledgeWhen, HeldAcknowledgement } from './acknowledgements';

/** What a held message needs of the window that it is in. */
export interface HeldBy {
  readonly when: AcknowledgeWhen;
  /** A message may have become safe. */
  changed(): void;
  /** A taker named a batch to seal. */
  waiting(): void;
}

/** A message between its arrival and the writing of its acknowledgement. */
export class HeldMessage {
  /** The acknowledgement as the client wrote it; undefined until it has. */
  packet: Buffer | undefined;
  #taken = false;
  #pending = 0;
  #refused = 0;
  #seals: (() => void)[] | undefined;

  /** @param arrived on the clock that never runs backwards, ms */
  constructor(
    readonly messageId: string,
    readonly packetId: number,
    readonly topic: string,
    readonly arrived: number,
    private readonly window: HeldBy,
  ) {}

  /** Everyone who took it has released it. */
  get isSafe(): boolean {
    return this.#taken && this.#pending === 0 && this.#refused === 0;
  }

  /** Nobody has it in hand, and nobody kept it: it was never taken, or takers refused it. */
  get isUnfinished(): boolean {
    return this.#pending === 0 && !this.isSafe;
  }

  take(): HeldAcknowledgement {
    this.#taken = true;
    this.#pending++;
    return new Taker(this, this.window.when);
  }

  dismiss(): void {
    this.#taken = true;
    this.#refused = 0;
    this.window.changed();
  }

  settle(isKept: boolean): void {
    this.#pending--;
    if (!isKept) this.#refused++;
    this.window.changed();
  }

  wait(seal: () => void): void {
    this.#seals ??= [];
    this.#seals.push(seal);
    this.window.waiting();
  }

  /** The batches to seal, each answered once. */
  takeSeals(): readonly (() => void)[] {
    const seals = this.#seals ?? [];
    this.#seals = undefined;
    return seals;
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
