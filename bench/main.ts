import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { messageOf } from '../lib/errors';

interface Bench {
  /** Whether it measures on the real broker and the real store. */
  services: boolean;
  what: string;
  run: (options: { objects?: string }) => Promise<Record<string, unknown>>;
}

const BENCHES: Record<string, Bench> = {
  ingest: {
    services: true,
    what: 'messages from a real Mosquitto into s3-batch-out: in memory, with journal, with held acknowledgements',
    run: async () => (await import('./ingest.js')).ingest(),
  },
  size: {
    services: false,
    what: 'bytes of an object with its index, against gzip -6 of the same lines',
    run: async () => (await import('./size.js')).size(),
  },
  journal: {
    services: false,
    what: 'what keeping batches on disk costs a record, against memory alone, and how fast they come back',
    run: async () => (await import('./journal.js')).journal(),
  },
  recovery: {
    services: false,
    what: 'a journal of 1 GiB taken up by a new process: how fast, and in how much memory',
    run: async () => (await import('./recovery.js')).recovery(),
  },
  backlog: {
    services: true,
    what: '1,000 sealed batches stored on a real Ceph RGW after an outage, against nothing but the PUTs',
    run: async () => (await import('./backlog.js')).backlog(),
  },
  query: {
    services: true,
    what: 'one device and one record out of an object on a real Ceph RGW, against downloading the object',
    run: async () => (await import('./query.js')).query(),
  },
  archive: {
    services: true,
    what: 'one device and one hour out of 10 million records of 30 days (--objects 1000), against downloading the day',
    run: async (options) => (await import('./archive.js')).archive(options),
  },
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, objects: { type: 'string' } },
  });
  const name = positionals[0] ?? '';
  const bench = BENCHES[name];
  if (!bench) {
    console.error('usage: npm run bench -- NAME [--json]');
    for (const [known, { what }] of Object.entries(BENCHES)) console.error(`  ${known.padEnd(8)} ${what}`);
    return 2;
  }
  if (bench.services && !process.env.S3_ENDPOINT) return withServices();
  const { json, ...options } = values;
  const result = await bench.run(options);
  if (!json) console.table(result);
  console.log(JSON.stringify(result));
  return 0;
}

/** Runs this command again beside the real services. */
function withServices(): number {
  const script = path.resolve(__dirname, '..', '..', 'services', 'with-services.sh');
  const { status } = spawnSync('bash', [script, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
  });
  return status ?? 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`bench: ${messageOf(error)}`);
    process.exit(1);
  },
);
