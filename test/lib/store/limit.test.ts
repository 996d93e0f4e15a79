import assert from 'node:assert/strict';
import { limitFor, withinLimit } from '../../../lib/store/limit';

describe('limits of a call', () => {
  const place = 'the object';
  const never = (): Promise<never> => new Promise(() => undefined);

  it('grow with the bytes, at 128 KiB a second', () => {
    assert.equal(limitFor(30_000, 0), 30_000);
    assert.equal(limitFor(30_000, 128 * 1024), 31_000);
    assert.equal(limitFor(30_000, 32 * 1024 * 1024), 30_000 + 256_000);
    assert.equal(limitFor(30_000, Number.MAX_SAFE_INTEGER), 2 ** 31 - 1);
  });

  it('leave alone what ends in time', async () => {
    assert.equal(await withinLimit({ ms: 1000, signals: [undefined], place }, () => Promise.resolve(7)), 7);
    const failure = new Error('its own');
    const failing = withinLimit({ ms: 1000, signals: [], place }, () => Promise.reject(failure));
    await assert.rejects(failing, (error) => error === failure);
  });

  it('end what does not, and tell it so', async () => {
    let told: AbortSignal | undefined;
    const call = withinLimit({ ms: 30, signals: [], place }, (signal) => {
      told = signal;
      return never();
    });
    await assert.rejects(call, { code: 'STORE_TIMEOUT', message: /30 ms: the object/ });
    assert.equal(told?.aborted, true);
  });

  it('end when any signal aborts, with its reason as the cause', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const call = withinLimit(
      { ms: 1000, signals: [undefined, new AbortController().signal, controller.signal], place },
      never,
    );
    controller.abort(reason);
    await assert.rejects(call, { code: 'ABORTED', cause: reason });
  });

  it('do not begin for a caller who has given up', async () => {
    let begun = false;
    const call = withinLimit({ ms: 1000, signals: [AbortSignal.abort()], place }, () => {
      begun = true;
      return never();
    });
    await assert.rejects(call, { code: 'ABORTED' });
    assert.equal(begun, false);
  });

  it('hold for many calls on one signal without a warning of leaks', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const { signal } = new AbortController();
    const calls = Array.from({ length: 50 }, () => withinLimit({ ms: 20, signals: [signal], place }, never));
    for (const { status } of await Promise.allSettled(calls)) assert.equal(status, 'rejected');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });
});
