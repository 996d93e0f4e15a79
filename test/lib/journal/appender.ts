import { Journal, type JournalBatch } from '../../../lib/journal';

/**
 * A process of its own that appends to a journal until it is killed. It prints how many records are committed, after
 * they are; batches of 1,000 records are sealed, and forgotten once the second one after them is sealed.
 */
async function main(folder: string, ms: number): Promise<void> {
  const commit = { ms, records: 500 };
  const { journal, batches } = await Journal.open({ folder, commit, segmentBytes: 100_000 });
  let number = Math.max(0, ...batches.map((batch) => Number(batch.description) + batch.count));
  const living: JournalBatch[] = [...batches];
  for (const batch of batches) if (batch.sealed === undefined) batch.seal('');
  for (;;) {
    const batch = journal.openBatch(`batch ${number}`, String(number));
    const source = batch.addSource('topic', 'series');
    living.push(batch);
    for (let group = 0; group < 20; group++) {
      for (let count = 0; count < 50; count++) {
        const bytes = Buffer.from(`record ${number++} `.repeat(10));
        batch.append(number, source, 0, bytes, 0, bytes.length);
      }
      const upTo = number;
      const first = living[0]?.description ?? '';
      journal.afterCommit(() => process.stdout.write(`committed ${upTo} first ${first}\n`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    batch.seal('');
    while (living.length > 3) living.shift()?.forget();
  }
}

void main(process.argv[2] ?? '', Number(process.argv[3]));
