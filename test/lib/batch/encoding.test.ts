import assert from 'node:assert/strict';

import fc from 'fast-check';

import { fetchRecords, headObject, matchObject, EVERYTHING } from '../../../lib/query';
import { payload } from '../object/arbitraries';
import { TestWriter } from './support';

describe('a batch on its way into an object', () => {
  it('keeps every payload exactly, whatever it is, in any framing and compression', async () => {
    const messages = fc.array(fc.record({ bucket: fc.nat(2), device: fc.nat(3), payload }), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(
        messages,
        fc.constantFrom('newline', 'length', 'none'),
        fc.constantFrom('gzip', 'none'),
        fc.constantFrom(1, 300, 128 * 1024),
        async (list, framing, compression, blockSize) => {
          const test = new TestWriter({ framing, compression, blockSize, limits: { count: 20 } });
          const sent: string[] = [];
          for (const { bucket, device, payload } of list) {
            const topic = `plant-${bucket}/${device}`;
            test.append(topic, payload);
            sent.push(`${topic} ${payload.toString('hex')}`);
          }
          await test.writer.flush();
          const read: string[] = [];
          for (const { bucket, key } of test.stored) {
            const match = await matchObject(
              test.store,
              await headObject(test.store, bucket, key),
              EVERYTHING,
            );
            for await (const records of fetchRecords(test.store, [match])) {
              for (const { topic, payload } of records) read.push(`${topic} ${payload.toString('hex')}`);
            }
          }
          assert.deepEqual(read.sort(), sent.sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not mind that the sender uses its buffer again', async () => {
    const test = new TestWriter();
    const buffer = Buffer.from('"first "');
    test.writer.append('plant/a', buffer, 1);
    buffer.write('"second"');
    test.writer.append('plant/a', buffer, 1);
    buffer.fill(0);
    await test.writer.flush();
    assert.deepEqual(test.allLines.sort(), ['"first "', '"second"']);
  });

  it('holds records of any size side by side', async () => {
    const test = new TestWriter();
    const sizes = Array.from({ length: 300 }, (_, n) => (n * 7919) % 100_003);
    sizes.push(500_000, 0, 3_000_000, 1, 262_143, 262_144, 4095, 4096);
    const lines = sizes.map((size, n) => JSON.stringify(`${n} ${'x'.repeat(size)}`));
    for (const line of lines) test.append('plant/a', line);
    await test.writer.flush();
    assert.deepEqual(test.allLines, lines);
  });

  it('lets the event loop turn: sealing, encoding and storing 10,000 records is no single piece of work', async () => {
    const test = new TestWriter();
    for (let n = 0; n < 10_000; n++) {
      const t = 1_538_413_835_000 + ((n * 7919) % 10_000) * 10;
      test.append(
        `plant/${n % 20}`,
        JSON.stringify({ t, n, text: 'a weld spot as stations publish it'.repeat(4) }),
      );
    }
    let turns = 0;
    let isRunning = true;
    const tick = (): void => {
      turns++;
      if (isRunning) setImmediate(tick);
    };
    setImmediate(tick);
    await test.writer.flush();
    isRunning = false;
    assert.ok(turns > 30, `${turns} turns of the event loop`);
  });
});
