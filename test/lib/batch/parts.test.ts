import assert from 'node:assert/strict';

import { newBatchId } from '../../../lib/batch/batch-id';
import { ByteChunks } from '../../../lib/batch/byte-chunks';
import { Pause } from '../../../lib/pause';
import { RecordColumns } from '../../../lib/batch/record-columns';

describe('the identity of a batch', () => {
  it('sorts by time as text, and is different every time', () => {
    const times = [0, 1, 31, 32, 1_538_413_835_000, 1_538_413_835_001, 253_402_300_799_999];
    const ids = times.map((time) => newBatchId(time));
    assert.deepEqual(ids.toSorted(), ids);
    assert.ok(ids.every((id) => /^[0-9a-hjkmnp-tv-z]{20}$/.test(id)));
    assert.equal(new Set(Array.from({ length: 10_000 }, () => newBatchId(1))).size, 10_000);
  });

  it('can be made when the clock stands before 1970, or between two milliseconds', () => {
    assert.match(newBatchId(-1), /^0{10}\w{10}$/);
    assert.match(newBatchId(1.5), /^0{9}1\w{10}$/);
  });
});

describe('bytes of records', () => {
  it('come back as they were put, and little is allocated ahead', () => {
    const bytes = new ByteChunks();
    const records: { position: number; text: string }[] = [];
    let total = 0;
    for (let n = 0; n < 5000; n++) {
      const text = String(n).repeat((n * 31) % 400);
      const position = bytes.take(text.length);
      bytes.chunk.write(text, bytes.offset, 'latin1');
      records.push({ position, text });
      total += text.length;
    }
    for (const { position, text } of records) {
      const target = Buffer.alloc(text.length + 2, '.');
      bytes.copy(position, text.length, target, 1);
      assert.equal(target.toString('latin1'), `.${text}.`);
    }
    assert.ok(bytes.allocated >= total);
    assert.ok(bytes.allocated < total * 1.25 + 8192, `${bytes.allocated} for ${total}`);
  });

  it('may be none', () => {
    const bytes = new ByteChunks();
    const position = bytes.take(0);
    bytes.copy(position, 0, Buffer.alloc(0), 0);
    assert.equal(bytes.allocated, 0);
  });
});

describe('columns of records', () => {
  it('keep every number, over the pages too', () => {
    const columns = new RecordColumns();
    for (let n = 0; n < 1000; n++) {
      assert.equal(columns.add(253_402_300_799_999 - n, 0xffffffff - n, n, n * 4000, n % 512), n);
    }
    assert.equal(columns.count, 1000);
    for (const n of [0, 1, 255, 256, 511, 512, 999]) {
      assert.equal(columns.time(n), 253_402_300_799_999 - n);
      assert.equal(columns.length(n), 0xffffffff - n);
      assert.equal(columns.source(n), n);
      assert.equal(columns.position(n), n * 4000);
      assert.equal(columns.flags(n), n % 512);
    }
    assert.equal(columns.allocated, 4 * 256 * 22);
  });
});

describe('pauses', () => {
  it('double from 1 s to 60 s, lie between half and whole, and start over', () => {
    const pause = new Pause();
    for (let round = 0; round < 2; round++) {
      for (let failure = 0; failure < 30; failure++) {
        const whole = Math.min(60_000, 1000 * 2 ** failure);
        const ms = pause.next();
        assert.ok(ms >= whole / 2 && ms <= whole, `${ms}`);
        assert.equal(pause.failures, failure + 1);
      }
      pause.reset();
    }
  });
});
