import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { fakeTime } from './fake-time';
import { messagesOf } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED, JOURNAL, type Mode } from './modes';

/** Beyond the 15 minutes that S3 allows a request's time to be off. */
const BACK = '-3600'; // s

describe('The clock of the machine set back by an hour', function () {
  this.timeout(180_000);
  let folder: string;
  let run: ModeRun | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 's3-batch-clock-'));
  });

  afterEach(async () => {
    await run?.remove();
    run = undefined;
    await rm(folder, { recursive: true });
  });

  for (const mode of [JOURNAL, HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED]) {
    it(`${mode.name}: batches go on, are sealed by their age, and survive a crash in the past`, () =>
      setBack(mode));
  }

  const setBack = async (mode: Mode): Promise<void> => {
    const offset = path.join(folder, 'offset');
    await writeFile(offset, '+0');
    run = await ModeRun.start(mode, { environment: fakeTime(offset) });
    const [{ instance, proxy }] = run.members as [ModeRun['members'][0]];
    const [before, after] = [0, 1].map((round) => messagesOf(run!.root, mode.name, round)) as [
      ReturnType<typeof messagesOf>,
      ReturnType<typeof messagesOf>,
    ];

    // Batches that were begun before and go on after it.
    const isTaken = (count: number) => () =>
      mode === JOURNAL ? run!.done.size === count : instance.ledger.received === count;
    await run.publish(before.slice(0, 100));
    await writeFile(offset, BACK);
    await run.publish(before.slice(100, 200));
    await run.settle(before.slice(0, 200));

    // Nothing is stored, so a journal, or the broker, has everything when it is killed.
    void proxy.holdUploads();
    await run.publish(before.slice(200));
    await run.until('all to be taken', isTaken(before.length));
    await instance.kill();
    proxy.reset();
    await instance.start();
    await run.settle(before);

    // And forward again.
    await run.publish(after.slice(0, 500));
    await writeFile(offset, '+0');
    await run.publish(after.slice(500));
    await run.settle(after);
    const { lost } = await run.books();
    assert.deepEqual(lost, []);
    if (mode !== HELD_UNTIL_STORED) assert.match(instance.process.log, /recovered \d+ records/);
  };
});
