import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { RecoveredBatch } from '../../../lib/journal';
import { MemoryDisk } from './memory-disk';
import { churn, type Extent, Model, type ModelBatch, type Step, steps } from './model';
import { openOn, recordsOf, settle } from './support';

/**
 * Follows the steps, kills the process before the disk's change number `at` (that one having been made in part, if it
 * is a write), and looks at what the next process finds.
 */
async function checkCrash(all: Step[], at: number, cut: number, segmentBytes: number): Promise<void> {
  const disk = new MemoryDisk();
  const { journal } = await openOn(disk, { segmentBytes });
  const model = new Model(journal);
  let crashed: MemoryDisk | undefined;
  let known: { least: Extent | undefined; most: Extent }[] = [];
  const crash = () => {
    crashed = disk.copy();
    known = model.batches.map(({ committed, extent }) => ({ least: committed, most: extent }));
  };
  disk.onChange = (number, write) => {
    if (number !== at) return;
    const before = disk.copy();
    write(Math.floor(cut * 600));
    crash();
    for (const [name, bytes] of before.files) disk.files.set(name, bytes);
  };
  await model.run(all);
  if (!crashed) crash();
  const opened = await openOn(crashed ?? disk, { segmentBytes });
  assert.deepEqual(
    opened.damage.filter(({ what }) => what !== 'tail'),
    [],
  );
  for (const [number, { least, most }] of known.entries()) {
    const expected = model.batches[number]!;
    const found = opened.batches.find(({ id }) => id === expected.id);
    if (found) await checkFound(found, expected, least);
    else assert.ok(most.isForgotten || !least, `${expected.id} is lost`);
  }
  const order = opened.batches.map(({ id }) => Number(id.slice(6)));
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  await opened.journal.close();
  await journal.close();
}

async function checkFound(
  found: RecoveredBatch,
  expected: ModelBatch,
  least: Extent | undefined,
): Promise<void> {
  assert.ok(!least?.isForgotten, `${expected.id} came back`);
  assert.equal(found.description, expected.description);
  assert.equal(found.missing, 0);
  const records = await recordsOf(found);
  assert.equal(found.count, records.length);
  assert.ok(records.length >= (least?.records ?? 0), `${expected.id} lost records`);
  assert.deepEqual(records, expected.records.slice(0, records.length));
  assert.equal(
    found.bytes,
    records.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
  );
  if (least?.isSealed || found.sealed !== undefined) {
    assert.equal(found.sealed, expected.seal);
    assert.equal(records.length, expected.records.length);
  }
}

describe('a journal after a crash', () => {
  const part = fc.double({ min: 0, max: 1, noNaN: true });

  it('has what was committed and not forgotten, wherever the process was killed', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(150), part, fc.integer({ min: 200, max: 3000 }), checkCrash),
      { numRuns: 300 },
    );
  });

  it('has it too while segments are copied together', async () => {
    await fc.assert(
      fc.asyncProperty(churn, fc.nat(400), part, fc.integer({ min: 300, max: 1500 }), checkCrash),
      { numRuns: 200 },
    );
  }).timeout(240_000); // Some 2 s of work; where much else ran it took up to 51.

  it('goes on with batches where they were, crash after crash', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 200, max: 3000 }),
        async (lives, segmentBytes) => {
          let disk = new MemoryDisk();
          let before: Model | undefined;
          for (const life of lives) {
            const { journal, batches, damage } = await openOn(disk, { segmentBytes });
            assert.deepEqual(damage, []);
            const model = new Model(journal);
            const living = before?.batches.filter(({ isForgotten }) => !isForgotten) ?? [];
            assert.deepEqual(
              batches.map(({ id }) => id),
              living.map(({ id }) => id),
            );
            for (const [place, batch] of batches.entries()) model.takeOver(living[place]!, batch);
            await model.run(life);
            await model.commit();
            for (const batch of model.batches) {
              if (!batch.isForgotten) assert.deepEqual(await recordsOf(batch.batch), batch.records);
            }
            await settle();
            disk = disk.copy();
            before = model;
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keeps few bytes on disk for a batch that is held for long', async () => {
    await fc.assert(
      fc.asyncProperty(churn, async (all) => {
        const disk = new MemoryDisk();
        const { journal } = await openOn(disk, { segmentBytes: 1000 });
        const model = new Model(journal);
        await model.run(all);
        await settle(300);
        const [held] = model.batches;
        const needed = held!.records.length * 50 + held!.sources.length * 60;
        const bound = 4 * needed + 6 * 1000;
        assert.ok(journal.bytes <= bound, `${journal.bytes} of ${bound} bytes: ${disk.segments.join()}`);
        assert.deepEqual(await recordsOf(held!.batch), held!.records);
        await journal.close();
      }),
      { numRuns: 50 },
    );
  });

  it('deletes every segment but the newest when all batches are forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 200, max: 3000 }), async (all, segmentBytes) => {
        const disk = new MemoryDisk();
        const { journal } = await openOn(disk, { segmentBytes });
        const model = new Model(journal);
        await model.run(all);
        for (const { batch } of model.batches) batch.forget();
        for (let round = 0; round < 4; round++) {
          await journal.commit();
          await settle(200);
        }
        assert.ok(disk.segments.length <= 1, disk.segments.join());
        await journal.close();
        const again = await openOn(disk);
        assert.deepEqual(again.batches, []);
        await settle(100);
        assert.deepEqual(disk.segments, []);
        assert.equal(again.journal.bytes, 0);
      }),
      { numRuns: 100 },
    );
  });
});
