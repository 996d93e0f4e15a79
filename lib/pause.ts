const SHORTEST = 1000;
const LONGEST = 60_000;

/**
 * Pauses between attempts: they double from 1 s to 60 s, and each is shortened by chance, to between its half and its
 * whole, so that many clients do not come back at once.
 */
export class Pause {
  /** Failures since the last success. */
  failures = 0;

  /** Counts a failure; answers how many ms to wait before the next attempt. */
  next(): number {
    const whole = Math.min(LONGEST, SHORTEST * 2 ** Math.min(this.failures++, 16));
    return whole * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.failures = 0;
  }
}
