import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { freePort } from './free-port';

/** No broker may outlive the process that started it. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A Mosquitto of a test's own, which it may kill. What it must keep is written to disk when it ends by SIGTERM. */
export class Mosquitto {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly configuration: string,
  ) {}

  /** @param lines of mosquitto.conf beside the usual ones */
  static async start(lines: readonly string[] = []): Promise<Mosquitto> {
    const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-mosquitto-'));
    const port = await freePort();
    const configuration = path.join(folder, 'mosquitto.conf');
    const all = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0',
      // Started by root it would become another user, who cannot write here.
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...lines,
    ];
    await writeFile(configuration, `${all.join('\n')}\n`);
    const broker = new Mosquitto(folder, port, configuration);
    await broker.run();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Starts it, again after it was ended, and waits until it takes connections. */
  async run(): Promise<void> {
    const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
    const child = spawn('mosquitto', ['-c', this.configuration], { env, stdio: 'ignore' });
    living.add(child);
    child.once('close', () => living.delete(child));
    this.#child = child;
    for (let tries = 0; !(await answers(this.port)); tries++) {
      if (tries > 300 || child.exitCode !== null) throw new Error('Mosquitto does not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends it: as a service manager does, or as a crash does. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
