import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { environmentFor, type FlowNode, NodeRedProcess } from '../../support/node-red-process';
import { waits } from './books';

const REPOSITORY = path.resolve(__dirname, '../../../..');
const RED_JS = path.join(path.dirname(require.resolve('node-red/package.json')), 'red.js');
/** With these of Node-RED's own nodes only, and without editor and HTTP, a start takes a second instead of three. */
const CORE_NODES = ['10-mqtt.js', '24-complete.js'];
const START = 60_000; // ms
/** A ledger comes a second after there is something to tell; twice that, ms. */
const LEDGER_MS = 2000;

/** The nodes of a flow, without their credentials, and these by the node's id. */
export interface Flow {
  nodes: FlowNode[];
  credentials: Record<string, Record<string, string>>;
}

/** A Node-RED with one flow that is killed and started again, on the same folder. */
export class Instance {
  readonly #folder: string;
  readonly #environment: Record<string, string>;
  #process: NodeRedProcess | undefined;
  /** By `performance.now()`: when what ran was connected to the broker and killed, of each that was killed. */
  readonly #lives: { connected: number; killed: number }[] = [];
  #connected = Infinity;
  #earlierLogs = '';
  #startedAt = Infinity;
  /** What its node told last of its books, since it was started. */
  ledger: Record<string, number> = {};

  private constructor(folder: string, environment: Record<string, string>) {
    this.#folder = folder;
    this.#environment = environment;
  }

  /**
   * @param folder for settings, flow and whatever the nodes keep; made if it is not there
   * @param environment variables beside those of this process
   */
  static async create(
    folder: string,
    { nodes, credentials }: Flow,
    environment: Record<string, string> = {},
  ): Promise<Instance> {
    await mkdir(folder, { recursive: true });
    const write = (name: string, text: string): Promise<void> => writeFile(path.join(folder, name), text);
    await write('settings.js', `module.exports = ${JSON.stringify(settings(), null, 2)};\n`);
    await write('flows.json', JSON.stringify(nodes));
    await write('flows_cred.json', JSON.stringify(credentials));
    return new Instance(folder, environment);
  }

  /** What runs, or ran last. */
  get process(): NodeRedProcess {
    if (!this.#process) throw new Error('Node-RED was not started');
    return this.#process;
  }

  /** Begins a start. */
  spawn(): void {
    const child = spawn(
      process.execPath,
      [RED_JS, '--userDir', this.#folder, '--settings', path.join(this.#folder, 'settings.js')],
      {
        cwd: this.#folder,
        env: environmentFor(process.execPath, this.#environment),
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#process = new NodeRedProcess(child, 0, this.#folder);
    this.#connected = Infinity;
    this.#startedAt = Infinity;
    this.ledger = {};
    this.#process.waitForLog(/Connected to broker/, { timeout: START }).then(
      () => (this.#connected = performance.now()),
      // It was killed before.
      () => undefined,
    );
  }

  /** Resolves when the journal may be at work, but before the flow is known to run. */
  async starting(): Promise<void> {
    await this.process.waitForLog(/\[info\] Starting flows/, { timeout: START });
  }

  /** Begins a start and waits until the flow runs. */
  async start(): Promise<void> {
    this.spawn();
    await this.started();
  }

  async started(): Promise<void> {
    await this.process.waitForLog(/\[info\] Started flows/, { timeout: START });
    this.#startedAt = performance.now();
  }

  /**
   * Ends it without a warning.
   * @throws when it had ended by itself
   */
  async kill(): Promise<void> {
    this.assertRuns();
    this.#lives.push({ connected: this.#connected, killed: performance.now() });
    await this.process.kill();
    this.#earlierLogs += this.process.log;
  }

  /**
   * Ends it as a service manager does.
   * @throws when it had ended by itself, or does not end in time
   */
  async stop(): Promise<void> {
    this.assertRuns();
    await this.process.stop();
    this.#earlierLogs += this.process.log;
  }

  /** Lets it stand still, with its connections open; the answer lets it go on. */
  freeze(): () => void {
    const { pid } = this.process;
    process.kill(pid, 'SIGSTOP');
    return () => {
      process.kill(pid, 'SIGCONT');
    };
  }

  /** Everything that it has written, before it was killed too. */
  get log(): string {
    return this.#earlierLogs + (this.process.running ? this.process.log : '');
  }

  /** Whether its node holds nothing, by its ledger. */
  get isIdle(): boolean {
    if (this.ledger.received !== undefined) return waits(this.ledger) === 0;
    return performance.now() - this.#startedAt > LEDGER_MS;
  }

  /** How long before a kill a message can have come at most that was published then, ms; the least, of several kills. */
  ageAtKill(published: number): number {
    const ages = this.#lives
      .filter(({ killed }) => killed > published)
      .map(({ connected, killed }) => killed - Math.max(connected, published))
      .filter((age) => age >= 0);
    return Math.min(...ages);
  }

  /** @throws with the last lines of its log when it has ended by itself */
  assertRuns(): void {
    if (this.process.running) return;
    throw new Error(`Node-RED ended by itself; its last lines:\n${this.process.log.slice(-4000)}`);
  }

  /** Ends it if it runs. */
  async end(): Promise<void> {
    await this.#process?.kill();
  }
}

function settings(): Record<string, unknown> {
  return {
    flowFile: 'flows.json',
    credentialSecret: false,
    lang: 'en-US',
    telemetry: { enabled: false, updateNotification: false },
    httpAdminRoot: false,
    httpNodeRoot: false,
    nodesDir: [REPOSITORY],
    // Of packages Node-RED compares the name of their folder.
    nodesIncludes: [...CORE_NODES, path.basename(REPOSITORY)],
    mqttReconnectTime: 200,
    logging: { console: { level: 'info', metrics: false, audit: false } },
  };
}
