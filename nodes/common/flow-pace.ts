import { randomUUID } from 'node:crypto';

import type { NodeAPI, NodeMessage } from 'node-red';

import { type Clock, systemClock, type Timer } from '../../lib/clock';
import { S3BatchError } from '../../lib/errors';

type Hooks = Pick<NodeAPI['hooks'], 'add' | 'remove'>;
/** What the hooks tell of the node that a message has come to. */
interface Receiver {
  id: string;
  node?: { type: string };
}

/** Messages given to the flow in one turn of the event loop: at first, and at most. */
const FIRST_TURN = 16;
const MOST_A_TURN = 256;
/** Times in ms that a turn takes with all that the flow does in it: above one there were too many, below the other few. */
const LONG_TURN = 20;
const SHORT_TURN = 5;
/** A flow that has finished nothing for so long, ms, keeps what it gets. */
const PATIENCE = 10_000;
/** They keep messages on purpose, and are done with them late: waiting for them would be waiting for ever. */
const COLLECTORS: ReadonlySet<string> = new Set(['join', 'batch', 'sort', 's3-batch-out', 'batch-backup']);

export interface PaceOptions {
  /** The node that sends; what it receives itself does not count. */
  node: string;
  /** `_msgid` of what is sent. */
  message: string;
  /** `parts.id` of what is sent. */
  sequence: string;
  /** Most messages that the flow has at work before it is waited for; 0: it is never waited for. */
  most: number;
  signal: AbortSignal;
  clock?: Clock;
}

/**
 * Lets a node that sends a long sequence go no faster than the flow behind it. Node-RED has no back pressure, but it
 * tells when a node receives a message and when a node is done with one. Two things are held: how long the flow works
 * in one turn of the event loop, for nodes that do their work at once, and how many messages of the sequence any nodes
 * have received and are not done with, for those that wait for something.
 */
export class FlowPace {
  readonly #options: PaceOptions;
  readonly #clock: Clock;
  /** Messages at work, and in how many nodes each. */
  readonly #atWork = new Map<NodeMessage, number>();
  #count = 0;
  #finished = 0;
  #most: number;
  /** Messages for a turn that is neither long nor short, and those that there is room for in this one. */
  #size = FIRST_TURN;
  #room: number;
  /** When the first message of this turn was sent. */
  #began: number | undefined;
  #resume: (() => void) | undefined;

  constructor(hooks: Hooks, options: PaceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#most = options.most || Infinity;
    this.#room = Math.min(this.#size, this.#most);
    if (options.most > 0) watch(hooks, this);
  }

  /** Messages that the flow is not done with. */
  get atWork(): number {
    return this.#count;
  }

  /** Whether the flow is waited for at this moment. */
  get isWaiting(): boolean {
    return this.#resume !== undefined;
  }

  /**
   * To be awaited after each message: now and then it lets the flow work, and waits while that is behind.
   * @throws ABORTED when the node closes meanwhile
   */
  sent(): Promise<void> | undefined {
    this.#began ??= this.#clock.elapsed();
    return --this.#room > 0 ? undefined : this.#turn();
  }

  /** The sequence is at its end. */
  stop(): void {
    unwatch(this);
  }

  received(message: NodeMessage, { id, node }: Receiver): void {
    if (id === this.#options.node || COLLECTORS.has(node?.type ?? '') || !this.#isPart(message)) return;
    this.#atWork.set(message, (this.#atWork.get(message) ?? 0) + 1);
    this.#count++;
  }

  completed(message: NodeMessage): void {
    const nodes = this.#atWork.get(message);
    if (nodes !== undefined) {
      this.#count--;
      if (nodes > 1) this.#atWork.set(message, nodes - 1);
      else this.#atWork.delete(message);
    } else if (message._msgid !== this.#options.message) return;
    this.#finished++;
    if (this.#count <= this.#most / 2) this.#resume?.();
  }

  async #turn(): Promise<void> {
    await new Promise(setImmediate);
    const now = this.#clock.elapsed();
    const took = now - (this.#began ?? now);
    if (took > LONG_TURN) this.#size = Math.max(1, this.#size >>> 1);
    else if (took < SHORT_TURN) this.#size = Math.min(MOST_A_TURN, this.#size * 2);
    const { signal } = this.#options;
    while (this.#count >= this.#most && !signal.aborted) {
      const finished = this.#finished;
      await this.#resumes();
      if (this.#finished === finished) this.#most *= 2;
    }
    if (signal.aborted) {
      throw new S3BatchError('ABORTED', 'the node was closed before everything was sent: ask again');
    }
    this.#room = Math.min(this.#size, this.#most - this.#count);
    this.#began = undefined;
  }

  /** Resolves when half of what is allowed is at work, when nothing helps for a while, or when the node closes. */
  async #resumes(): Promise<void> {
    const { signal } = this.#options;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      const resume = (): void => {
        signal.removeEventListener('abort', resume);
        resolve();
      };
      this.#resume = resume;
      timer = this.#clock.setTimer(resume, PATIENCE);
      signal.addEventListener('abort', resume);
    });
    this.#resume = undefined;
    if (timer) this.#clock.clearTimer(timer);
  }

  /** Flows may drop the parts of a message; what Node-RED sends on keeps its id. */
  #isPart({ _msgid, parts }: NodeMessage): boolean {
    if (typeof parts !== 'object' || parts === null) return _msgid === this.#options.message;
    return (parts as { id?: unknown }).id === this.#options.sequence;
  }
}

/** Every message of the process passes the hooks, so they are there only while somebody watches. */
const watching = new Map<FlowPace, Hooks>();
const LABEL = `s3-batch-${randomUUID()}`;

function watch(hooks: Hooks, pace: FlowPace): void {
  if (watching.size === 0) {
    hooks.add(`onReceive.${LABEL}`, ({ msg, destination }: { msg: NodeMessage; destination: Receiver }) => {
      for (const one of watching.keys()) one.received(msg, destination);
    });
    hooks.add(`onComplete.${LABEL}`, ({ msg }: { msg: NodeMessage }) => {
      for (const one of watching.keys()) one.completed(msg);
    });
  }
  watching.set(pace, hooks);
}

function unwatch(pace: FlowPace): void {
  const hooks = watching.get(pace);
  watching.delete(pace);
  if (hooks && watching.size === 0) hooks.remove(`*.${LABEL}`);
}
