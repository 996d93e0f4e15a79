import type { NodeAPI } from 'node-red';

interface FlowsStopping {
  diff?: object | null;
}

/** Is told when nodes begin to stop, and when all of them are there (again). */
interface FlowsWatcher {
  stopping(): void;
  started(): void;
}

interface RuntimeEvent {
  id: string;
  payload?: { error?: string } | null;
}

/** Why Node-RED does not start what a deploy has stopped; what it has not stopped goes on. */
const NOT_STARTED: ReadonlySet<string | undefined> = new Set(['missing-types', 'missing-modules']);

/** Calls back when a start ends without `flows:started`. */
export function whenNotStarted(RED: NodeAPI, callback: () => void): void {
  RED.events.on('runtime-event', ({ id, payload }: RuntimeEvent) => {
    if (id === 'runtime-state' && NOT_STARTED.has(payload?.error)) callback();
  });
}

/** Tells deploys from stops of the process, and when all nodes are there. */
export class DeployWatch {
  #starting: (() => void)[] = [];
  #deploying = false;
  readonly #watchers = new Set<FlowsWatcher>();

  constructor(RED: NodeAPI) {
    // A deploy tells what it changes, with more in it than the empty diff of a stop of the process.
    RED.events.on('flows:stopping', ({ diff }: FlowsStopping) => {
      this.#deploying = diff !== undefined && diff !== null && 'globalConfigChanged' in diff;
      for (const watcher of this.#watchers) watcher.stopping();
    });
    RED.events.on('flows:started', () => {
      for (const started of this.#starting.splice(0)) started();
      this.#tellStarted();
    });
    whenNotStarted(RED, () => {
      this.#tellStarted();
    });
  }

  /** True while flows stop for a deploy. */
  get deploying(): boolean {
    return this.#deploying;
  }

  /** @returns what ends it */
  watch(watcher: FlowsWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #tellStarted(): void {
    for (const watcher of this.#watchers) watcher.started();
  }

  /** Calls back once all nodes of the flows are there: what a node sends before that may find nobody. */
  whenStarted(callback: () => void): void {
    this.#starting.push(callback);
  }
}
