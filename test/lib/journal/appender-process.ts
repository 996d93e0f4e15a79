import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const running = new Set<AppenderProcess>();

/** A process of its own that runs appender.ts. */
export class AppenderProcess {
  /** What it printed. */
  text = '';
  errors = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(folder: string, ms: number) {
    const child = spawn(process.execPath, [join(__dirname, 'appender.js'), folder, String(ms)]);
    this.#child = child;
    child.stdout.on('data', (data: Buffer) => (this.text += data.toString()));
    child.stderr.on('data', (data: Buffer) => (this.errors += data.toString()));
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    running.delete(this);
  }

  /** Those that a failed test left. */
  static async killAll(): Promise<void> {
    for (const appender of running) await appender.kill();
  }
}
