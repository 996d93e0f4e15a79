import { setTimeout as pause } from 'node:timers/promises';

import { mulberry32 } from '../../../demo/weld-messages';
import { Mosquitto } from '../../support/mosquitto';
import { type Fault, FAULTS } from './faults';
import { MemorySamples, residentMb } from './memory-samples';
import { MESSAGES, messagesOf } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, JOURNAL, WINDOW } from './modes';

/** What became of a long run. */
export interface SoakResult {
  minutes: number;
  messages: number;
  /** Messages that are not in S3 and were promised to be: with a journal alone, those that were said to be journaled. */
  lost: number;
  /** Messages that a kill of Node-RED took from a journal before their commit. */
  lostBeforeCommit: number;
  duplicates: number;
  faults: Record<string, number>;
  rssMbMax: number;
  /** MB a minute. */
  rssSlope: number;
  /** Whether every ledger that a node told was balanced. */
  ledgerBalanced: boolean;
}

export interface SoakOptions {
  minutes: number;
  seed: number;
  /** Messages a second, to each of the modes. */
  rate: number;
  say: (line: string) => void;
}

/** What became of the messages of one mode. */
type SoakBooks = Pick<SoakResult, 'messages' | 'lost' | 'lostBeforeCommit' | 'duplicates'>;

/** From the end of one fault to the next, s. */
const LEAST_PEACE = 10;
const MOST_PEACE = 30;
/** What stands still does so for, s. */
const LEAST_STANDSTILL = 2;
const MOST_STANDSTILL = 15;
const SAMPLE_EVERY = 2000; // ms
/** What a process is given to load its code and to fill its heap, min. */
const WARM_UP = 1;
/** How long the rest of the messages may take when all works again, ms. */
const PATIENCE = 300_000;
const POLL = 2000; // ms
const MODES = [HELD_UNTIL_JOURNALED, JOURNAL];
const BROKER = [`max_inflight_messages ${WINDOW}`];
const CONNECTION = { connectTimeout: 2, requestTimeout: 5 };

/** Messages at a steady rate through the modes that promise something and need no second machine, while things fail. */
export async function soak({ minutes, seed, rate, say }: SoakOptions): Promise<SoakResult> {
  const broker = await Mosquitto.start(BROKER);
  const runs: ModeRun[] = [];
  try {
    for (const mode of MODES)
      runs.push(await ModeRun.start(mode, { mqttUrl: broker.url, changes: { connection: CONNECTION } }));
    const memory = new MemorySamples();
    const over = new AbortController();
    const until = performance.now() + minutes * 60_000;
    const sampling = sample(runs, memory, over.signal);
    const faults: Record<string, number> = {};
    await Promise.all([
      ...runs.map((run) => publishUntil(until, run, rate)),
      failUntil(until, runs, broker, seed, (name) => {
        faults[name] = (faults[name] ?? 0) + 1;
        const sofar = runs.map(({ mode, published }) => `${mode.name} ${published.size}`).join(', ');
        say(`${name}; published: ${sofar}; memory at most ${Math.round(memory.max)} MB`);
      }),
    ]);
    say('all is published, and nothing fails any more');
    const books: SoakBooks[] = [];
    for (const run of runs) books.push(await close(run, say));
    over.abort();
    await sampling;
    const sum = (value: (one: SoakBooks) => number): number =>
      books.reduce((total, one) => total + value(one), 0);
    return {
      minutes,
      messages: sum((one) => one.messages),
      lost: sum((one) => one.lost),
      lostBeforeCommit: sum((one) => one.lostBeforeCommit),
      duplicates: sum((one) => one.duplicates),
      faults,
      rssMbMax: Math.round(memory.max),
      rssSlope: Number(memory.slope(WARM_UP).toFixed(2)),
      ledgerBalanced: runs.every(({ wrongLedgers }) => wrongLedgers.length === 0),
    };
  } finally {
    for (const run of runs) await run.remove();
    await broker.remove();
  }
}

async function publishUntil(until: number, run: ModeRun, rate: number): Promise<void> {
  for (let round = 0; performance.now() < until; round++)
    await run.publish(messagesOf(run.root, run.mode.name, round), (MESSAGES / rate) * 1000);
}

/** Lets one thing fail after another: every kind once before any does again, in an order and at times of chance. */
async function failUntil(
  until: number,
  runs: readonly ModeRun[],
  broker: Mosquitto,
  seed: number,
  happened: (name: string) => void,
): Promise<void> {
  const random = mulberry32(seed);
  const between = (least: number, most: number): number => 1000 * (least + random() * (most - least));
  let left: Fault[] = [];
  for (;;) {
    const peace = between(LEAST_PEACE, MOST_PEACE);
    const ms = between(LEAST_STANDSTILL, MOST_STANDSTILL);
    if (performance.now() + peace + ms > until) break;
    await pause(peace);
    if (left.length === 0) left = [...FAULTS];
    const [fault] = left.splice(Math.floor(random() * left.length), 1);
    const run = runs[Math.floor(random() * runs.length)];
    const member = run?.members[0];
    if (!fault || !member) throw new Error('there is nothing that can fail');
    await fault.happen({ member, broker, ms });
    happened(`${fault.name} (${run.mode.name})`);
  }
}

async function sample(runs: readonly ModeRun[], memory: MemorySamples, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { instance } of runs.flatMap(({ members }) => members)) {
      const { pid } = instance.process;
      const mb = await residentMb(pid);
      if (mb !== undefined) memory.add(pid, mb, performance.now());
    }
    await pause(SAMPLE_EVERY, undefined, { signal }).catch(() => undefined);
  }
}

/** Waits for what is under way, and looks in S3 for every message. */
async function close(run: ModeRun, say: (line: string) => void): Promise<SoakBooks> {
  const { mode, done, wrongLedgers } = run;
  const began = performance.now();
  for (;;) {
    const { messages, lost, duplicates } = await run.books();
    // A journal promises what it said to have; of the rest, a kill may take what was not committed.
    const promised = mode.promised === 'none lost' ? lost : lost.filter((number) => done.has(number));
    const isOver = promised.length === 0 && run.members.every(({ instance }) => instance.isIdle);
    if (!isOver && performance.now() - began < PATIENCE) {
      await pause(POLL);
      continue;
    }
    for (const ledger of wrongLedgers.slice(0, 3)) say(`${mode.name}: a ledger is not balanced: ${ledger}`);
    if (promised.length > 0) say(`${mode.name}: lost are ${promised.slice(0, 10).join(', ')}…`);
    return {
      messages,
      lost: promised.length,
      lostBeforeCommit: lost.length - promised.length,
      duplicates,
    };
  }
}
