import { readFileSync } from 'node:fs';
import path from 'node:path';
import { installed } from './install';

const NODE_RED_5 = '5.0.7';

export interface Versions {
  nodeBinary: string;
  nodeRedFolder: string;
}

/** One Node-RED on one Node.js. */
export interface Combination {
  name: string;
  /** Installs what is not there yet; once, however often it is called. */
  versions: () => Promise<Versions>;
}

/** All combinations that the package promises; what they need is installed into `cache`. */
export function combinations(cache: string): Combination[] {
  const ownNodeRed = require.resolve('node-red/package.json');
  const { version } = JSON.parse(readFileSync(ownNodeRed, 'utf8')) as { version: string };

  const node22 = once(() => node(cache, 22));
  const node24 = once(() => node(cache, 24));
  const nodeRed5 = once(async () => {
    const folder = path.join(cache, `node-red-${NODE_RED_5}`);
    return path.join(await installed(folder, [`node-red@${NODE_RED_5}`], await node22()), 'node-red');
  });
  const nodeRed5On = (binary: () => Promise<string>) =>
    once(async () => {
      const [nodeBinary, nodeRedFolder] = await Promise.all([binary(), nodeRed5()]);
      return { nodeBinary, nodeRedFolder };
    });
  const own = { nodeBinary: process.execPath, nodeRedFolder: path.dirname(ownNodeRed) };
  return [
    {
      name: `Node-RED ${version} on Node.js ${process.versions.node}`,
      versions: () => Promise.resolve(own),
    },
    { name: `Node-RED ${NODE_RED_5} on Node.js 22`, versions: nodeRed5On(node22) },
    { name: `Node-RED ${NODE_RED_5} on Node.js 24`, versions: nodeRed5On(node24) },
  ];
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** The binary of the newest Node.js of this major version, as the registry's package `node` brings it. */
async function node(cache: string, major: number): Promise<string> {
  const modules = await installed(path.join(cache, `node-${major}`), [`node@${major}`], process.execPath);
  return path.join(modules, '.bin', 'node');
}
