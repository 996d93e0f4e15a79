import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './free-port';

export interface NodeRedOptions {
  /** The `node` to run it with; the running one when absent. */
  nodeBinary?: string;
  /** Folder of the `node-red` package; the repository's own when absent. */
  nodeRedFolder?: string;
  /** Folder for settings, flows and installed packages; a fresh temporary one when absent. */
  userDir?: string;
  /** Port on 127.0.0.1; a free one when absent. */
  port?: number;
  /** Folder of a package whose nodes are loaded from where they are, without an installation. */
  packageFolder?: string;
  /** Entries of settings.js beside or instead of the usual ones, such as `contextStorage`; plain JSON. */
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
  /** How long the start may take, in ms. */
  startTimeout?: number;
}

/**
 * A node of a flow as in flows.json. `credentials` may stand in it, as the editor sends them. Node-RED takes a node
 * without `x` and `y` for a config node.
 */
export interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

/** What Node-RED tells about one file of nodes. */
export interface NodeSet {
  id: string;
  module: string;
  version: string;
  types: string[];
  enabled: boolean;
  err?: string;
}

export type DeploymentType = 'full' | 'flows' | 'nodes' | 'reload';

/** Where the log is read from, and how long it is waited for, in ms. */
export interface LogWait {
  from?: number;
  timeout?: number;
}

const SECRET = 'a secret for tests';
/** The log in English or, where a test wants the runtime in another language, in German. */
const STARTED =
  /\[info\] (?:Started (?:modified )?(?:flows|nodes)|(?:Geänderte )?(?:Flows|Nodes) sind gestartet|Waiting for missing types.*)/;
const RUNNING = /Server (?:now running at|wird jetzt auf)/;

/** No Node-RED may outlive the process that started it, however that ends. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A real Node-RED in a process of its own. Every wait fails with the last lines of its log. */
export class NodeRedProcess {
  readonly url: string;
  readonly port: number;
  readonly userDir: string;
  /** Settles when the process has ended, with how it ended. */
  readonly exited: Promise<string>;
  /** What requests to the admin API come with, where users have to log in. */
  token: string | undefined;
  #child: ChildProcess;
  #log = '';
  #ended: string | undefined;
  #listeners = new Set<() => void>();

