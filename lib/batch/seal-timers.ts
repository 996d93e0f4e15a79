import type { Clock, Timer } from '../clock';
import type { OpenBatch } from './open-batch';

/**
 * Seals batches by age and by idle time with a timer each, so that a topic that has gone quiet is sealed too. A
 * message does not touch the timer; when it fires early because messages came, it is set again.
 */
export class SealTimers {
  readonly #timers = new Map<OpenBatch, Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly seal: (batch: OpenBatch, trigger: 'age' | 'idle') => void,
  ) {}

  /** @param limits in ms; 0: never */
  arm(batch: OpenBatch, limits: { age: number; idle: number }): void {
    this.disarm(batch);
    const aged = limits.age > 0 ? batch.openedAt + limits.age : Infinity;
    const idle = limits.idle > 0 ? batch.appendedAt + limits.idle : Infinity;
    const due = Math.min(aged, idle);
    if (due === Infinity) return;
    const wait = due - this.clock.elapsed();
    this.#timers.set(
      batch,
      this.clock.setTimer(() => {
        this.#fire(batch, limits);
      }, wait),
    );
  }

  disarm(batch: OpenBatch): void {
    const timer = this.#timers.get(batch);
    if (timer) this.clock.clearTimer(timer);
    this.#timers.delete(batch);
  }

  #fire(batch: OpenBatch, limits: { age: number; idle: number }): void {
    const now = this.clock.elapsed();
    if (limits.age > 0 && now - batch.openedAt >= limits.age) this.seal(batch, 'age');
    else if (limits.idle > 0 && now - batch.appendedAt >= limits.idle) this.seal(batch, 'idle');
    else this.arm(batch, limits);
  }
}
