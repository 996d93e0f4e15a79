import assert from 'node:assert/strict';

import { workATurn } from '../../lib/turn';
import { work } from '../support/busy';

describe('a turn of the event loop', () => {
  it('ends with the work', () => {
    let steps = 0;
    assert.equal(
      workATurn(() => ++steps < 20),
      false,
    );
    assert.equal(steps, 20);
  });

  it('ends when the work has taken long enough, and says that there is more', () => {
    let steps = 0;
    const step = (): boolean => {
      work(1);
      return ++steps < 100;
    };
    assert.equal(workATurn(step), true);
    assert.ok(steps >= 4 && steps <= 16, `${steps} steps of a millisecond`);
    let turns = 1;
    while (workATurn(step)) turns++;
    assert.equal(steps, 100);
    assert.ok(turns >= 6);
  });

  it('is not held up by steps that take no time', () => {
    let steps = 0;
    let turns = 1;
    while (workATurn(() => ++steps < 10_000)) turns++;
    assert.equal(steps, 10_000);
    assert.ok(turns < 100, `${turns} turns`);
  });
});
