import { parseArgs } from 'node:util';

import { messageOf } from '../../../lib/errors';
import { MODES } from './modes';
import { type ModeOutcome, type RoundReport, runMode } from './suite';

const USAGE = `usage: npm run crash -- [--rounds N] [--mode NAME]... [--seed N] [--json]

Kills Node-RED at random moments while messages come, for each mode of the table in docs/delivery.md, and looks in S3
for every message. The last line is the sum; with --json it is one JSON object, {modes: [...]}. Fails when a mode did
not keep its promise.
`;

interface Settings {
  rounds: number;
  seed: number;
  names: readonly string[];
  json: boolean;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      mode: { type: 'string', multiple: true, default: MODES.map(({ name }) => name) },
      json: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'rounds' | 'seed', least: number): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`--${name} ${values[name]} is no number`);
    return value;
  };
  const known = MODES.map(({ name }) => name);
  const unknown = values.mode.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no mode "${unknown}"; there are: ${known.join(', ')}`);
  return { rounds: number('rounds', 1), seed: number('seed', 0), names: values.mode, json: values.json };
}

function say(line: string): void {
  console.error(line);
}

function sayRound({ mode, round, killed, when, lost, oldest, duplicates, seconds }: RoundReport): void {
  say(
    `${mode}, round ${round + 1}: ${killed} killed ${when}: ${lost} lost${lost > 0 ? ` (the oldest ${Math.round(oldest)} ms)` : ''}, ` +
      `${duplicates} duplicates, ${seconds.toFixed(1)} s`,
  );
}

async function main({ rounds, seed, names, json }: Settings): Promise<void> {
  say(`seed ${seed}`);
  const outcomes: ModeOutcome[] = [];
  for (const [index, mode] of MODES.entries()) {
    if (!names.includes(mode.name)) continue;
    const outcome = await runMode(mode, rounds, seed + index, sayRound);
    const { result, broken, seconds } = outcome;
    say(
      `${mode.name} (${result.promised}): ${result.lost} of ${result.messages} lost, ${result.duplicates} duplicates, ` +
        `${(seconds / rounds).toFixed(1)} s a round`,
    );
    for (const what of broken) say(`  NOT KEPT: ${what}`);
    outcomes.push(outcome);
  }
  const failed = outcomes.filter(({ broken }) => broken.length > 0);
  if (json) console.log(JSON.stringify({ modes: outcomes.map(({ result }) => result) }));
  else
    console.log(
      failed.length === 0 ? 'every mode kept its promise' : `${failed.length} modes did not keep theirs`,
    );
  process.exit(failed.length === 0 ? 0 : 1);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Ends what was started as well.
  process.once(signal, () => process.exit(1));
}

let chosen: Settings;
try {
  chosen = settings();
} catch (error) {
  say(`${messageOf(error)}\n\n${USAGE}`);
  process.exit(2);
}
main(chosen).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
