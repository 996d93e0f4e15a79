import assert from 'node:assert/strict';
import path from 'node:path';

import { type CrashMessage, messagesOf } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, JOURNAL, type Mode } from './modes';
import { makeSmallDisk, meansOfSmallDisk, type SmallDisk } from './small-disk';

const means = meansOfSmallDisk();
const NO_ROOM = /\[error\].* the journal in .* cannot be (written|used): (the disk is full|EFBIG)/;

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

  /**
   * A few messages with room on the disk; a round without, and with nothing stored, ended by a kill; another one after a
   * start, again without room until all is published; and then room again.
   * @returns the messages of these, the one that may be lost second
   */
  const fillAndKill = async (mode: ModeRun): Promise<CrashMessage[][]> => {
    const [{ instance, proxy }] = mode.members as [ModeRun['members'][0]];
    const [first = [], second = [], third = [], fourth = []] = [0, 1, 2, 3].map((round) =>
      messagesOf(mode.root, mode.mode.name, round),
    );
    const fill = (): Promise<void> => disk.fill([instance.process.pid]);
    const tellsIt = (): Promise<void> =>
      mode.until(`${String(NO_ROOM)} in the log`, () => NO_ROOM.test(instance.process.log));

    // Few, so that a start makes no room when it deletes what nobody needs any more.
    const few = first.slice(0, 5);
    await mode.publish(few);
    await mode.settle(few);
    await fill();
    void proxy.holdUploads();
    await mode.publish(second);
    await tellsIt();
    await instance.kill();

    instance.spawn();
    await fill();
    await instance.started();
    await fill();
    await mode.publish(third);
    await tellsIt();
    await disk.free([instance.process.pid]);
    proxy.pass();
    await mode.settle(third);

    const probes: CrashMessage[] = [];
    await mode.until('the journal to be written again', async () => {
      probes.push(...fourth.splice(0, 1));
      await mode.publish(probes.slice(-1));
      return instance.ledger.journaled! > 0;
    });
    return [few, second, third, probes];
  };

  it('acknowledges no message that is not safe: none is lost, though killed and started like this', async () => {
    const mode = await start(HELD_UNTIL_JOURNALED);
    for (const messages of await fillAndKill(mode)) await mode.settle(messages);
    assert.deepEqual((await mode.books()).lost, []);
  });

  it('says of no message that it is journaled that is not: only others are lost, until there is room', async () => {
    const mode = await start(JOURNAL);
    const [few = [], second = [], third = [], probes = []] = await fillAndKill(mode);
    for (const messages of [few, third, probes]) await mode.settle(messages);
    await mode.flush(second[0]!.round);
    const { lost } = await mode.books();
    const mayBeLost = new Set(second.map(({ number }) => number).filter((number) => !mode.done.has(number)));
    assert.deepEqual(
      lost.filter((number) => !mayBeLost.has(number)),
      [],
    );
    assert.ok(lost.length > 0, 'with neither disk nor store, a crash must lose something');
  });
});
