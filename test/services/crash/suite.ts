import { mulberry32 } from '../../../demo/weld-messages';
import type { Books } from './books';
import { COMMIT_MS } from './flow';
import { messagesOf } from './messages';
import { ModeRun, type Member } from './mode-run';
import type { Mode, Promised } from './modes';
import type { Moment } from './moments';

/** The books of one mode. */
export interface ModeResult {
  name: string;
  promised: Promised;
  rounds: number;
  messages: number;
  lost: number;
  duplicates: number;
}

export interface ModeOutcome {
  result: ModeResult;
  /** What is against the promise, for people; empty when all is well. */
  broken: string[];
  /** Records that were found in journals, after all kills together. */
  recovered: number;
  /** Of all rounds, without the first start and the last scan. */
  seconds: number;
}

/** What is told of a round that is over. */
export interface RoundReport {
  mode: string;
  round: number;
  killed: string;
  when: string;
  lost: number;
  /** How long before the kill the oldest of the lost had come, ms; 0 when none is lost. */
  oldest: number;
  duplicates: number;
  seconds: number;
}

interface Kill {
  member: Member;
  moment: Moment;
}

/**
 * What a journal may lose had come within the last commit, but for the way of a message through the broker and the
 * event loop, and for what a busy disk takes. That is a matter of the machine, so half of the kills may lose older ones.
 */
const COMMIT_ALLOWANCE_MS = 300;

/** Kills the Node-REDs of a mode again and again while messages come, and tells what became of these. */
export async function runMode(
  mode: Mode,
  rounds: number,
  seed: number,
  report: (round: RoundReport) => void = () => undefined,
): Promise<ModeOutcome> {
  const run = await ModeRun.start(mode);
  try {
    const random = mulberry32(seed);
    const next = kills(run.members, random);
    const oldest: number[] = [];
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      const since = performance.now();
      const { member, moment } = next();
      const { lost, duplicates } = await playRound(run, round, { member, moment }, random);
      const ages = lost.map((number) => member.instance.ageAtKill(run.published.get(number) ?? NaN));
      oldest.push(Math.max(0, ...ages));
      report({
        mode: mode.name,
        round,
        killed: member.role.name,
        when: moment.name,
        lost: lost.length,
        oldest: oldest[round] ?? 0,
        duplicates,
        seconds: (performance.now() - since) / 1000,
      });
    }
    const seconds = (performance.now() - began) / 1000;
    await run.rest();
    const { messages, lost, duplicates } = await run.books();
    const result = {
      name: mode.name,
      promised: mode.promised,
      rounds,
      messages,
      lost: lost.length,
      duplicates,
    };
    return { result, broken: notKept(run, lost, oldest), recovered: run.recovered, seconds };
  } finally {
    await run.remove();
  }
}

async function playRound(
  run: ModeRun,
  round: number,
  { member, moment }: Kill,
  random: () => number,
): Promise<Books> {
  const messages = messagesOf(run.root, run.mode.name, round);
  const otherProxies = run.members.filter((other) => other !== member).map(({ proxy }) => proxy);
  const published = run.publish(messages);
  await Promise.all([
    published,
    moment.kill({ ...member, otherProxies, random }).then(() => member.instance.start()),
  ]);
  if (run.mode.promised === 'none lost') await run.settle(messages);
  else await run.flush(round);
  return run.booksOf(messages);
}

/** The roles take turns, and of each its moments do, in an order of chance. */
function kills(members: readonly Member[], random: () => number): () => Kill {
  const left = new Map<Member, Moment[]>();
  let turn = 0;
  return () => {
    const member = members[turn++ % members.length]!;
    let moments = left.get(member) ?? [];
    if (moments.length === 0) moments = shuffled(member.role.moments, random);
    left.set(member, moments.slice(1));
    return { member, moment: moments[0]! };
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** @param oldest of each round: the age of the oldest message that was lost, ms */
function notKept(run: ModeRun, lost: readonly number[], oldest: readonly number[]): string[] {
  const { mode, done, wrongLedgers } = run;
  const broken: string[] = [];
  if (wrongLedgers.length > 0) broken.push(`ledgers do not balance: ${some(wrongLedgers)}`);
  if (mode.promised === 'none lost' && lost.length > 0) broken.push(`messages are lost: ${some(lost)}`);
  if (mode.promised === 'up to one commit') {
    const said = lost.filter((number) => done.has(number));
    if (said.length > 0) broken.push(`messages are lost that were said to be journaled: ${some(said)}`);
    const typical = Math.round(median(oldest));
    if (typical > COMMIT_MS + COMMIT_ALLOWANCE_MS) {
      broken.push(`half of the kills lost messages that had come ${typical} ms before or earlier`);
    }
  }
  return broken;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function some(items: readonly (number | string)[]): string {
  return `${items.length}, the first ones ${items.slice(0, 10).join(', ')}`;
}
