/** Does one after the other what belongs together, and at the same time what does not. */
export class InSequence {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does the work when all earlier work of this key has ended, well or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const own = before ? before.then(work, work) : work();
    this.#last.set(key, own);
    const end = (): void => {
      if (this.#last.get(key) === own) this.#last.delete(key);
    };
    own.then(end, end);
    return own;
  }
}
