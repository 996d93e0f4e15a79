import { readFile } from 'node:fs/promises';

/** Resident memory of a process, MB (10^6 bytes); undefined when it has ended. */
export async function residentMb(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : (Number(kilobytes) * 1024) / 1e6;
  } catch {
    return undefined;
  }
}

interface Sample {
  /** Since the process was first seen, min. */
  age: number;
  mb: number;
}

/** The memory of processes that come and go. */
export class MemorySamples {
  readonly #processes = new Map<number, { since: number; samples: Sample[] }>();
  max = 0;

  /** @param now ms */
  add(pid: number, mb: number, now: number): void {
    const known = this.#processes.get(pid) ?? { since: now, samples: [] };
    this.#processes.set(pid, known);
    known.samples.push({ age: (now - known.since) / 60_000, mb });
    this.max = Math.max(this.max, mb);
  }

  /**
   * By how much memory grows, MB a minute: the slope of one line through the samples of all processes, each of them
   * moved to the mean of its own.
   * @param warmUp what a process is given to load its code and to fill its heap, min; 0 when it has no samples after it
   */
  slope(warmUp: number): number {
    let above = 0;
    let below = 0;
    for (const { samples } of this.#processes.values()) {
      const later = samples.filter(({ age }) => age >= warmUp);
      const meanAge = mean(later.map(({ age }) => age));
      const meanMb = mean(later.map(({ mb }) => mb));
      for (const { age, mb } of later) {
        above += (age - meanAge) * (mb - meanMb);
        below += (age - meanAge) ** 2;
      }
    }
    return below === 0 ? 0 : above / below;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
