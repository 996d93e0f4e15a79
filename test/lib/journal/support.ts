import { Journal, type JournalBatch, type JournalOptions, type OpenedJournal } from '../../../lib/journal';
import { FakeClock } from '../../support/fake-clock';
import type { MemoryDisk } from './memory-disk';

export interface TestRecord {
  time: number;
  topic: string;
  series: string;
  flags: number;
  text: string;
  lineBreaks: readonly number[] | undefined;
}

let folders = 0;

/** Opens a journal on a disk in memory; each time as if by another process. Its clock stands still unless told. */
export function openOn(disk: MemoryDisk, options: Partial<JournalOptions> = {}): Promise<OpenedJournal> {
  disk.files.delete('lock.1');
  return Journal.open({
    folder: `/journal-${folders++}`,
    commit: { ms: 20, records: 1000 },
    segmentBytes: 1000,
    fs: disk,
    clock: new FakeClock(),
    ...options,
    events: { untidy: () => undefined, ...options.events },
  });
}

/** All records of a batch. */
export async function recordsOf(batch: JournalBatch): Promise<TestRecord[]> {
  const sources: { topic: string; series: string }[] = [];
  const records: TestRecord[] = [];
  await batch.read({
    source: (topic, series) => sources.push({ topic, series }),
    record: (time, source, flags, bytes, lineBreaks) => {
      const { topic = '?', series = '?' } = sources[source] ?? {};
      records.push({ time, topic, series, flags, text: bytes.toString(), lineBreaks });
    },
  });
  return records;
}

/** Appends a record, with bytes of others around its own. */
export function append(
  batch: JournalBatch,
  source: number,
  record: Omit<TestRecord, 'topic' | 'series'>,
): void {
  const bytes = Buffer.from(`<${record.text}>`);
  const { time, flags, lineBreaks } = record;
  if (lineBreaks) batch.append(time, source, flags, bytes, 1, bytes.length - 1, lineBreaks);
  else batch.append(time, source, flags, bytes, 1, bytes.length - 1);
}

/** Lets what is under way on a disk in memory come to rest. */
export async function settle(turns = 60): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
