import { cp, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { weldMessages } from '../demo/weld-messages';
import { BatchWriter, type BatchWriterSettings } from '../lib/batch';
import { Journal } from '../lib/journal';
import type { ObjectStore } from '../lib/store/object-store';
import { longestPause, median, round } from './measure';
import { SinkStore, weldingSettings } from './welding';

const RECORDS = 50_000;
/** As many come in one turn of the event loop when a broker has queued them. */
const A_TURN = 50;
const ROUNDS = 5;
const COMMIT = { ms: 20, records: 1000 };
const MB = 1e6;

/** What it costs to keep batches on disk, and how fast they come back: records are given as fast as they are taken. */
export async function journal(): Promise<Record<string, unknown>> {
  const messages = [...weldMessages({ count: RECORDS, plants: 1, stations: 20 })];
  const payloadBytes = messages.reduce((sum, { payload }) => sum + payload.length, 0);
  const memory: number[] = [];
  const disk: number[] = [];
  const committed: number[] = [];
  const recovery: { seconds: number; pause: number; bytes: number }[] = [];
  const readBack: number[] = [];
  for (let n = -1; n < ROUNDS; n++) {
    const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-bench-'));
    try {
      const plain = await appendAll(messages, undefined);
      const kept = await appendAll(messages, { folder: path.join(folder, 'node'), commit: COMMIT });
      const recovered = await recover(folder);
      if (n < 0) continue; // the first round warms up
      memory.push(plain.seconds);
      disk.push(kept.seconds);
      committed.push(kept.committed);
      recovery.push(recovered);
      readBack.push(recovered.readBack);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const bytes = median(recovery.map((one) => one.bytes));
  const nanoseconds = (seconds: number): number => Math.round((seconds / RECORDS) * 1e9);
  return {
    records: RECORDS,
    rounds: ROUNDS,
    memoryNsPerRecord: nanoseconds(median(memory)),
    journalNsPerRecord: nanoseconds(median(disk)),
    ratio: round(median(memory) / median(disk), 3),
    committedPerSecond: Math.round(RECORDS / median(committed)),
    diskBytesRatio: round(bytes / payloadBytes, 3),
    recoveryMBps: Math.round(bytes / MB / median(recovery.map(({ seconds }) => seconds))),
    recoveryPauseMs: round(median(recovery.map(({ pause }) => pause)), 1),
    readBackMBps: Math.round(bytes / MB / median(readBack)),
  };
}

/** Seconds that `append` took by itself, and to the last commit. */
async function appendAll(
  messages: readonly { topic: string; payload: Buffer }[],
  settings: BatchWriterSettings['journal'],
): Promise<{ seconds: number; committed: number }> {
  const store = new SinkStore() as unknown as ObjectStore;
  const writer = new BatchWriter(
    { ...weldingSettings(store, 0), journal: settings },
    {
      stored: () => undefined,
      failed: (error) => {
        throw error;
      },
    },
  );
  await writer.opened;
  const began = performance.now();
  let seconds = 0;
  for (let from = 0; from < messages.length; from += A_TURN) {
    const turn = performance.now();
    for (const { topic, payload } of messages.slice(from, from + A_TURN))
      writer.append(topic, payload, Date.now());
    seconds += (performance.now() - turn) / 1000;
    await nextTurn();
  }
  await writer.commit();
  const committed = (performance.now() - began) / 1000;
  if (settings) await keepFiles(settings.folder);
  await writer.close(60_000);
  return { seconds, committed };
}

/** What a crash would leave, set aside before the writer stores and forgets it. */
async function keepFiles(folder: string): Promise<void> {
  await cp(folder, `${folder}-left`, {
    recursive: true,
    filter: (name) => name === folder || name.endsWith('.journal'),
  });
}

async function recover(folder: string) {
  const left = path.join(folder, 'left');
  await rename(path.join(folder, 'node-left'), left);
  if ((await readdir(left)).length === 0) throw new Error('the journal left nothing');
  let seconds = 0;
  let readBack = 0;
  let bytes = 0;
  const pause = await longestPause(async () => {
    const began = performance.now();
    const opened = await Journal.open({ folder: left, commit: COMMIT });
    seconds = (performance.now() - began) / 1000;
    ({ bytes } = opened.journal);
    const reading = performance.now();
    let records = 0;
    for (const batch of opened.batches)
      await batch.read({ source: () => undefined, record: () => records++ });
    readBack = (performance.now() - reading) / 1000;
    await opened.journal.close();
    if (records !== RECORDS) throw new Error(`${records} of ${RECORDS} records came back`);
  });
  return { seconds, readBack, pause, bytes };
}
