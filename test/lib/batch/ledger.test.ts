import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { ErrorCode } from '../../../lib/errors';
import { nextTurn } from '../../support/fake-clock';
import { TestWriter, until } from './support';

type Step =
  | { kind: 'append'; bucket: number; size: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'flush'; bucket: number | undefined }
  | { kind: 'fault'; code: ErrorCode | undefined; after: boolean; bucket: number | undefined }
  | { kind: 'configure'; count: number; age: number; instance: string }
  | { kind: 'turn' };

const bucket = fc.integer({ min: 0, max: 3 });
const code = fc.constantFrom<ErrorCode | undefined>(
  undefined,
  undefined,
  'ACCESS_DENIED',
  'BUCKET_MISSING',
  'STORE_BUSY',
  'STORE_REFUSED',
  'STORE_TIMEOUT',
  'STORE_UNREACHABLE',
);

const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      bucket,
      size: fc.oneof({ weight: 9, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(70_000) }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(5000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('flush' as const),
      bucket: fc.option(bucket, { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      code,
      after: fc.boolean(),
      bucket: fc.option(bucket, { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('configure' as const),
      count: fc.integer({ min: 0, max: 9 }),
      age: fc.constantFrom(0, 1000),
      instance: fc.constantFrom('one', 'other'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
);

class Run {
  readonly test = new TestWriter({
    limits: { count: 7, bytes: 2000, age: 3000 },
    memory: 120_000,
    uploads: 2,
  });
  readonly taken: string[] = [];
  readonly settled: (Error | undefined)[] = [];
  refused = 0;
  #number = 0;

  async do(step: Step): Promise<void> {
    const { writer, clock, store } = this.test;
    switch (step.kind) {
      case 'append':
        this.#append(step);
        break;
      case 'pass':
        await clock.pass(step.ms);
        break;
      case 'flush':
        void writer.flush(step.bucket === undefined ? undefined : `plant-${step.bucket}`);
        break;
      case 'fault':
        store.fault = (call) =>
          step.code && (step.bucket === undefined || call.bucket === `plant-${step.bucket}`)
            ? { code: step.code, after: step.after }
            : undefined;
        break;
      case 'configure':
        writer.configure(
          this.test.settingsWith({
            limits: { count: step.count, bytes: 2000, age: step.age },
            memory: 120_000,
            uploads: 2,
            instance: step.instance,
          }),
        );
        break;
      case 'turn':
        await nextTurn();
    }
  }

  #append({ bucket, size }: { bucket: number; size: number }): void {
    const line = JSON.stringify({ n: this.#number++, fill: 'x'.repeat(size) });
    try {
      this.test.append(`plant-${bucket}/a`, line, (error) => this.settled.push(error));
      this.taken.push(line);
    } catch {
      this.refused++;
    }
  }

  /** The ledger, drawn up from outside, against the writer's own. */
  check(): void {
    const { writer, stored } = this.test;
    const { counts } = writer;
    const storedRecords = stored.reduce((sum, { count }) => sum + count, 0);
    assert.equal(counts.received, this.#number);
    assert.equal(counts.refused, this.refused);
    assert.equal(counts.stored, storedRecords);
    assert.equal(counts.storedObjects, stored.length);
    assert.equal(counts.received, counts.refused + counts.stored + writer.openRecords);
    const open = writer.openBatches.reduce((sum, { count }) => sum + count, 0);
    if (writer.uploads.pending === 0) assert.equal(writer.openRecords, open);
    else assert.ok(writer.openRecords > open);
    assert.equal(writer.heldBytes === 0, writer.openRecords === 0);
  }

  async end(): Promise<void> {
    const { writer, store, clock } = this.test;
    store.fault = () => undefined;
    writer.sealAll('flush');
    await until('the end', () => {
      void clock.pass(60_000);
      return writer.uploads.pending === 0;
    });
    this.check();
    assert.equal(writer.openRecords, 0);
    assert.deepEqual(this.test.allLines.sort(), this.taken.toSorted());
    // Settled in turns: the last ones come after the upload.
    await until('all settled', () => this.settled.length >= this.taken.length);
    assert.deepEqual(
      this.settled,
      this.taken.map(() => undefined),
    );
    assert.equal(new Set(store.names).size, this.test.stored.length);
  }
}

describe('the ledger', () => {
  it('adds up at any moment: received = refused + stored + open, and in the end each record is stored once', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120 }), async (steps) => {
        const run = new Run();
        for (const one of steps) {
          await run.do(one);
          run.check();
        }
        await run.end();
      }),
      { numRuns: 60 },
    );
  });

  it('counts a record that was refused for any reason', async () => {
    const test = new TestWriter({ memory: 20_000 });
    test.append('plant/a');
    for (const size of [15_000, 30_000]) assert.throws(() => test.append('plant/a', 'x'.repeat(size)));
    await test.writer.close(1000);
    assert.throws(() => test.append('plant/a'), { code: 'CLOSED' });
    const { received, refused, stored } = test.writer.counts;
    assert.deepEqual({ received, refused, stored }, { received: 4, refused: 3, stored: 1 });
    assert.equal(test.writer.openRecords, 0);
  });
});
