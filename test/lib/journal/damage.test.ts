import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';

import { scanEntries } from '../../../lib/journal/checks';
import { batchOf } from '../../../lib/journal/entries';
import { HEAD_LENGTH, HEADER_LENGTH, Kind, parseHeader, seedOf } from '../../../lib/journal/format';
import { MemoryDisk } from './memory-disk';
import { churn, Model, type ModelBatch, type Step, steps } from './model';
import { append, openOn, recordsOf, settle, type TestRecord } from './support';

interface FoundEntry {
  kind: number;
  batch: number;
  from: number;
  to: number;
}

/** The entries of a segment, as the format tells. */
async function entriesOf(file: Buffer): Promise<FoundEntry[]> {
  const { salt, number } = parseHeader(file)!;
  const entries: FoundEntry[] = [];
  const reader = {
    read: (target: Buffer, offset: number, length: number, position: number) =>
      Promise.resolve(file.copy(target, offset, position, position + length)),
  };
  await scanEntries(reader, HEADER_LENGTH, file.length, seedOf(salt, number), {
    entry: (kind, bytes, body, end, position) => {
      entries.push({
        kind,
        batch: batchOf(bytes, body),
        from: position,
        to: position + HEAD_LENGTH + end - body,
      });
    },
    damage: () => assert.fail('damage before anything was damaged'),
  });
  return entries;
}

/** Whether `some` are of `all`, in their order. */
function isPartOf(some: readonly TestRecord[], all: readonly TestRecord[]): boolean {
  let next = 0;
  for (const record of some) {
    while (next < all.length && !isDeepStrictEqual(record, all[next])) next++;
    if (next++ === all.length) return false;
  }
  return true;
}

async function flip(all: Step[], where: number, change: number, segmentBytes: number): Promise<void> {
  const disk = new MemoryDisk();
  const { journal } = await openOn(disk, { segmentBytes });
  const model = new Model(journal);
  await model.run(all);
  await model.commit();
  await settle(100);
  const { segments } = disk;
  const total = segments.reduce((sum, name) => sum + disk.files.get(name)!.length, 0);
  let at = Math.floor(where * total);
  const name = segments.find((one) => {
    const { length } = disk.files.get(one)!;
    if (at < length) return true;
    at -= length;
    return false;
  });
  if (name === undefined) return;
  const damaged = disk.copy();
  const file = damaged.files.get(name)!;
  const entries = await entriesOf(file);
  const hit = entries.find(({ from, to }) => from <= at && at < to);
  file[at] = file[at]! ^ change;
  await journal.close();

  const opened = await openOn(damaged, { segmentBytes });
  const [told, ...more] = opened.damage.filter(({ what }) => what !== 'records');
  const orphans = opened.damage.some(({ what }) => what === 'records');
  assert.deepEqual(more, []);
  if (hit) {
    assert.ok(told, 'the damage is reported');
    assert.deepEqual([told.segment, told.from, told.to], [name, hit.from, hit.to]);
    const isEnd = name === segments.at(-1) && hit === entries.at(-1);
    assert.equal(told.what, isEnd ? 'tail' : 'entries');
  } else assert.equal(told, undefined);
  for (const expected of model.batches) {
    const found = opened.batches.find(({ id }) => id === expected.id);
    const isHit = numberOf(model, expected) === hit?.batch;
    if (found) {
      const records = await recordsOf(found);
      assert.ok(isPartOf(records, expected.records), `${expected.id} has other records`);
      const lost = expected.records.length - records.length;
      if (!isHit) {
        assert.ok(!expected.isForgotten, `${expected.id} came back`);
        assert.equal(lost, 0);
        assert.equal(found.sealed, expected.seal);
      } else if (hit.kind === Kind.RECORD || hit.kind === Kind.FOLDED) {
        assert.equal(lost, 1);
        assert.equal(found.sealed, expected.seal);
      } else if (hit.kind === Kind.SEAL) {
        assert.equal(lost, 0);
        assert.equal(found.sealed, undefined);
      }
      if (expected.isForgotten) continue;
      const isLastRecord = isHit && hit.kind === Kind.RECORD && lost === 1 && found.missing === 0;
      if (!isLastRecord && !(isHit && hit.kind === Kind.FOLDED)) assert.equal(found.missing, lost);
    } else if (!expected.isForgotten) {
      assert.equal(hit?.kind, Kind.OPEN, `${expected.id} is lost`);
      assert.ok(isHit);
      assert.ok(orphans || (expected.sources.length === 0 && expected.seal === undefined));
    }
  }
  await opened.journal.close();
}

