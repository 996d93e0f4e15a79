import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { weldMessages } from '../demo/weld-messages';
import { BatchWriter, type BatchWriterSettings } from '../lib/batch';
import type { ObjectStore } from '../lib/store/object-store';
import { diskFolder, median, round, watchLoop } from './measure';
import { weldingSettings } from './welding';

const BYTES = 1024 ** 3;
const ROUNDS = 5;
const MESSAGES = 50_000;
const BATCH = 10_000;
const A_TURN = 500;
/** The nodes' default: most bytes of memory over all batches. */
const CAP = 256 * 1024 ** 2;
const COMMIT = { ms: 20, records: 1000 };
const MB = 1e6;

/** What a process tells of a recovery. */
interface Recovered {
  records: number;
  bytes: number;
  seconds: number;
  /** Most of the process's memory (resident) beyond what it was before, bytes. */
  memory: number;
  /** Bytes that the writer says its batches hold. */
  held: number;
  pauseMs: number;
}

/**
 * A journal of 1 GiB that a process left which ended without a word, its store away all the time; another process takes
 * it up, with the store still away. Each round has processes of its own, so that memory is that of the recovery alone.
 */
export async function recovery(): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(path.join(await diskFolder(), 's3-batch-bench-'));
  try {
    const { records } = (await inProcess('write', folder)) as { records: number };
    const rounds: Recovered[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const round = (await inProcess('recover', folder)) as Recovered;
      if (round.records !== records) throw new Error(`${round.records} of ${records} records were recovered`);
      rounds.push(round);
    }
    const medianOf = (value: (one: Recovered) => number): number => median(rounds.map(value));
    return {
      records,
      rounds: ROUNDS,
      journalMiB: Math.round(medianOf(({ bytes }) => bytes) / 1024 ** 2),
      recoverySeconds: round(
        medianOf(({ seconds }) => seconds),
        2,
      ),
      recoveryMBps: Math.round(medianOf(({ bytes, seconds }) => bytes / MB / seconds)),
      heldMiB: Math.round(Math.max(...rounds.map(({ held }) => held)) / 1024 ** 2),
      peakMemoryMiB: Math.round(Math.max(...rounds.map(({ memory }) => memory)) / 1024 ** 2),
      capMiB: CAP / 1024 ** 2,
      loopBlockMs: round(
        medianOf(({ pauseMs }) => pauseMs),
        1,
      ),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Work = 'write' | 'recover';

async function inProcess(work: Work, folder: string): Promise<unknown> {
  const child = fork(__filename, [work, path.join(folder, 'node')]);
  const ended = once(child, 'exit');
  const answered = once(child, 'message');
  const [answer] = (await Promise.race([
    answered,
    ended.then(([code]) => {
      throw new Error(`the process to ${work} ended with ${String(code)}`);
    }),
  ])) as [unknown];
  child.kill('SIGKILL');
  await ended;
  return answer;
}

function openWriter(folder: string, onRecovered: (records: number) => void): BatchWriter {
  const away = { put: () => new Promise(() => undefined) } as unknown as ObjectStore;
  const settings: BatchWriterSettings = {
    ...weldingSettings(away, BATCH),
    memory: CAP,
    journal: { folder, commit: COMMIT },
  };
  return new BatchWriter(settings, {
    stored: () => undefined,
    failed: (error) => {
      throw error;
    },
    recovered: ({ records, damage, unreadable }) => {
      if (damage.length > 0 || unreadable.length > 0) throw new Error('the journal is damaged');
      onRecovered(records);
    },
  });
}

async function write(folder: string): Promise<{ records: number }> {
  const writer = openWriter(folder, () => undefined);
  await writer.opened;
  const messages = [...weldMessages({ count: MESSAGES, plants: 1, stations: 20 })];
  while ((writer.journal?.bytes ?? 0) < BYTES) {
    for (let from = 0; from < messages.length; from += A_TURN) {
      for (const { topic, payload } of messages.slice(from, from + A_TURN))
        writer.append(topic, payload, Date.now());
      await nextTurn();
      if (from % BATCH === 0) await writer.commit();
    }
    await writer.commit();
  }
  return { records: writer.openRecords };
}

async function recover(folder: string): Promise<Recovered> {
  const before = process.memoryUsage.rss();
  let records = 0;
  const loop = watchLoop();
  const began = performance.now();
  const writer = openWriter(folder, (count) => (records = count));
  await writer.opened;
  const seconds = (performance.now() - began) / 1000;
  const memory = process.resourceUsage().maxRSS * 1024 - before;
  const { longest: pauseMs } = loop.end();
  return {
    records,
    bytes: writer.journal?.bytes ?? 0,
    seconds,
    memory,
    held: writer.heldBytes,
    pauseMs,
  };
}

if (require.main === module) {
  const [work, folder = ''] = process.argv.slice(2);
  const doing: Promise<unknown> = work === 'write' ? write(folder) : recover(folder);
  doing.then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}
