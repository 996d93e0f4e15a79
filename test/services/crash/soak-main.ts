import { parseArgs } from 'node:util';

import { soak, type SoakOptions } from './soak';

const USAGE = `usage: npm run soak -- [--minutes M] [--rate N] [--seed N] [--json]

Messages at a steady rate (N a second and mode) into S3 for M minutes, while Node-RED, the gateway and the broker are
killed, stopped or slow at times of chance. The last line is one JSON object with what became of the messages, and
memory in MB. Fails when a message is lost that was promised to be kept, when a ledger does not balance, or when memory
grows.
`;
/** More than this, MB a minute, is a leak. */
const MOST_GROWTH = 5;

function settings(): SoakOptions & { json: boolean } {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      rate: { type: 'string', default: '300' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'minutes' | 'rate' | 'seed'): number => {
    const value = Number(values[name]);
    if (!(value >= 0) || (name !== 'seed' && value === 0))
      throw new Error(`--${name} ${values[name]} is no number`);
    return value;
  };
  const say = (line: string): void => {
    console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
  };
  return { minutes: number('minutes'), rate: number('rate'), seed: number('seed'), json: values.json, say };
}

async function main(options: SoakOptions & { json: boolean }): Promise<void> {
  options.say(`seed ${options.seed}`);
  const result = await soak(options);
  if (!options.json) console.table(result);
  console.log(JSON.stringify(result));
  const isKept = result.lost === 0 && result.ledgerBalanced && result.rssSlope <= MOST_GROWTH;
  process.exit(isKept ? 0 : 1);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Ends what was started as well.
  process.once(signal, () => process.exit(1));
}

let chosen: SoakOptions & { json: boolean };
try {
  chosen = settings();
} catch (error) {
  console.error(`${String(error)}\n\n${USAGE}`);
  process.exit(2);
}
main(chosen).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
