import assert from 'node:assert/strict';
import path from 'node:path';

import { type CrashMessage, messagesOf } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, JOURNAL, type Mode } from './modes';
import { makeSmallDisk, meansOfSmallDisk, type SmallDisk } from './small-disk';

const means = meansOfSmallDisk();

describe(`A full disk (${means}), and the store away as well`, function () {
  this.timeout(180_000);
  let disk: SmallDisk;
  let run: ModeRun | undefined;

  beforeEach(async () => {
    disk = await makeSmallDisk(means);
  });

  afterEach(async () => {
    await run?.remove();
    run = undefined;
    await disk.remove();
  });

  const start = async (mode: Mode): Promise<ModeRun> => {
    const changes = { batches: { journalFolder: path.join(disk.folder, 'journal') } };
    run = await ModeRun.start(mode, { changes });
    return run;
  };

  const published = async (mode: ModeRun, round: number): Promise<CrashMessage[]> => {
    const messages = messagesOf(mode.root, mode.mode.name, round);
    await mode.publish(messages);
    return messages;
  };

  /**
   * Three rounds: the first with room on the disk; the second without, and with nothing stored, ended by a kill; the
   * third after a start without room, which is then made.
   */
  const fillAndKill = async (mode: ModeRun): Promise<CrashMessage[][]> => {
    const [{ instance, proxy }] = mode.members as [ModeRun['members'][0]];
    const pids = (): number[] => [instance.process.pid];
    const logs = (pattern: RegExp): Promise<void> =>
      mode.until(`${String(pattern)} in the log`, () => pattern.test(instance.process.log));

    const first = await published(mode, 0);
    await mode.settle(first);
    await disk.fill(pids());
    void proxy.holdUploads();
    const second = await published(mode, 1);
    await logs(/\[error\].* the journal in .* cannot be written: (the disk is full|EFBIG)/);
    await instance.kill();

    instance.spawn();
    await disk.fill(pids());
    await instance.started();
    await logs(/\[error\].* the journal in .* cannot be used: (the disk is full|EFBIG)/);
    await disk.free(pids());
    proxy.pass();
    await logs(/the journal works again/);
    return [first, second, await published(mode, 2)];
  };

  it('takes no message from the broker that is not safe: none is lost, though killed and started like this', async () => {
    const mode = await start(HELD_UNTIL_JOURNALED);
    for (const messages of await fillAndKill(mode)) await mode.settle(messages);
    assert.deepEqual((await mode.books()).lost, []);
  });

  it('says of no message that it is journaled that is not: only others are lost, until there is room again', async () => {
    const mode = await start(JOURNAL);
    const [first = [], second = [], third = []] = await fillAndKill(mode);
    await mode.flush(1);
    await mode.settle(third);
    const { lost } = await mode.books();
    assert.deepEqual(
      lost.filter((number) => mode.done.has(number)),
      [],
    );
    const allowed = new Set(second.map(({ number }) => number));
    assert.deepEqual(
      lost.filter((number) => !allowed.has(number)),
      [],
    );
    assert.ok(
      lost.length > 0 && first.length > 0,
      'with neither disk nor store, something must have been lost',
    );
  });
});
