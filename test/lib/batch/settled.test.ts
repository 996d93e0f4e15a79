import assert from 'node:assert/strict';

import { work } from '../../support/busy';
import { nextTurn } from '../../support/fake-clock';
import { TestWriter, until } from './support';

describe('settled callbacks', () => {
  it('are called once each, after the object is stored, without an error', async () => {
    const test = new TestWriter();
    const calls: [number, Error | undefined, number][] = [];
    for (let n = 0; n < 500; n++) {
      test.append(`plant-${n % 3}/a`, String(n), (error) => calls.push([n, error, test.stored.length]));
    }
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    test.store.gate = () => gate;
    const flushed = test.writer.flush();
    await until('uploads', () => test.store.active === 3);
    assert.equal(calls.length, 0);
    open();
    await flushed;
    await until('all calls', () => calls.length >= 500);
    await nextTurn();
    assert.deepEqual(
      calls.map(([n]) => n).sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, n) => n),
    );
    assert.ok(calls.every(([, error, stored]) => error === undefined && stored > 0));
  });

  it('are called in turns: other work of the event loop comes in between', async () => {
    const test = new TestWriter();
    let turn = 0;
    const turns: number[] = [];
    for (let n = 0; n < 100; n++) {
      test.append('plant/a', String(n), () => {
        turns.push(turn);
        work(1);
      });
    }
    let isRunning = true;
    const tick = (): void => {
      turn++;
      if (isRunning) setImmediate(tick);
    };
    setImmediate(tick);
    await test.writer.flush();
    await until('all calls', () => turns.length === 100);
    isRunning = false;
    const calls = new Map<number, number>();
    for (const one of turns) calls.set(one, (calls.get(one) ?? 0) + 1);
    const most = Math.max(...calls.values());
    assert.ok(most <= 20, `${most} calls of a millisecond each in one turn`);
  });

  it('are called with CLOSED when the batch is given up', async () => {
    const test = new TestWriter();
    test.store.fault = () => 'STORE_UNREACHABLE';
    const errors: (Error | undefined)[] = [];
    for (let n = 0; n < 300; n++) test.append('plant/a', String(n), (error) => errors.push(error));
    const closed = test.writer.close(100);
    await test.clock.pass(100);
    assert.equal((await closed).length, 1);
    await until('all calls', () => errors.length === 300);
    for (const error of errors) {
      assert.ok(error && 'code' in error);
      assert.equal(error.code, 'CLOSED');
    }
  });

  it('are not called for records that were refused', async () => {
    const test = new TestWriter({ memory: 10_000 });
    let calls = 0;
    assert.throws(() => test.append('plant/a', 'x'.repeat(20_000), () => calls++));
    await test.writer.flush();
    await nextTurn();
    assert.equal(calls, 0);
  });

  it('belong to their record: those of an object that waits are not called with those of another', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    test.store.fault = ({ bucket }) => (bucket === 'gone' ? 'BUCKET_MISSING' : undefined);
    const called: string[] = [];
    for (const bucket of ['gone', 'there']) test.append(`${bucket}/a`, '1', () => called.push(bucket));
    await test.untilStored(1);
    await until('the failure', () => test.failures.length === 1);
    assert.deepEqual(called, ['there']);
    test.store.fault = () => undefined;
    await test.clock.pass(1000);
    await test.untilStored(2);
    assert.deepEqual(called, ['there', 'gone']);
  });
});
