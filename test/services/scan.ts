import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { type S3Access } from './environment';
import { numberInLine, type NumberedMessage } from './numbered-messages';

const run = promisify(execFile);
const SCRIPT = path.resolve(__dirname, '../../../test/services/scan.py');
const LARGE = { maxBuffer: 256 * 1024 * 1024 };

/** An object as tools see it that know nothing of the format. */
export interface ScannedObject {
  bucket: string;
  key: string;
  /** Bytes. */
  size: number;
  contentType: string;
  contentEncoding: string | null;
  /** User metadata as boto3 tells it. */
  attributes: Record<string, string>;
  /** What zcat makes of it, without the line feeds. */
  lines: string[];
  /** Rows that DuckDB and pandas count; null when they were not asked or are not there. */
  duckdb: number | null;
  pandas: number | null;
}

export interface Scan {
  objects: ScannedObject[];
  /** The numbers of all messages in all lines, sorted. */
  numbers: number[];
  /** Versions; null when the tool is not there. */
  duckdb: string | null;
  pandas: string | null;
}

/** Downloads all objects of the buckets with boto3 and unpacks them with zcat. */
export async function scanBuckets(
  s3: S3Access,
  buckets: readonly string[],
  { tools = false } = {},
): Promise<Scan> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-scan-'));
  try {
    const env = {
      ...process.env,
      S3_ENDPOINT: s3.endpoint,
      S3_REGION: s3.region,
      S3_ACCESS_KEY: s3.accessKey,
      S3_SECRET_KEY: s3.secretKey,
      ...(tools && { SCAN_TOOLS: '1' }),
    };
    const python = process.env.PYTHON ?? 'python3';
    const { stdout } = await run(python, [SCRIPT, folder, ...buckets], { ...LARGE, env });
    const found = JSON.parse(stdout) as Omit<Scan, 'objects' | 'numbers'> & {
      objects: (Omit<ScannedObject, 'lines'> & { file: string })[];
    };
    const objects: ScannedObject[] = [];
    for (const object of found.objects) objects.push({ ...object, lines: await zcat(object.file) });
    const numbers = objects.flatMap(({ lines }) => lines.map(numberInLine)).sort((a, b) => a - b);
    return { ...found, objects, numbers };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Fails unless each message was found once, and nothing else; tells which were not. */
export function assertEachOnce(found: readonly number[], messages: readonly NumberedMessage[]): void {
  const times = new Map(messages.map(({ number }) => [number, 0]));
  for (const number of found) times.set(number, (times.get(number) ?? 0) + 1);
  const wrong = [...times].filter(([, count]) => count !== 1).map(([number, count]) => ({ number, count }));
  assert.deepEqual(
    wrong.slice(0, 5),
    [],
    `${wrong.length} of ${messages.length} messages are not there once`,
  );
  assert.equal(found.length, messages.length);
}

async function zcat(file: string): Promise<string[]> {
  const { stdout } = await run('zcat', [file], LARGE);
  const lines = stdout.split('\n');
  if (lines.pop() !== '') throw new Error(`${file} does not end in a line feed`);
  return lines;
}

/** The objects of a bucket as s3cmd lists them. */
export async function listWithS3cmd(
  s3: S3Access,
  bucket: string,
): Promise<{ bucket: string; key: string; size: number }[]> {
  const { host, protocol } = new URL(s3.endpoint);
  const options = [
    ...['--config', '/dev/null', '--host', host, '--host-bucket', host, '--region', s3.region],
    ...['--access_key', s3.accessKey, '--secret_key', s3.secretKey],
    ...(protocol === 'http:' ? ['--no-ssl'] : []),
  ];
  const { stdout } = await run('s3cmd', [...options, 'ls', '--recursive', `s3://${bucket}`], LARGE).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Error('s3cmd is missing: apt-get install -y --no-install-recommends s3cmd', { cause: error });
    },
  );
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, size, key] = /^\S+ \S+ +(\d+) +s3:\/\/[^/]+\/(.*)$/.exec(line) ?? [];
      if (size === undefined || key === undefined) throw new Error(`s3cmd lists what is no object: ${line}`);
      return { bucket, key, size: Number(size) };
    });
}