/** Numbers are given in the order of opening, from 1. */
function numberOf(model: Model, batch: ModelBatch): number {
  return model.batches.indexOf(batch) + 1;
}

describe('a damaged journal', () => {
  const where = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const change = fc.integer({ min: 1, max: 255 });

  it('loses what a damaged byte touches, and says where', async () => {
    await fc.assert(fc.asyncProperty(steps, where, change, fc.integer({ min: 200, max: 3000 }), flip), {
      numRuns: 400,
    });
  });

  it('does so after segments were copied together', async () => {
    await fc.assert(fc.asyncProperty(churn, where, change, fc.integer({ min: 300, max: 1500 }), flip), {
      numRuns: 100,
    });
  });

  const note = { time: 5, flags: 1, text: 'note', lineBreaks: undefined };

  it('keeps the damaged segment when it is not needed any more', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    const batch = journal.openBatch('a', 'd');
    const source = batch.addSource('t', 's');
    for (let count = 0; count < 3; count++) append(batch, source, note);
    await journal.commit();
    await journal.close();
    const file = disk.files.get('000001.journal')!;
    const [, , second] = await entriesOf(file);
    file[second!.from + HEAD_LENGTH]! ^= 1;
    const { journal: next, batches, damage } = await openOn(disk);
    assert.equal(damage.length, 1);
    assert.match(
      damage[0]!.message,
      /bytes \d+ to \d+ of .*000001\.journal are damaged.*000001\.journal\.damaged/,
    );
    assert.deepEqual([batches[0]?.count, batches[0]?.missing], [2, 1]);
    batches[0]?.forget();
    await next.commit();
    await settle();
    assert.ok(disk.files.has('000001.journal.damaged'));
    assert.ok(!disk.files.has('000001.journal'));
    await next.close();
    assert.deepEqual((await openOn(disk)).batches, []);
  });

  it('finds a batch by the second copy of what describes it', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { segmentBytes: 1e6 });
    const batch = journal.openBatch('a', 'described');
    const sources = [batch.addSource('t0', 's0'), batch.addSource('t1', 's1')];
    for (let count = 0; count < 100; count++) {
      for (const source of sources) append(batch, source, { ...note, text: `${source} `.repeat(30) });
      await journal.commit();
    }
    batch.seal('done');
    await journal.commit();
    const expected = await recordsOf(batch);
    await journal.close();
    const whole = disk.copy();
    for (const place of [0, 1, 2]) {
      const damaged = whole.copy();
      const file = damaged.files.get('000001.journal')!;
      const entry = (await entriesOf(file))[place]!;
      assert.notEqual(entry.kind, Kind.RECORD);
      file.fill(0xee, entry.from, entry.to);
      const { journal: next, batches, damage } = await openOn(damaged);
      assert.equal(damage.length, 1);
      assert.deepEqual(
        [batches[0]?.description, batches[0]?.count, batches[0]?.missing],
        ['described', 200, 0],
      );
      const byOrder = (a: TestRecord, b: TestRecord) => a.text.localeCompare(b.text);
      const records = await recordsOf(batches[0]!);
      assert.deepEqual(records.toSorted(byOrder), expected.toSorted(byOrder));
      assert.deepEqual(
        records.map(({ topic }) => topic),
        expected.map(({ topic }) => topic),
      );
      await next.close();
    }
  });

  it('goes on with a batch that lost a source under the right ones', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    const batch = journal.openBatch('a', '');
    for (const place of [0, 1, 2]) {
      append(batch, batch.addSource(`t${place}`, `s${place}`), { ...note, text: String(place) });
    }
    await journal.commit();
    await journal.close();
    const file = disk.files.get('000001.journal')!;
    const lost = (await entriesOf(file)).filter(({ kind }) => kind === Kind.SOURCE)[1]!;
    file.fill(0, lost.from, lost.to);
    const { journal: next, batches } = await openOn(disk);
    const [found] = batches;
    assert.deepEqual([found?.count, found?.missing], [2, 1]);
    // Its reader was shown two sources: t0 and t2.
    append(found!, 1, { ...note, text: 'more of t2' });
    append(found!, found!.addSource('t3', 's3'), { ...note, text: 'new' });
    const topicsOf = async () => (await recordsOf(found!)).map(({ topic, text }) => `${topic} ${text}`);
    const expected = ['t0 0', 't2 2', 't2 more of t2', 't3 new'];
    assert.deepEqual(await topicsOf(), expected);
    await next.commit();
    assert.deepEqual(await topicsOf(), expected);
    await next.close();
    const { batches: again } = await openOn(disk);
    assert.deepEqual(
      (await recordsOf(again[0]!)).map(({ topic, text }) => `${topic} ${text}`),
      expected,
    );
  });

  it('is not misled by payloads that look like entries, nor by damaged lengths', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { segmentBytes: 1e6 });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    append(batch, source, { ...note, text: 'before' });
    await journal.commit();
    // Somebody publishes what lies in a journal: an entry that forgets batch 1, at every place of the segment.
    const forger = new MemoryDisk();
    const { journal: other } = await openOn(forger);
    const own = other.openBatch('a', '');
    await other.commit();
    own.forget();
    await other.commit();
    const forged = forger.files.get('000001.journal')!;
    const payload = Buffer.alloc(200_000, forged.subarray(HEADER_LENGTH));
    batch.append(1, source, 0, payload, 0, payload.length);
    append(batch, source, { ...note, text: 'after' });
    await journal.commit();
    await journal.close();
    const file = disk.files.get('000001.journal')!;
    const entries = await entriesOf(file);
    const large = entries.find(({ from, to }) => to - from > payload.length)!;
    for (const word of [0, 0x7fffffff, 0x60000001, 0xffffffff]) {
      const damaged = disk.copy();
      damaged.files.get('000001.journal')!.writeUInt32LE(word, large.from);
      const { batches, damage, journal: next } = await openOn(damaged);
      assert.deepEqual(
        (await recordsOf(batches[0]!)).map(({ text }) => text),
        ['before', 'after'],
      );
      assert.deepEqual(
        damage.map(({ from, to }) => [from, to]),
        [[large.from, large.to]],
      );
      await next.close();
    }
  });

  it('refuses to read a batch whose bytes changed since it was opened', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk);
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    for (let count = 0; count < 3; count++) append(batch, source, note);
    await journal.commit();
    const file = disk.files.get('000001.journal')!;
    file[file.length - 1]! ^= 1;
    await assert.rejects(recordsOf(batch), {
      code: 'JOURNAL_DAMAGED',
      message: /of the 3 records .* only 2/,
    });
  });

  it('reads a segment whose header is lost with the secret of the others', async () => {
    const disk = new MemoryDisk();
    const { journal } = await openOn(disk, { segmentBytes: 300 });
    const batch = journal.openBatch('a', '');
    const source = batch.addSource('t', 's');
    for (let count = 0; count < 20; count++) {
      append(batch, source, { ...note, text: String(count) });
      await journal.commit();
    }
    await journal.close();
    for (const name of disk.segments) {
      const damaged = disk.copy();
      damaged.files.get(name)!.fill(0, 0, HEADER_LENGTH);
      const { batches, damage, journal: next } = await openOn(damaged);
      assert.equal(batches[0]?.count, 20);
      assert.deepEqual(
        damage.map(({ segment, from, to }) => [segment, from, to]),
        [[name, 0, HEADER_LENGTH]],
      );
      await next.close();
    }
  });
});
