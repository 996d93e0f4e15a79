import type { Clock, Timer } from '../../lib/clock';

interface Waiting {
  due: number;
  callback: () => void;
}

/** Longer delays fire early, as those of real timers do. */
const MAX_DELAY = 2 ** 31 - 1;

/** A clock whose time moves by hand only. */
export class FakeClock implements Clock {
  #elapsed = 0;
  #wall: number;
  readonly #timers = new Map<Timer, Waiting>();

  /** @param start wall clock, ms since 1970 */
  constructor(start = Date.UTC(2018, 9, 1, 17, 10, 35)) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  setTimer(callback: () => void, ms: number): Timer {
    // Only its identity is needed, in the type that real timers have.
    const timer = setTimeout(() => undefined, 0);
    clearTimeout(timer);
    this.#timers.set(timer, { due: this.#elapsed + Math.min(Math.max(0, ms), MAX_DELAY), callback });
    return timer;
  }

  clearTimer(timer: Timer): void {
    this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer is due; Infinity without one. */
  get untilNext(): number {
    return Math.min(...[...this.#timers.values()].map(({ due }) => due - this.#elapsed));
  }

  /** Somebody sets the wall clock; nothing passes. */
  setWall(ms: number): void {
    this.#wall = ms;
  }

  /** Time passes. Timers fire in their order, those too that are set meanwhile; promises get their turns in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.due - b.due);
      if (!next || next[1].due > end) break;
      const [timer, { due, callback }] = next;
      this.#timers.delete(timer);
      this.#moveTo(due);
      callback();
      await nextTurn();
    }
    this.#moveTo(end);
    await nextTurn();
  }

  #moveTo(elapsed: number): void {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Waits, in real time, for what runs on other threads: compression, files, sockets. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const holds = condition();
    if (holds === true || (holds !== false && (await holds))) return;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
