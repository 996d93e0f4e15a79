/** Runs tasks of the same name one after another, and those of different names side by side. */
export class Locks {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const run = before === undefined ? task() : before.then(task, task);
    this.#last.set(name, run);
    try {
      return await run;
    } finally {
      if (this.#last.get(name) === run) this.#last.delete(name);
    }
  }
}
