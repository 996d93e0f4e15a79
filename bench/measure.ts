import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that are in use after a full collection: the heap, and buffers outside of it. */
export function memoryInUse(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The longest time between two turns of the event loop while `work` runs, ms. */
export async function longestPause(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let running = true;
  let last = performance.now();
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await work();
  } finally {
    running = false;
  }
  return longest;
}

export interface Pauses {
  /** The longest time that a timer was late, ms. */
  longest: number;
  /**
   * The most processor time that the loop's thread took between two turns, ms: what is beyond it in a longer pause, the
   * thread waited for a processor that others had. NaN where the system does not tell.
   */
  worked: number;
}

/** Watches the event loop from now on, and leaves the processor to others meanwhile; `end` tells its pauses. */
export function watchLoop(): { end: () => Pauses } {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let worked = 0;
  let last = processorTime();
  const turn = setInterval(() => {
    const now = processorTime();
    worked = Math.max(worked, now - last);
    last = now;
  }, 1);
  return {
    end: () => {
      delay.disable();
      clearInterval(turn);
      return { longest: delay.max / 1e6, worked };
    },
  };
}

/** Processor time that this thread has had, ms; NaN where the system does not tell. */
function processorTime(): number {
  try {
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'latin1')) / 1e6;
  } catch {
    return NaN;
  }
}

const TMPFS = 0x01021994;

/** A folder that is on a disk: what is synced in memory costs nothing. @throws when there is none */
export async function diskFolder(): Promise<string> {
  for (const folder of [tmpdir(), process.cwd()]) if ((await statfs(folder)).type !== TMPFS) return folder;
  throw new Error(
    'neither the folder for temporary files nor this one is on a disk: set TMPDIR to one that is',
  );
}

/** A setting of the environment that services/with-services.sh gives. */
export function environment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through services/with-services.sh`);
  return value;
}
