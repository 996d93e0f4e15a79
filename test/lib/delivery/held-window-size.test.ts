import assert from 'node:assert/strict';

import { QUIET, WindowSize } from '../../../lib/delivery/held-window-size';

/** A broker with a window and messages queued for it, and a batch that holds what it sends. */
class Simulation {
  now = 1000;
  held = 0;
  queued = 0;
  readonly size: WindowSize;

  constructor(
    readonly window: number,
    limit: number,
  ) {
    this.size = new WindowSize(limit);
  }

  /** As many as the window lets through, a tenth of a millisecond apart. */
  send(): void {
    while (this.queued > 0 && this.held < this.window) {
      this.queued--;
      this.arrive(0.1);
    }
  }

  arrive(after: number): void {
    this.now += after;
    this.held++;
    this.size.arrived(this.held, this.now);
  }

  acknowledge(): void {
    this.held = 0;
    this.size.acknowledged(this.now);
    this.now += 2;
    this.send();
  }

  isFullAfter(ms: number): boolean {
    this.now += ms;
    return this.size.isFull(this.held, this.now);
  }
}

describe('the size of the window', () => {
  it('is full when as many are held as the node takes, and nothing comes', () => {
    const broker = new Simulation(20, 20);
    broker.queued = 100;
    broker.send();
    assert.equal(broker.isFullAfter(QUIET / 2), false);
    assert.equal(broker.isFullAfter(QUIET / 2), true);
    assert.equal(broker.isFullAfter(5000), true);
  });

  it('is not full when nothing is held, or fewer than the most ever', () => {
    const broker = new Simulation(20, 20);
    assert.equal(broker.isFullAfter(1000), false);
    broker.queued = 8;
    broker.send();
    assert.equal(broker.isFullAfter(1000), false);
  });

  it('learns from arrivals that stop at the same number twice, however small', () => {
    for (const window of [1, 3, 9]) {
      const broker = new Simulation(window, 1000);
      broker.queued = 100;
      broker.send();
      assert.equal(broker.isFullAfter(QUIET), false, 'it may be all there is');
      assert.equal(broker.size.learned, undefined);
      // The batch's age limit.
      broker.now += 300_000;
      broker.acknowledge();
      assert.equal(broker.isFullAfter(QUIET), true, `window ${window}`);
      assert.equal(broker.size.learned, window);
    }
  });

  it('guesses once when many come at once and then none', () => {
    const broker = new Simulation(20, 1000);
    broker.queued = 100;
    broker.send();
    assert.equal(broker.isFullAfter(QUIET), true);
    assert.equal(broker.isFullAfter(QUIET), false, 'once');
    broker.acknowledge();
    assert.equal(broker.isFullAfter(QUIET), true);
    assert.equal(broker.size.learned, 20);
  });

  it('corrects itself with the first message beyond', () => {
    const broker = new Simulation(30, 1000);
    broker.queued = 20;
    broker.send();
    broker.acknowledge();
    broker.queued = 20;
    broker.acknowledge();
    assert.equal(broker.isFullAfter(QUIET), true, 'twice the same number');
    broker.queued = 1000;
    broker.send();
    assert.equal(broker.size.learned, undefined);
    broker.now += 300_000;
    broker.acknowledge();
    assert.equal(broker.isFullAfter(QUIET), true);
    assert.equal(broker.size.learned, 30);
  });

  it('does not take a trickle for a full window', () => {
    const broker = new Simulation(1000, 1000);
    for (let n = 0; n < 500; n++) {
      broker.arrive(200);
      assert.equal(broker.isFullAfter(QUIET), false);
      if (n % 50 !== 49) continue;
      broker.held = 0;
      broker.size.acknowledged(broker.now);
    }
  });
});
