/** A timer that can be cleared. */
export type Timer = NodeJS.Timeout;

/** The port to time: what waits or measures takes it, so that tests need not wait. */
export interface Clock {
  /** Wall clock, ms since 1970: for record times only, since it can be set back. */
  now(): number;
  /** Milliseconds that never run backwards: for ages and pauses. */
  elapsed(): number;
  setTimer(callback: () => void, ms: number): Timer;
  clearTimer(timer: Timer): void;
}

/** Longest delay that a timer takes, about 24.8 days; longer ones fire at once. */
const MAX_DELAY = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, Math.min(Math.max(ms, 0), MAX_DELAY)),
  clearTimer: (timer) => {
    clearTimeout(timer);
  },
};