  constructor(child: ChildProcess, port: number, userDir: string) {
    this.#child = child;
    this.port = port;
    this.userDir = userDir;
    this.url = `http://127.0.0.1:${port}`;
    living.add(child);
    const take = (chunk: Buffer): void => {
      this.#log += chunk.toString();
      this.#changed();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    this.exited = new Promise((resolve) => {
      const end = (how: string): void => {
        living.delete(child);
        this.#ended = how;
        this.#changed();
        resolve(how);
      };
      child.once('error', (error) => end(error.message));
      child.once('close', (code, signal) => end(signal ?? `exit code ${String(code)}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** Everything it has written to stdout and stderr. */
  get log(): string {
    return this.#log;
  }

  /** The first match of the pattern in the log after `from` characters, once there is one. */
  async waitForLog(pattern: RegExp, { from = 0, timeout = 60_000 }: LogWait = {}): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.#log.slice(from));
        if (match !== null) finish(() => resolve(match));
        else if (this.#ended !== undefined) {
          const how = this.#ended;
          finish(() => reject(this.#failure(`ended (${how}) before it logged ${String(pattern)}`)));
        }
      };
      const timer = setTimeout(() => {
        finish(() => reject(this.#failure(`logged no ${String(pattern)} within ${timeout} ms`)));
      }, timeout);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        settle();
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Deploys the flows and waits until they have started; fails when a type is missing. */
  async deploy(
    flows: FlowNode[],
    { type = 'full', timeout = 60_000 }: { type?: DeploymentType; timeout?: number } = {},
  ): Promise<void> {
    const from = this.#log.length;
    await this.#request('POST', '/flows', JSON.stringify({ flows }), {
      'Content-Type': 'application/json',
      'Node-RED-API-Version': 'v2',
      'Node-RED-Deployment-Type': type,
    });
    const [line] = await this.waitForLog(STARTED, { from, timeout });
    if (line.includes('missing')) throw this.#failure('does not know all types of these flows');
  }

  /** Presses the button of an inject node. */
  async inject(nodeId: string): Promise<void> {
    await this.#request('POST', `/inject/${nodeId}`, '{}', { 'Content-Type': 'application/json' });
  }

  /** Installs the output of `npm pack` as the palette's upload button does; its dependencies come from the registry. */
  async installTarball(file: string): Promise<void> {
    const form = new FormData();
    form.append(
      'tarball',
      new Blob([await readFile(file)], { type: 'application/gzip' }),
      path.basename(file),
    );
    await this.#request('POST', '/nodes', form);
  }

  /** Installs a package from the registry as the palette does. */
  async install(module: string, version: string): Promise<void> {
    await this.#request('POST', '/nodes', JSON.stringify({ module, version }), {
      'Content-Type': 'application/json',
    });
  }

  /** Removes an installed package as the palette does; fails when flows use it. */
  async uninstall(module: string): Promise<void> {
    await this.#request('DELETE', `/nodes/${module}`);
  }

  /** What the admin API answers. */
  async get(where: string): Promise<unknown> {
    return (await this.#request('GET', where, undefined, { Accept: 'application/json' })).json();
  }

  /** All sets of nodes that it has loaded, or could not load (`err`). */
  async nodeSets(): Promise<NodeSet[]> {
    return (await this.get('/nodes')) as NodeSet[];
  }

  /** All plugins that it has loaded, or could not load (`err`). */
  async pluginSets(): Promise<Omit<NodeSet, 'types'>[]> {
    const response = await this.#request('GET', '/plugins', undefined, { Accept: 'application/json' });
    return (await response.json()) as NodeSet[];
  }

  /** Ends it as a service manager does; fails when it needs more than `timeout` ms. */
  async stop(timeout = 30_000): Promise<void> {
    if (!this.running) return;
    this.#child.kill('SIGTERM');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), timeout)));
    const outcome = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    if (outcome !== 'late') return;
    await this.kill();
    throw this.#failure(`did not stop within ${timeout} ms`);
  }

  /** Ends it without a warning. */
  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Ends it if it runs and removes its folder. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.userDir, { recursive: true, force: true });
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #failure(what: string): Error {
    const last = this.#log.trimEnd().split('\n').slice(-30).join('\n');
    return new Error(`Node-RED (pid ${this.pid}) ${what}. Its last lines:\n${last}`);
  }

  async #request(
    method: string,
    where: string,
    body?: string | FormData,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const authorization = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    const request = {
      method,
      headers: { ...headers, ...authorization },
      ...(body === undefined ? {} : { body }),
    };
    const response = await fetch(this.url + where, request).catch((error: unknown) => {
      throw this.#failure(`does not answer ${method} ${where}: ${String(error)}`);
    });
    if (!response.ok) {
      throw this.#failure(`answers ${response.status} to ${method} ${where}: ${await response.text()}`);
    }
    return response;
  }
}

/** Starts a Node-RED and waits until its flows have started and its admin API answers. */
export async function startNodeRed(options: NodeRedOptions = {}): Promise<NodeRedProcess> {
  const nodeBinary = options.nodeBinary ?? process.execPath;
  const nodeRedFolder = options.nodeRedFolder ?? path.dirname(require.resolve('node-red/package.json'));
  const userDir = options.userDir ?? (await mkdtemp(path.join(tmpdir(), 's3-batch-node-red-')));
  const port = options.port ?? (await freePort());
  const settingsFile = path.join(userDir, 'settings.js');
  await writeFile(settingsFile, `module.exports = ${JSON.stringify(settingsFor(port, options), null, 2)};\n`);

  const child = spawn(
    nodeBinary,
    [path.join(nodeRedFolder, 'red.js'), '--userDir', userDir, '--settings', settingsFile],
    { cwd: userDir, env: environmentFor(nodeBinary, options.env), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const nodeRed = new NodeRedProcess(child, port, userDir);
  try {
    const timeout = options.startTimeout ?? 120_000;
    await Promise.all([nodeRed.waitForLog(STARTED, { timeout }), nodeRed.waitForLog(RUNNING, { timeout })]);
  } catch (error) {
    await nodeRed.kill();
    if (options.userDir === undefined) await nodeRed.remove();
    throw error;
  }
  return nodeRed;
}

function settingsFor(port: number, options: NodeRedOptions): Record<string, unknown> {
  return {
    uiHost: '127.0.0.1',
    uiPort: port,
    flowFile: 'flows.json',
    credentialSecret: SECRET,
    lang: 'en-US',
    telemetry: { enabled: false, updateNotification: false },
    // Without catalogues the palette manager has nothing to fetch from outside.
    editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } },
    logging: { console: { level: 'info', metrics: false, audit: false } },
    ...(options.packageFolder === undefined ? {} : { nodesDir: [options.packageFolder] }),
    ...options.settings,
  };
}

/**
 * The environment without what `npm run` adds: an npm that Node-RED starts would take this repository for its own
 * package. The folder of another node goes first in PATH, so that whatever is started inside uses it as well.
 */
export function environmentFor(nodeBinary: string, extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const ours =
    /^(npm_(lifecycle|package)_|npm_(command|execpath|node_execpath|config_local_prefix)$|INIT_CWD$)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const env: NodeJS.ProcessEnv = { ...Object.fromEntries(kept), ...extra };
  if (nodeBinary !== process.execPath && existsSync(nodeBinary)) {
    env.PATH = `${path.dirname(nodeBinary)}${path.delimiter}${env.PATH ?? ''}`;
  }
  return env;
}
