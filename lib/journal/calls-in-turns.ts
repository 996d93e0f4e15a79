import { guarded } from '../guarded';

/** Callbacks at a time: each may run a user's flow, and ten thousand in one turn would hold the event loop. */
const CALLS_A_TURN = 200;

/** Calls back in order, some in every turn of the event loop. */
export class CallsInTurns {
  #calls: (() => void)[] = [];
  #next = 0;
  #isScheduled = false;

  add(calls: readonly (() => void)[]): void {
    for (const call of calls) this.#calls.push(call);
    if (this.#isScheduled || this.#calls.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const end = Math.min(this.#next + CALLS_A_TURN, this.#calls.length);
    for (; this.#next < end; this.#next++) {
      const call = this.#calls[this.#next];
      if (call) guarded(call);
    }
    if (this.#next < this.#calls.length) {
      setImmediate(() => this.#turn());
      return;
    }
    this.#calls = [];
    this.#next = 0;
    this.#isScheduled = false;
  }
}
