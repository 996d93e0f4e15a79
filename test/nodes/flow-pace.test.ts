import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { NodeAPI, NodeMessage } from 'node-red';

import { FlowPace, type PaceOptions } from '../../nodes/common/flow-pace';
import { InSequence } from '../../nodes/common/in-sequence';
import { FakeClock } from '../support/fake-clock';

type Hook = (event: object) => void;

/** Node-RED's hooks, called by hand. */
class Hooks {
  readonly added = new Map<string, Hook>();

  add(name: string, hook: Hook): void {
    this.added.set(name, hook);
  }

  remove(name: string): void {
    const label = name.slice(1);
    for (const one of this.added.keys()) if (one.endsWith(label)) this.added.delete(one);
  }

  receive(msg: NodeMessage, id = 'next', type = 'function'): void {
    this.#call('onReceive', { msg, destination: { id, node: { id, type } } });
  }

  complete(msg: NodeMessage, id = 'next'): void {
    this.#call('onComplete', { msg, node: { id } });
  }

  #call(event: string, payload: object): void {
    for (const [name, hook] of this.added) if (name.startsWith(`${event}.`)) hook(payload);
  }
}

describe('the pace of a flow', () => {
  let hooks: Hooks;
  let clock: FakeClock;
  let closing: AbortController;
  let pace: FlowPace;
  beforeEach(() => {
    hooks = new Hooks();
    clock = new FakeClock();
    closing = new AbortController();
  });
  afterEach(() => {
    pace.stop();
    assert.equal(hooks.added.size, 0);
  });

  function start(options: Partial<PaceOptions> = {}): void {
    const own = { node: 'own', message: 'm', sequence: 's', most: 4, signal: closing.signal, clock };
    pace = new FlowPace(hooks as unknown as NodeAPI['hooks'], { ...own, ...options });
  }

  const message = (more: object = {}): NodeMessage => ({ _msgid: 'm', parts: { id: 's' }, ...more });

  /** Sends what may be sent at once; answers what the flow received. */
  function sendTurn(): { sent: NodeMessage[]; pause: Promise<void> } {
    const sent: NodeMessage[] = [];
    for (;;) {
      const one = message();
      hooks.receive(one);
      sent.push(one);
      const pause = pace.sent();
      if (pause) return { sent, pause };
    }
  }

  async function isPending(promise: Promise<void>): Promise<boolean> {
    let pending = true;
    promise.then(
      () => (pending = false),
      () => (pending = false),
    );
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    return pending;
  }

  it('waits while so many messages are at work, until half of them are done', async () => {
    start();
    const { sent, pause } = sendTurn();
    assert.equal(sent.length, 4);
    assert.ok(await isPending(pause));
    assert.ok(pace.isWaiting);
    const [first, second] = sent;
    assert.ok(first && second);
    hooks.complete(first);
    assert.ok(await isPending(pause));
    hooks.complete(second);
    await pause;
    assert.ok(!pace.isWaiting);
    assert.equal(pace.atWork, 2);
    assert.equal(sendTurn().sent.length, 2);
  });

  it('counts a message in each node that has it', async () => {
    start();
    const { sent, pause } = sendTurn();
    for (const one of sent) {
      hooks.receive(one, 'second');
      hooks.complete(one);
    }
    assert.equal(pace.atWork, 4);
    assert.ok(await isPending(pause));
    for (const one of sent) hooks.complete(one, 'second');
    await pause;
    assert.equal(pace.atWork, 0);
  });

  it('counts what nodes make anew with the same id, and no other message', () => {
    start();
    hooks.receive(message({ parts: undefined }));
    assert.equal(pace.atWork, 1);
    hooks.receive(message({ _msgid: 'other' }));
    assert.equal(pace.atWork, 2);
    hooks.receive(message({ parts: { id: 'of another node' } }));
    hooks.receive({ _msgid: 'other' });
    hooks.receive(message(), 'own');
    for (const type of ['join', 'batch', 'sort', 's3-batch-out', 'batch-backup'])
      hooks.receive(message(), type, type);
    assert.equal(pace.atWork, 2);
    hooks.complete(message());
    assert.equal(pace.atWork, 2);
  });

  it('lets twice as many go when nothing is finished for ten seconds', async () => {
    start();
    const { pause } = sendTurn();
    assert.ok(await isPending(pause));
    await clock.pass(9_999);
    assert.ok(await isPending(pause));
    await clock.pass(1);
    await pause;
    const more = sendTurn();
    assert.equal(more.sent.length, 4);
    assert.equal(pace.atWork, 8);
    assert.ok(await isPending(more.pause));
    closing.abort();
    await assert.rejects(more.pause, { code: 'ABORTED' });
  });

  it('goes on waiting for a slow flow that finishes a message now and then', async () => {
    start();
    const { sent, pause } = sendTurn();
    assert.ok(await isPending(pause));
    const [first] = sent;
    assert.ok(first);
    await clock.pass(9_000);
    hooks.complete(first);
    assert.ok(await isPending(pause));
    await clock.pass(1_000);
    await pause;
    const more = sendTurn();
    assert.equal(more.sent.length, 1);
    assert.equal(pace.atWork, 4);
    assert.ok(await isPending(more.pause));
    closing.abort();
    await assert.rejects(more.pause, { code: 'ABORTED' });
  });

  it('takes what else is finished of the same question as a sign that the flow works', async () => {
    start();
    const { pause } = sendTurn();
    assert.ok(await isPending(pause));
    await clock.pass(9_000);
    hooks.complete(message({ parts: { id: 'of another node' } }));
    await clock.pass(1_000);
    assert.ok(await isPending(pause));
    closing.abort();
    await assert.rejects(pause, { code: 'ABORTED' });
  });

  it('gives the flow fewer messages a turn when it takes long, and more when it does not', async () => {
    start({ most: 0 });
    const sizes: number[] = [];
    const turn = async (ms: number): Promise<void> => {
      const { sent, pause } = sendTurn();
      sizes.push(sent.length);
      await clock.pass(ms);
      await pause;
    };
    for (const ms of [100, 100, 100, 100, 100, 100]) await turn(ms);
    for (const ms of [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]) await turn(ms);
    assert.deepEqual(sizes, [16, 8, 4, 2, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
  });

  it('needs no hooks where the flow is not waited for', () => {
    start({ most: 0 });
    assert.equal(hooks.added.size, 0);
  });
});

describe('work in sequence', () => {
  it('is done one after the other for one key, whatever becomes of it, and side by side for others', async () => {
    const sequence = new InSequence();
    const events: string[] = [];
    const release: Record<string, () => void> = {};
    const run = (key: string, name: string, error?: Error) =>
      sequence.run(key, async () => {
        events.push(`${name} begins`);
        await new Promise<void>((resolve) => (release[name] = resolve));
        events.push(`${name} ends`);
        if (error) throw error;
      });
    const first = run('a', 'first', new Error('first'));
    const second = run('a', 'second');
    const other = run('b', 'other');
    await nextTurn();
    assert.deepEqual(events, ['first begins', 'other begins']);
    release.first?.();
    await assert.rejects(first, /first/);
    await nextTurn();
    assert.deepEqual(events.slice(2), ['first ends', 'second begins']);
    release.second?.();
    release.other?.();
    await Promise.all([second, other]);
    const third = run('a', 'third');
    assert.equal(events.at(-1), 'third begins');
    release.third?.();
    await third;
  });
});
