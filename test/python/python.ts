import { execFile } from 'node:child_process';
import path from 'node:path';

import { hasModule, needs, PYTHON, works } from '../support/python';

export const ROOT = path.resolve(__dirname, '../../..');
/** Time zones by name came with it; boto3 wants it too. */
export const IS_PYTHON = works(PYTHON, '-c', 'import sys; sys.exit(sys.version_info < (3, 9))');

/** Skips a test without these Python packages, and says how to get them. */
export function needsPackages(test: Mocha.Context, ...names: string[]): void {
  needs(test, 'Python 3.9', IS_PYTHON);
  const missing = names.filter((name) => !hasModule(name)).map((name) => name.replaceAll('_', '-'));
  if (missing.length === 0) return;
  console.warn(
    `      skipped: no ${missing.join(', ')} for Python; python3 -m venv .services/python && ` +
      `.services/python/bin/pip install ${missing.join(' ')}, then set PYTHON=.services/python/bin/python`,
  );
  test.skip();
}

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  /** Python, unless it is told. */
  command?: string;
  env?: Record<string, string>;
  cwd?: string;
  input?: string;
}

/** Runs Python, or another command, and waits for its end, whatever its exit code. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { command = PYTHON, env = {}, cwd = ROOT, input = '' } = options;
  const variables = { ...process.env, PYTHONUTF8: '1', PYTHONDONTWRITEBYTECODE: '1', ...env };
  return new Promise((resolve, reject) => {
    const settings = { maxBuffer: 256 << 20, cwd, env: variables };
    const child = execFile(command, args, settings, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(error.message, { cause: error }));
      else resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
    // One that ends without reading is told by its exit code.
    child.stdin?.on('error', () => undefined);
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
