import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { weldingWriter } from '../../bench/welding';
import { mulberry32 } from '../../demo/weld-messages';
import type { ObjectStore } from '../../lib/store/object-store';
import type { S3Access } from '../services/environment';
import { PYTHON } from '../support/python';
import { awsVariables, type Output, python, ROOT, run } from './python';

const PAGE = path.join(ROOT, 'docs/analytics.md');
const HOUR = 3_600_000;

/** A snippet of docs/analytics.md. */
export interface Snippet {
  name: string;
  language: string;
  code: string;
  /** What it prints; undefined where that is not told. */
  prints: string | undefined;
  /** Commands and packages. */
  needs: string[];
  /** Run when somebody asks for it. */
  onRequest: boolean;
  /** Run on a real store, whose figures it prints. */
  onCeph: boolean;
}

/** @throws Error when a snippet is not marked as one that is run */
export function snippetsOfThePage(): Snippet[] {
  const text = readFileSync(PAGE, 'utf8');
  const fence = /(?:<!-- run: ([^>]*) -->\n)?```(\w+)\n([^]*?)```\n(?:\n```text\n([^]*?)```)?/g;
  const snippets = [...text.matchAll(fence)].map(([, mark, language = '', code = '', prints]): Snippet => {
    if (mark === undefined) throw new Error(`a snippet in ${PAGE} is not marked as run:\n${code}`);
    const [name = '', ...hints] = mark.split('; ');
    const needs = hints.find((hint) => hint.startsWith('needs '))?.split(' ');
    return {
      name,
      language,
      code,
      prints,
      needs: needs?.slice(1) ?? [],
      onRequest: hints.includes('on request'),
      onCeph: hints.includes('on Ceph'),
    };
  });
  assert.equal(snippets.length, text.split('\n').filter((line) => /^```(python|sh|sql)/.test(line)).length);
  return snippets;
}

/** Stores what the page says that plant-1 holds. */
export async function writeAnalyticsArchive(store: ObjectStore): Promise<void> {
  await writeSpots(store, 'plant-1', 20_000, Date.UTC(2018, 9, 1, 17, 10, 35), HOUR);
  await writeSpots(store, 'plant-1', 10_000, Date.UTC(2018, 9, 2, 6), HOUR);
}

/** Stores the day that the figures of the page are of. */
export function writeDayOfFigures(store: ObjectStore, bucket: string): Promise<void> {
  return writeSpots(store, bucket, 240_000, Date.UTC(2018, 9, 3), 24 * HOUR);
}

/** Spots of 20 stations, the same each time; the numbers that the page shows are those of these spots. */
async function writeSpots(
  store: ObjectStore,
  bucket: string,
  count: number,
  start: number,
  duration: number,
): Promise<void> {
  const writer = weldingWriter(store, 10_000);
  const random = mulberry32(start / 1000);
  for (let n = 0; n < count; n++) {
    const station = 1 + Math.floor(random() * 20);
    const time = new Date(start + Math.floor((n * duration) / count / 1000) * 1000);
    const current = 9 + random();
    const wear = (n / count) * 0.1 + station * 0.004;
    const weldspot = {
      Timestamp: time.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', ' '),
      SpotId: 10_000 + Math.floor(random() * 400),
      Voltage: round(current * (0.14 + random() * 0.01) + wear),
      Current: round(current),
      Quality: random() < 0.98 ? 'OK' : 'NOK',
    };
    const payload = Buffer.from(JSON.stringify({ weldspot }));
    writer.append(`ROOT/JSON/NONE/${bucket}/WELDING-STATION-${station}/WELD/1`, payload, start);
    if (n % 10_000 === 0) await setImmediate();
  }
  await writer.flush();
}

function round(value: number): number {
  return Number(value.toFixed(3));
}

/** A folder to run snippets in, as one who followed the page has it. */
export class Workplace {
  private constructor(
    readonly folder: string,
    readonly s3: S3Access,
  ) {}

  static async make(s3: S3Access): Promise<Workplace> {
    const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-'));
    await cp(path.join(ROOT, 'examples/python/offset_index.py'), path.join(folder, 'offset_index.py'));
    return new Workplace(folder, s3);
  }

  /** Puts the objects of a bucket where the page's download puts them. */
  async addObjects(store: ObjectStore, bucket: string): Promise<void> {
    for await (const { objects } of store.list(bucket)) {
      for (const { key, size } of objects) {
        const file = path.join(this.folder, bucket, key);
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, (await store.getRange(bucket, key, { offset: 0, length: size })).bytes);
      }
    }
  }

  /** DuckDB finds the extension that pip installed where INSTALL would put it. */
  async addHttpfs(): Promise<void> {
    const ask = (expression: string): Promise<string> =>
      python(['-c', `import duckdb, duckdb_extension_httpfs as own; print(${expression}, end="")`]);
    const version = await ask('duckdb.sql("PRAGMA version").fetchone()[0]');
    const platform = await ask('duckdb.sql("PRAGMA platform").fetchone()[0]');
    await cp(
      path.join(await ask('own.__path__[0]'), 'extensions', version),
      path.join(this.folder, '.duckdb/extensions', version, platform),
      { recursive: true },
    );
  }

  async run({ language, code, onRequest }: Snippet): Promise<Output> {
    const env = {
      ...awsVariables(this.s3),
      PATH: `${path.dirname(PYTHON)}:${process.env.PATH ?? ''}`,
      PYSPARK_PYTHON: PYTHON,
      // What Spark fetches from Maven stays for the next time; everything else finds nothing of the user's.
      ...(!onRequest && { HOME: this.folder }),
    };
    if (language === 'sh')
      return run(['-euo', 'pipefail', '-c', code], { command: 'bash', cwd: this.folder, env });
    await writeFile(path.join(this.folder, 'snippet.py'), code);
    return run(['snippet.py'], { cwd: this.folder, env });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
