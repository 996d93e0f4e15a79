import type { CheckName, Outcome } from './finding';
import type { Trial } from './trial';

/** One thing that is tried. */
export interface Check {
  name: CheckName;
  /** Checks without which this one makes no sense: it is skipped when one of them failed or was skipped. */
  needs: readonly CheckName[];
  /** Longest time in ms, when it is not that of all. */
  limitMs?: number;
  run(trial: Trial, signal: AbortSignal): Outcome | Promise<Outcome>;
}
