import { mulberry32 } from '../../../demo/weld-messages';
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

/** A message that was lost, and how long before the kill it had come, ms. */
interface Lost {
  number: number;
  age: number;
}

/**
 * A journal holds what came before its last commit. A message is older than its age by the publisher's clock tells
 * only by its way through the broker and the event loop, and a commit takes as long as the disk does.
 */
export const COMMIT_ALLOWANCE_MS = 500;

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
    const allLost: Lost[] = [];
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      const since = performance.now();
      const { member, moment } = next();
      const { lost, duplicates } = await playRound(run, round, { member, moment }, random);
      allLost.push(...lost);
      report({
        mode: mode.name,
        round,
        killed: member.role.name,
        when: moment.name,
        lost: lost.length,
        oldest: Math.max(0, ...lost.map(({ age }) => age)),
        duplicates,
        seconds: (performance.now() - since) / 1000,
      });
    }
    const seconds = (performance.now() - began) / 1000;
    const { messages, lost, duplicates } = await run.books();
    const result = {
      name: mode.name,
      promised: mode.promised,
      rounds,
      messages,
      lost: lost.length,
      duplicates,
    };
    return { result, broken: broken(run, lost, allLost), seconds };
  } finally {
    await run.remove();
  }
}

async function playRound(
  run: ModeRun,
  round: number,
  { member, moment }: Kill,
  random: () => number,
): Promise<{ lost: Lost[]; duplicates: number }> {
  const messages = messagesOf(run.root, run.mode.name, round);
  const otherProxies = run.members.filter((other) => other !== member).map(({ proxy }) => proxy);
  const published = run.publish(messages);
  await Promise.all([
    published,
    moment.kill({ ...member, otherProxies, random }).then(() => member.instance.start()),
  ]);
  if (run.mode.promised === 'none lost') await run.settle(messages, round);
  else await run.flush(round);
  const { lost, duplicates } = await run.booksOf(messages, round);
  const ageOf = (number: number): number => member.instance.ageAtKill(run.published.get(number) ?? NaN);
  return { lost: lost.map((number) => ({ number, age: ageOf(number) })), duplicates };
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

function broken(run: ModeRun, lost: readonly number[], allLost: readonly Lost[]): string[] {
  const { promised } = run.mode;
  if (promised === 'none lost') {
    return lost.length === 0 ? [] : [`${lost.length} messages are lost, the first ones ${some(lost)}`];
  }
  if (promised === 'nothing') return [];
  const said = lost.filter((number) => run.done.has(number));
  const old = allLost.filter(({ age }) => age > COMMIT_MS + COMMIT_ALLOWANCE_MS);
  return [
    ...(said.length > 0
      ? [`${said.length} messages are lost that were said to be journaled: ${some(said)}`]
      : []),
    ...(old.length > 0
      ? [
          `${old.length} messages are lost that had come more than ${COMMIT_MS + COMMIT_ALLOWANCE_MS} ms before ` +
            `a kill: ${some(old.map(({ number, age }) => `${number} (${Math.round(age)} ms)`))}`,
        ]
      : []),
  ];
}

function some(items: readonly (number | string)[]): string {
  return items.slice(0, 10).join(', ') + (items.length > 10 ? ', …' : '');
}
