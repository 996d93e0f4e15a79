import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';

export const ROOT = path.resolve(__dirname, '../../..');
/** The interpreter that the tests run Python with. */
export const PYTHON = realPython(process.env.PYTHON ?? 'python3');
/** Time zones by name came with it; boto3 wants it too. */
export const IS_PYTHON = works(PYTHON, '-c', 'import sys; sys.exit(sys.version_info < (3, 9))');

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

/** Skips a test without these Python packages, and says how to get them. */
export function needsPackages(test: Mocha.Context, ...names: string[]): void {
  needs(test, 'Python 3.9', IS_PYTHON);
  const missing = names.filter((name) => !hasModule(name));
  if (missing.length === 0) return;
  const packages = missing.join(' ');
  console.warn(
    `      skipped: no ${packages} for Python; python3 -m venv .services/python && ` +
      `.services/python/bin/pip install ${packages}, then set PYTHON=.services/python/bin/python`,
  );
  test.skip();
}

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Python, or another command, and waits for its end, whatever its exit code. */
export function run(
  args: readonly string[],
  options: { command?: string; env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<Output> {
  const { command = PYTHON, env = {}, cwd = ROOT, input = '' } = options;
  const variables = { ...process.env, PYTHONUTF8: '1', PYTHONDONTWRITEBYTECODE: '1', ...env };
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { maxBuffer: 256 << 20, cwd, env: variables },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}

/** What Python prints; fails when it fails. */
export async function python(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await run(args, { env });
  if (code !== 0) throw new Error(`Python ended with ${code}: ${stderr}`);
  return stdout;
}

/** What boto3 finds its keys by. */
export function awsVariables(s3: {
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
}): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_DEFAULT_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKey,
    AWS_SECRET_ACCESS_KEY: s3.secretKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}
