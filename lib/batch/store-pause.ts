import type { Clock, Timer } from '../clock';
import { Pause } from '../pause';

/** The state of a store that fails as a whole: while it does, one attempt at a time may find out whether it is back. */
export class StorePause {
  readonly #pause = new Pause();
  #timer: Timer | undefined;

  /** @param over called at the end of each pause: it is time for an attempt */
  constructor(
    private readonly clock: Clock,
    private readonly over: () => void,
  ) {}

  /** True from the first failure to the next answer. */
  get isOn(): boolean {
    return this.#pause.failures > 0;
  }

  /** Whether it is time for an attempt. */
  get mayProbe(): boolean {
    return this.#timer === undefined;
  }

  /**
   * The store failed.
   * @returns ms until the next attempt; undefined when a pause is on already: what was under way together fails
   * together, and that is one failure of the store
   */
  begin(): number | undefined {
    if (this.#timer) return undefined;
    const pause = this.#pause.next();
    this.#timer = this.clock.setTimer(() => {
      this.#timer = undefined;
      this.over();
    }, pause);
    return pause;
  }

  /** The store answered, or there is no time left to wait. */
  end(): void {
    if (this.#timer) this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#pause.reset();
  }
}
