import { spawnSync } from 'node:child_process';

/** The Python of the tests; PYTHON names another one. */
export const PYTHON = realPython(process.env.PYTHON ?? 'python3');

/** The interpreter itself: version managers put a slow script in its place. */
function realPython(name: string): string {
  const { stdout } = spawnSync(name, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  return (stdout || name).trim();
}

export function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

export function hasModule(name: string): boolean {
  return works(
    PYTHON,
    '-c',
    `import importlib.util, sys; sys.exit(importlib.util.find_spec("${name}") is None)`,
  );
}

/** Skips a test on a machine without a tool, and says so. */
export function needs(test: Mocha.Context, tool: string, isThere: boolean): void {
  if (isThere) return;
  console.warn(`      skipped: ${tool} is not on this machine (PYTHON names another Python)`);
  test.skip();
}
