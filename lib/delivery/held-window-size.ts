/** A pause between arrivals, ms, after which the broker is taken to send no more for now. */
export const QUIET = 100;

/** The fewest messages that are taken for a window's worth before that has been seen twice. */
const LEAST_GUESS = 10;
/** Messages that a broker has queued come this close to one another at least, ms on average. */
const DENSE = 10;

/**
 * How many messages the broker sends before it waits for acknowledgements. No packet tells it: the setting of the node
 * is an upper bound, and the broker's own limit may be smaller (Mosquitto: 20). Then arrivals stop early, which looks as
 * if nobody had published more. So the size is learned: most that were ever held at a time is the real window, once
 * arrivals have gone up to exactly there without a pause after acknowledgements were written, and stopped. Before that,
 * a dense run of arrivals that stops at a new maximum is guessed to have met the window, rarely: at twice the last guess.
 * A wrong guess costs a smaller object, and the next message beyond the window corrects it.
 */
export class WindowSize {
  #most = 0;
  #isLearned = false;
  #guessed = 0;
  /** Acknowledgements were written, and messages have come since without a pause. */
  #refilling = false;
  #runStart = 0;
  #runCount = 0;
  #last = -Infinity;

  /** @param limit messages, of the node's settings */
  constructor(private readonly limit: number) {}

  /** The broker's window as it was learned; undefined as long as it may be larger than what was seen. */
  get learned(): number | undefined {
    return this.#isLearned ? this.#most : undefined;
  }

  /** A message came, and with it so many are held. */
  arrived(held: number, now: number): void {
    if (now - this.#last >= QUIET) {
      this.#refilling = false;
      this.#runCount = 0;
    }
    if (this.#runCount === 0) this.#runStart = now;
    this.#runCount++;
    this.#last = now;
    if (held <= this.#most) return;
    this.#most = held;
    this.#isLearned = false;
  }

  /** Acknowledgements were written. */
  acknowledged(now: number): void {
    this.#refilling = true;
    this.#runCount = 0;
    this.#last = now;
  }

  /** Whether the broker waits for acknowledgements: so many are held and nothing has come for a while. */
  isFull(held: number, now: number): boolean {
    if (held === 0 || now - this.#last < QUIET) return false;
    if (held >= this.limit) return true;
    if (held < this.#most) return false;
    if (this.#refilling && this.#runCount > 0) this.#isLearned = true;
    return this.#isLearned || this.#guess();
  }

  #guess(): boolean {
    const isDense = this.#last - this.#runStart < DENSE * this.#runCount;
    if (this.#most < Math.max(LEAST_GUESS, 2 * this.#guessed) || this.#runCount < LEAST_GUESS || !isDense)
      return false;
    this.#guessed = this.#most;
    return true;
  }
}
