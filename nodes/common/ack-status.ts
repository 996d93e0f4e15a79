import type { Node, NodeAPI, NodeStatus } from 'node-red';

import type { HeldSession } from '../../lib/delivery/held-session';
import { headline } from './error-status';
import { type Texts, textsOf } from './texts';

/** How often the status follows the number of held messages, ms. */
const EVERY = 1000;

/** Shows under the node whether it is connected, and what it holds. */
export class AckStatus {
  #timer: NodeJS.Timeout | undefined;
  #shown = '';
  #stopped = false;
  readonly #text: Texts;

  constructor(
    private readonly RED: NodeAPI,
    private readonly node: Node,
    private readonly session: HeldSession,
  ) {
    this.#text = textsOf(RED, 'mqtt-ack-in.status');
    this.changed();
  }

  /** The connection changed: shows it at once. */
  changed(): void {
    if (this.#stopped) return;
    const status = this.#status();
    const shown = JSON.stringify(status);
    if (shown !== this.#shown) this.node.status(status);
    this.#shown = shown;
  }

  /** A message came: shows soon how many are held, and goes on until none is. */
  heard(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.changed();
      if (this.session.held > 0) this.heard();
    }, EVERY);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #status(): NodeStatus {
    const text = this.#text;
    const { state, error, held, overdue, learnedWindow } = this.session;
    if (error && state !== 'connected')
      return { fill: 'red', shape: 'ring', text: text('error', { error: headline(this.RED, error) }) };
    if (state !== 'connected') return { fill: 'yellow', shape: 'ring', text: text('connecting') };
    const parts = [text('connected')];
    if (held > 0) parts.push(text('held', { held }));
    if (learnedWindow !== undefined) parts.push(text('window', { window: learnedWindow }));
    if (overdue > 0) parts.push(text('overdue', { overdue }));
    return { fill: overdue > 0 ? 'yellow' : 'green', shape: 'dot', text: parts.join(' · ') };
  }
}
