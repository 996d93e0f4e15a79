import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { connection, offsetIndex, onTab, rangeIn, sink, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import { inOrder, startWeldingArchive, type WeldingArchive } from './welding-archive';

const OBJECTS = 40;

/** What a function node waits for, message by message. */
class Gate {
  active = 0;
  most = 0;
  #open = false;
  readonly #waiting: (() => void)[] = [];

  readonly pass = async (): Promise<void> => {
    this.most = Math.max(this.most, ++this.active);
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    // Another turn, so that work overlaps when the gate is open.
    await nextTurn();
    this.active--;
  };

  let(count: number): void {
    for (const resolve of this.#waiting.splice(0, count)) resolve();
  }

  open(): void {
    this.#open = true;
    this.let(Infinity);
  }
}

describe('a flow that is slower than the archive', () => {
  const runner = useFlows();
  let archive: WeldingArchive;
  let gate: Gate;
  before(async () => {
    archive = await startWeldingArchive();
    await archive.createBucket('many');
    const name = archive.names['plant-a']?.[0] ?? '';
    const { bytes, attributes } = await archive.store.getRange('plant-a', name, { offset: 0, length: 1e6 });
    for (let object = 0; object < OBJECTS; object++) {
      const copy = name.replace(/[^-]{20}(?=\.ndjson)/, String(object).padStart(20, '0'));
      await archive.store.put('many', copy, bytes, { contentType: 'application/gzip', attributes });
    }
  });
  after(() => archive.stop());
  beforeEach(() => {
    gate = new Gate();
  });

  const slow = (...to: string[]) =>
    onTab(
      'slow',
      'function',
      { func: "await global.get('pass')(); return msg;", outputs: 1, libs: [] },
      ...to,
    );

  async function load(...nodes: ReturnType<typeof onTab>[]) {
    const flow = runner.current;
    await flow.load([tab(), connection(archive.server.url), weldingLayout(), ...nodes, sink()], {
      functionGlobalContext: { pass: gate.pass },
    });
    // The test helper's own node is never done with what it gets.
    flow.node('sink').on('input', (_message, _send, done) => {
      done();
    });
    return flow;
  }

  /** Long enough for messages that should not come to come. */
  async function manyTurns(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) await nextTurn();
  }

  it('gets no more records than it may have at work, and all of them in the end', async () => {
    const flow = await load(offsetIndex({}, 'range'), rangeIn({ ahead: '4' }, 'slow'), slow('sink'));
    flow.give('index', { query: { bucket: 'plant-a' } });
    await flow.receives('slow', 4);
    await manyTurns();
    assert.equal(flow.received('slow').length, 4);
    await flow.until(
      'the status to tell it',
      () => flow.status('range').text === 's3-range-in.status.waiting',
    );
    gate.let(2);
    await flow.receives('slow', 6);
    await manyTurns();
    assert.equal(flow.received('slow').length, 6);
    gate.open();
    const messages = await flow.receives('sink', 40);
    assert.equal(gate.most, 4);
    assert.deepEqual(
      messages.map(({ key }) => key),
      inOrder(archive.spots.filter(({ plant }) => plant === 'plant-a')).map(({ key }) => key),
    );
    await flow.until('the end', () => flow.status('range').text === 's3-range-in.status.done');
  });

  it('gets everything at once when it is not waited for', async () => {
    const flow = await load(offsetIndex({}, 'range'), rangeIn({ ahead: '0' }, 'slow'), slow('sink'));
    flow.give('index', { query: { bucket: 'plant-a' } });
    await flow.receives('slow', 40);
    assert.equal(gate.most, 40);
    gate.open();
    await flow.receives('sink', 40);
  });

  it('is not waited for where a join node collects more than it may have at work', async () => {
    const join = { mode: 'auto', build: 'array', property: 'payload', propertyType: 'msg', key: 'topic' };
    const flow = await load(
      offsetIndex({}, 'range'),
      rangeIn({ ahead: '4' }, 'join'),
      onTab('join', 'join', join, 'sink'),
    );
    flow.give('index', { query: { bucket: 'plant-a' } });
    const [message] = await flow.receives('sink', 1);
    assert.equal((message?.payload as unknown[]).length, 40);
  });

  it('gets no more objects than it may have at work, and the plan in the end', async () => {
    const flow = await load(offsetIndex({ output: 'objects' }, 'slow'), slow('sink'));
    flow.give('index', { query: { bucket: 'many' } });
    await flow.receives('slow', 16);
    await manyTurns();
    assert.equal(flow.received('slow').length, 16);
    gate.open();
    const messages = await flow.receives('sink', OBJECTS + 1);
    assert.ok(gate.most <= 16, `${gate.most} objects at a time`);
    assert.equal((messages.at(-1)?.parts as { count: number }).count, OBJECTS + 1);
  });

  it('gets the records object by object when each comes in a message of its own', async () => {
    const flow = await load(
      offsetIndex({ output: 'objects' }, 'range'),
      rangeIn({ ahead: '8' }, 'slow'),
      slow('sink'),
    );
    gate.open();
    flow.give('index', { query: { bucket: 'many' } });
    const messages = await flow.receives('sink', OBJECTS * 20);
    assert.ok(gate.most <= 8, `${gate.most} records at a time`);
    const objects = messages.map(({ object }) => object as string);
    assert.deepEqual(objects, objects.toSorted());
    assert.equal(new Set(objects).size, OBJECTS);
  });

  it('ends the reading when the node closes while it waits', async () => {
    const flow = await load(rangeIn({ ahead: '4' }, 'slow'), slow('sink'));
    const message = flow.give('range', { bucket: 'plant-a', key: archive.names['plant-a']?.[0] });
    await flow.receives('slow', 4);
    await manyTurns();
    await flow.deploy([tab(), connection(archive.server.url), rangeIn({ name: 'renamed' }), sink()]);
    await flow.until('the message to be done', () => flow.completionsOf(message).length === 1);
    assert.equal((flow.completionsOf(message)[0]?.error as { code?: string }).code, 'ABORTED');
    gate.open();
  });
});
