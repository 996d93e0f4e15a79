import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import type { FlowNode, NodeRedProcess } from '../support/node-red-process';

export interface PackageJson {
  name: string;
  version: string;
  'node-red': { nodes: Record<string, string>; plugins: Record<string, string> };
}

/** Types that come with another package, which is not installed here: those of the Dashboard. */
const FOREIGN = /^ui[-_]/;

/** Fails unless every node type and every plugin of the package is registered without an error, in this version. */
export async function assertRegistered(nodeRed: NodeRedProcess, expected: PackageJson): Promise<void> {
  const sets = (await nodeRed.nodeSets()).filter(({ module }) => module === expected.name);
  assert.deepEqual(
    sets.flatMap(({ id, err, enabled }) => (err !== undefined || !enabled ? [`${id}: ${String(err)}`] : [])),
    [],
    'node sets with errors',
  );
  const types = sets.flatMap((set) => set.types);
  assert.deepEqual(types.sort(), Object.keys(expected['node-red'].nodes).sort(), 'registered types');
  const plugins = (await nodeRed.pluginSets()).filter(({ module }) => module === expected.name);
  assert.deepEqual(
    plugins.map(({ id, err }) => [id, err]),
    Object.keys(expected['node-red'].plugins).map((plugin) => [`${expected.name}/${plugin}`, undefined]),
    'plugins',
  );
  assert.deepEqual(new Set(sets.map(({ version }) => version)), new Set([expected.version]), 'version');
}

/** The flows as Node-RED keeps them; credentials are never among them. */
export async function keptFlows(nodeRed: NodeRedProcess): Promise<FlowNode[]> {
  return (await nodeRed.get('/flows')) as FlowNode[];
}

/** Deploys every example that the Import menu shows; fails when one has a type that is not there. */
export async function deployExamples(
  nodeRed: NodeRedProcess,
  { name }: PackageJson,
  files: string[],
): Promise<void> {
  const shown = (await nodeRed.get('/library/examples/flows')) as string[];
  assert.ok(shown.includes(name), `the Import menu has examples of ${name}, not only of ${shown.join(', ')}`);
  const listed = (await nodeRed.get(`/library/examples/flows/${name}`)) as { fn?: string }[];
  const names = listed.map(({ fn = '' }) => fn).filter((fn) => fn !== '');
  assert.deepEqual(
    names.map((fn) => fn.replace(/\.json$/, '')).sort(),
    files.sort(),
    'examples in the Import menu',
  );
  for (const file of names) {
    const flow = (await nodeRed.get(`/library/examples/flows/${name}/${file}`)) as FlowNode[];
    assert.ok(flow.length > 3, `${file} is a flow`);
    await nodeRed.deploy(flow.filter(({ type }) => !FOREIGN.test(type)));
  }
}

/**
 * Uninstalls the package as the palette does. While flows use it, Node-RED refuses; after that nothing of it is left,
 * and flows that are deployed all the same are kept.
 * @param flows that use the package; they are deployed now
 */
export async function uninstall(
  nodeRed: NodeRedProcess,
  { name }: PackageJson,
  flows: FlowNode[],
): Promise<void> {
  await assert.rejects(nodeRed.uninstall(name), /answers 400/, 'it is not uninstalled while flows use it');
  await nodeRed.deploy([]);
  await nodeRed.uninstall(name);

  assert.deepEqual(
    (await nodeRed.nodeSets()).filter(({ module }) => module === name),
    [],
    'node sets that are left',
  );
  const inUserDir = (file: string): string => path.join(nodeRed.userDir, file);
  const { dependencies = {} } = JSON.parse(await readFile(inUserDir('package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  assert.deepEqual(dependencies, {});
  // npm leaves the empty folders of scopes, and its own list.
  const left = await readdir(inUserDir('node_modules'), { recursive: true, withFileTypes: true });
  assert.deepEqual(
    left.filter((entry) => entry.isFile() && entry.name !== '.package-lock.json').map((entry) => entry.name),
    [],
    'files that are left',
  );
  assert.ok(
    !(await readFile(inUserDir('.config.nodes.json'), 'utf8')).includes(name),
    'nothing is registered',
  );
  const journals = await readdir(inUserDir('s3-batch'), { recursive: true }).catch(() => []);
  assert.deepEqual(
    journals.filter((file) => file.endsWith('.journal')),
    [],
    'all was stored, so no journal is left',
  );

  await assert.rejects(nodeRed.deploy(flows), /does not know all types/);
  const kept = await keptFlows(nodeRed);
  assert.deepEqual(idsAndTypes(kept), idsAndTypes(flows), 'flows with types that are unknown now');
}

const idsAndTypes = (flows: readonly FlowNode[]): string[] =>
  flows.map(({ id, type }) => `${id} ${type}`).sort();
