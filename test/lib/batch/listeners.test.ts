import assert from 'node:assert/strict';

import { BatchWriter } from '../../../lib/batch';
import { TestWriter, until } from './support';

/** Messages of the process's warnings while `work` runs, which are not shown. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = (warning: string | Error) => {
    warnings.push(warning instanceof Error ? warning.message : warning);
  };
  try {
    await work();
  } finally {
    process.emitWarning = emitWarning;
  }
  return warnings;
}

describe('whoever listens to a writer and throws', () => {
  /** A writer of batches of one record whose listeners throw; `stored` and `failed` count their calls. */
  function broken() {
    const test = new TestWriter({ limits: { count: 1 }, uploads: 2 });
    const told = { stored: 0, failed: 0 };
    const writer = new BatchWriter(
      test.settings,
      {
        stored: () => {
          told.stored++;
          throw new Error('broken stored listener');
        },
        failed: () => {
          told.failed++;
          throw new Error('broken failed listener');
        },
      },
      test.clock,
    );
    return { test, told, writer };
  }

  it('loses no batch and doubles none', async () => {
    const { test, told, writer } = broken();
    const warnings = await warningsOf(async () => {
      for (let n = 0; n < 10; n++) writer.append(`plant-${n % 2}/a`, Buffer.from(String(n)), 1);
      const objects = await writer.flush();
      assert.equal(objects.length, 10);
      await until('all told', () => told.stored === 10);
    });
    assert.deepEqual(test.allLines.sort(), Array.from('0123456789'));
    assert.equal(writer.counts.stored, 10);
    assert.equal(writer.heldBytes, 0);
    assert.deepEqual(new Set(warnings), new Set(['broken stored listener']));
  });

  it('does not stop the attempts', async () => {
    for (const code of ['STORE_UNREACHABLE', 'ACCESS_DENIED'] as const) {
      const { test, told, writer } = broken();
      test.store.fault = () => code;
      const warnings = await warningsOf(async () => {
        writer.append('plant/a', Buffer.from('1'), 1);
        for (let attempt = 1; attempt <= 4; attempt++) {
          await until('a failure', () => told.failed >= attempt);
          await test.clock.pass(60_000);
        }
        test.store.fault = () => undefined;
        await until('all stored', () => {
          void test.clock.pass(60_000);
          return writer.openRecords === 0;
        });
      });
      assert.deepEqual(test.allLines, ['1']);
      assert.ok(warnings.includes('broken failed listener'));
    }
  });

  it('keeps no other callback from being called', async () => {
    const test = new TestWriter();
    let called = 0;
    const warnings = await warningsOf(async () => {
      for (let n = 0; n < 600; n++) {
        test.append('plant/a', String(n), () => {
          called++;
          if (n % 100 === 0) throw new Error(`broken callback ${n}`);
        });
      }
      await test.writer.flush();
      await until('all calls', () => called === 600);
    });
    assert.equal(warnings.length, 6);
  });

  it('may call the writer from within: append, flush, configure', async () => {
    const test = new TestWriter({ limits: { count: 1 } });
    let again = 3;
    const writer: BatchWriter = new BatchWriter(
      test.settings,
      {
        stored: () => {
          if (again-- > 0) writer.append('plant/a', Buffer.from('"again"'), 1);
          void writer.flush();
          writer.configure(test.settings);
        },
        failed: () => undefined,
      },
      test.clock,
    );
    writer.append('plant/a', Buffer.from('"first"'), 1);
    await until('four objects', () => writer.counts.storedObjects === 4);
    assert.equal(writer.openRecords, 0);
  });
});
