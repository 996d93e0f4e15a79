import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process on which machine: a process number alone may belong to another process by now. */
export interface ProcessIdentity {
  host: string;
  pid: number;
  /** When the process was started, in words that differ for another process of the same number. */
  started: string;
  /** The space that process numbers are counted in: containers have their own. */
  space: string;
}

export const self: ProcessIdentity = {
  host: hostname(),
  pid: process.pid,
  started: startOf(process.pid) ?? String(Math.round(performance.timeOrigin)),
  space: processSpace(),
};

/** What is known of the process that `identity` names: itself, ended, alive, or not to be told from here. */
export function stateOf(identity: ProcessIdentity): 'self' | 'ended' | 'alive' | 'unknown' {
  if (identity.host !== self.host || identity.space !== self.space) return 'unknown';
  if (identity.pid === self.pid) return identity.started === self.started ? 'self' : 'ended';
  if (!isThere(identity.pid)) return 'ended';
  const started = startOf(identity.pid);
  if (started === undefined) return 'unknown';
  return started === identity.started ? 'alive' : 'ended';
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user may not be signalled, but is there.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Linux tells when a process was started: the 22nd field of its `stat`, counted from the start of the machine. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot}/${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

function processSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
