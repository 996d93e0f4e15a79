import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { Journal } from '../../../lib/journal';
import { encodeHeader } from '../../../lib/journal/format';
import { until } from '../../support/fake-clock';
import { AppenderProcess } from './appender-process';
import { append, recordsOf } from './support';
import { removeTemporaryFolders, temporaryFolder } from './temporary-folder';

const commit = { ms: 1, records: 1000 };
/** The file of a descriptor; undefined when it is closed by now. */
function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

const note = { time: 5, flags: 1, text: 'note', lineBreaks: undefined };

describe('a journal in real files', () => {
  after(async () => {
    await AppenderProcess.killAll();
    removeTemporaryFolders();
  });

  it('is for its owner only', async () => {
    const folder = join(temporaryFolder(), 'a', 'b');
    const { journal } = await Journal.open({ folder, commit });
    const batch = journal.openBatch('a', '');
    append(batch, batch.addSource('t', 's'), note);
    await journal.commit();
    if (process.platform !== 'win32') {
      assert.equal(statSync(folder).mode & 0o777, 0o700);
      for (const name of readdirSync(folder)) {
        assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
      }
    }
    await journal.close();
  });

  it('has each write on disk when it returns, where that takes no call of its own', async function () {
    if (process.platform !== 'linux') this.skip();
    const folder = join(temporaryFolder(), 'j');
    const { journal } = await Journal.open({ folder, commit });
    const batch = journal.openBatch('a', '');
    append(batch, batch.addSource('t', 's'), note);
    await journal.commit();
    const open = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd)?.startsWith(folder) === true);
    const flags = open.map(
      (fd) => /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1],
    );
    assert.deepEqual(
      flags.map((octal) => (Number.parseInt(octal ?? '', 8) & constants.O_DSYNC) === constants.O_DSYNC),
      [true],
    );
    await journal.close();
  });

  it('leaves no file behind that nobody needs', async () => {
    const folder = join(temporaryFolder(), 'j');
    const { journal } = await Journal.open({ folder, commit });
    assert.deepEqual(readdirSync(folder), ['lock.1']);
    const batch = journal.openBatch('a', '');
    append(batch, batch.addSource('t', 's'), note);
    await journal.commit();
    batch.forget();
    await journal.close();
    assert.deepEqual(readdirSync(folder), []);
  });

  it('says what is wrong with a folder that cannot be used', async () => {
    const parent = temporaryFolder();
    const file = join(parent, 'file');
    writeFileSync(file, '');
    await assert.rejects(Journal.open({ folder: file, commit }), {
      code: 'JOURNAL_UNUSABLE',
      message: /is not a folder/,
    });
    await assert.rejects(Journal.open({ folder: join(file, 'below'), commit }), { code: 'JOURNAL_UNUSABLE' });
  });

  it('refuses what a newer version wrote, and touches nothing', async () => {
    const folder = join(temporaryFolder(), 'j');
    const { journal } = await Journal.open({ folder, commit });
    const batch = journal.openBatch('a', '');
    append(batch, batch.addSource('t', 's'), note);
    await journal.commit();
    await journal.close();
    const header = { version: 2, number: 2, first: 2, salt: 1, nextBatch: 1 };
    writeFileSync(join(folder, '000002.journal'), Buffer.concat([encodeHeader(header), Buffer.alloc(50, 1)]));
    writeFileSync(join(folder, '000001.journal.new'), 'unfinished');
    writeFileSync(join(folder, '000001.journal'), 'torn', { flag: 'a' });
    const contents = () => readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'hex')]);
    const before = contents();
    await assert.rejects(Journal.open({ folder, commit }), {
      code: 'JOURNAL_UNUSABLE',
      message: /newer version.*format 2.*install that version/,
    });
    assert.deepEqual(contents(), before);
  });

  it('has large records, and does not hold the event loop for long', async function () {
    this.timeout(60_000);
    const folder = join(temporaryFolder(), 'j');
    const { journal } = await Journal.open({ folder, commit });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    const large = randomBytes(40 * 1024 * 1024);
    batch.append(1, source, 0, large, 0, large.length);
    const small = randomBytes(200);
    for (let number = 0; number < 100_000; number++) batch.append(number, source, 0, small, 0, 200);
    await journal.commit();
    assert.ok(readdirSync(folder).length > 2);
    await journal.close();

    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const { journal: next, batches } = await Journal.open({ folder, commit });
    delay.disable();
    // Machines that do other work too hold processes for longer than code does: the median is the code's.
    assert.ok(delay.percentile(50) < 20e6, `${delay.percentile(50) / 1e6} ms`);
    assert.equal(batches[0]?.count, 100_001);
    let count = 0;
    let isLarge = false;
    await batches[0].read({
      source: () => undefined,
      record: (_time, _source, _flags, bytes) => {
        if (count++ === 0) isLarge = bytes.equals(large);
      },
    });
    assert.equal(count, 100_001);
    assert.ok(isLarge);
    await next.close();
  });

  for (const ms of [0, 5]) {
    it(`has what a process had committed that was killed, with commits after ${ms} ms`, async function () {
      this.timeout(120_000);
      const folder = join(temporaryFolder(), 'j');
      let committed = 0;
      for (let round = 0; round < 6; round++) {
        const appender = new AppenderProcess(folder, ms);
        const lines = (1 + round) * 7;
        const isEnough = () => appender.errors !== '' || appender.text.split('\n').length > lines;
        await until('commits', isEnough, 60_000);
        await appender.kill();
        const { text, errors } = appender;
        assert.equal(errors, '');
        const told = [...text.matchAll(/^committed (\d+)/gm)].map(([, count]) => Number(count));
        committed = Math.max(committed, ...told);
        const { journal, batches, damage } = await Journal.open({ folder, commit, segmentBytes: 100_000 });
        assert.deepEqual(
          damage.filter(({ what }) => what !== 'tail'),
          [],
        );
        const oldest = Number([...text.matchAll(/ first (\d+)$/gm)].at(-1)?.[1] ?? 0);
        let next: number | undefined;
        for (const batch of batches) {
          const first = Number(batch.description);
          assert.equal(batch.missing, 0);
          if (next !== undefined) assert.equal(first, next, 'no batch is lost between two others');
          else assert.ok(first >= oldest, `${first} was forgotten before ${oldest}`);
          const records = await recordsOf(batch);
          assert.equal(records.length, batch.count);
          records.forEach(({ text: record }, place) =>
            assert.equal(record, `record ${first + place} `.repeat(10)),
          );
          next = first + records.length;
        }
        assert.ok((next ?? 0) >= committed, `${next} of ${committed}`);
        assert.ok(batches.length >= 3 || committed <= 3000);
        await journal.close();
        assert.ok(!readdirSync(folder).some((name) => name.startsWith('lock')));
      }
    });
  }
});
