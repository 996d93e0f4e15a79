import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { environmentFor } from '../support/node-red-process';

const run = promisify(execFile);

/**
 * Installs packages from the registry into a folder of their own, once: an installation that is complete is used
 * again. Answers the folder's `node_modules`.
 * @param nodeBinary the `node` that npm runs with, so that it judges the packages' `engines` by that version
 */
export async function installed(folder: string, packages: string[], nodeBinary: string): Promise<string> {
  const modules = path.join(folder, 'node_modules');
  const complete = path.join(folder, 'installed');
  const wanted = packages.join(' ');
  if ((await readFile(complete, 'utf8').catch(() => '')) === wanted) return modules;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Without --prefix npm would take the repository around the folder for the package to install into.
  const args = ['install', '--prefix', folder, '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', [...args, ...packages], { cwd: folder, env: environmentFor(nodeBinary) });
  await writeFile(complete, wanted);
  return modules;
}

/** Packs the repository as it is built now, as for publishing. Answers the tarball's path. */
export async function packRepository(repository: string, into: string): Promise<string> {
  return pack(repository, into);
}

/**
 * The packed package with another version number. An update replaces files by files; what was in them before does not
 * matter to it.
 */
export async function packedAs(version: string, tarball: string, into: string): Promise<string> {
  await mkdir(into, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', into]);
  const file = path.join(into, 'package', 'package.json');
  const packageJson = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...packageJson, version }));
  return pack(path.join(into, 'package'), into);
}

async function pack(folder: string, into: string): Promise<string> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', into];
  const { stdout } = await run('npm', args, { cwd: folder, env: environmentFor(process.execPath) });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm pack made no tarball: ${stdout}`);
  return path.join(into, packed.filename);
}
