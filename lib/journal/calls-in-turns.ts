import { guarded } from '../guarded';
import { workATurn } from '../turn';

/** Calls back in order, in as many turns of the event loop as it takes. */
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
    const isMore = workATurn(() => {
      const call = this.#calls[this.#next++];
      if (call) guarded(call);
      return this.#next < this.#calls.length;
    });
    if (isMore) {
      setImmediate(() => this.#turn());
      return;
    }
    this.#calls = [];
    this.#next = 0;
    this.#isScheduled = false;
  }
}
