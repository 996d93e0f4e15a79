import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { Layout } from '../lib/layout';
import {
  AttributeCache,
  counted,
  fetchRecords,
  findObjects,
  noProgress,
  noTraffic,
  type Query,
  requestsOf,
} from '../lib/query';
import type { ObjectStore } from '../lib/store/object-store';
import { S3Store } from '../lib/store/s3-store';
import { buildArchive, DAY, START } from './archive-build';
import { environment, median, round } from './measure';
import { WELDING_LAYOUT } from './welding';

const open = promisify(gunzip);
const STATION = 'WELDING-STATION-12';
const HOUR = 3600 * 1000;
const ROUNDS = 5;
const DEFAULT_OBJECTS = 1000;
/** Set for the process that builds: its memory would count as that of the queries. */
const BUILDING = 'S3_BATCH_BENCH_BUILDS';

/** One station and one hour out of an archive of 30 days in the real store, beside downloading and scanning the day. */
export async function archive({ objects: asked }: { objects?: string }): Promise<Record<string, unknown>> {
  const objects = Number(asked ?? DEFAULT_OBJECTS);
  if (!Number.isInteger(objects) || objects < 1) throw new Error('--objects takes a whole number from 1 on');
  const bucket = `archive-${objects}-plant-7`;
  const layout = layoutOf(objects);
  const store = connect();
  try {
    if (process.env[BUILDING]) {
      await createBucket(bucket);
      return await buildArchive(store, layout, bucket, objects);
    }
    const build = spawnSync(process.execPath, process.argv.slice(1), {
      env: { ...process.env, [BUILDING]: '1' },
      stdio: ['ignore', 2, 2],
    });
    if (build.status !== 0) throw new Error('the archive was not built; the next run goes on with it');
    return await measure(store, layout, bucket, objects);
  } finally {
    store.destroy();
  }
}

async function measure(store: ObjectStore, layout: Layout, bucket: string, objects: number) {
  // A smaller archive has fewer days, and as many objects in each.
  const day = START + Math.floor((Math.ceil((objects * 30) / 1000) - 1) / 2) * DAY;
  const query: Query = {
    levels: { 'PLANT-ID': 'PLANT-7', 'DEVICE-ID': STATION },
    from: day + 11 * HOUR,
    to: day + 12 * HOUR - 1,
  };
  const seconds: { index: number[]; again: number[]; day: number[] } = { index: [], again: [], day: [] };
  // The SDK takes its time to load, whatever is asked first.
  await ask(store, layout, query, new AttributeCache());
  const cache = new AttributeCache();
  const cold = await ask(store, layout, query, cache);
  const warm = await ask(store, layout, query, cache);
  for (let round = 0; round < ROUNDS; round++) {
    seconds.index.push((await ask(store, layout, query, new AttributeCache())).seconds);
    seconds.again.push((await ask(store, layout, query, cache)).seconds);
  }
  const whole = await ask(store, layout, { levels: query.levels ?? {} }, new AttributeCache());
  const rssMb = Math.max(cold.rssMb, warm.rssMb);
  let scanned = { records: 0, bytes: 0 };
  for (let round = 0; round < 2; round++) {
    const began = performance.now();
    scanned = await scanDay(store, layout, bucket, query);
    seconds.day.push((performance.now() - began) / 1000);
  }
  if (scanned.records !== cold.records || cold.records === 0 || warm.records !== cold.records) {
    throw new Error(`the query brought ${cold.records} records, and a scan of the day ${scanned.records}`);
  }
  return {
    objectsTotal: objects,
    objectsListed: cold.listed,
    objectsTouched: cold.touched,
    objectsMatching: cold.matching,
    records: cold.records,
    requests: cold.requests,
    requestsAgain: warm.requests,
    bytesFetched: cold.bytes,
    bytesDay: scanned.bytes,
    secondsIndex: round(median(seconds.index), 4),
    secondsAgain: round(median(seconds.again), 4),
    secondsDay: round(median(seconds.day), 4),
    rssMb,
    allRecords: whole.records,
    allRequests: whole.requests,
    allSeconds: round(whole.seconds, 2),
    allRssMb: whole.rssMb,
  };
}

/** Finds and fetches, object by object as a flow does that is given one message an object. */
async function ask(store: ObjectStore, layout: Layout, query: Query, cache: AttributeCache) {
  const traffic = noTraffic();
  const progress = noProgress();
  const touched = new Set<string>();
  const through = noting(counted(store, traffic), touched);
  let records = 0;
  let rss = 0;
  const began = performance.now();
  for await (const object of findObjects(through, layout, query, progress, { cache })) {
    for await (const found of fetchRecords(through, [object])) records += found.length;
    rss = Math.max(rss, process.memoryUsage.rss());
  }
  return {
    records,
    listed: progress.listed,
    touched: touched.size,
    matching: progress.matching,
    requests: requestsOf(traffic),
    bytes: traffic.bytes,
    seconds: (performance.now() - began) / 1000,
    rssMb: Math.round(rss / 1e6),
  };
}

/** The same store, noting which objects it is asked for. */
function noting(store: ObjectStore, keys: Set<string>): ObjectStore {
  return {
    put: store.put.bind(store),
    delete: store.delete.bind(store),
    buckets: store.buckets.bind(store),
    list: store.list.bind(store),
    head: (bucket, key, options) => {
      keys.add(key);
      return store.head(bucket, key, options);
    },
    getRange: (bucket, key, range, options) => {
      keys.add(key);
      return store.getRange(bucket, key, range, options);
    },
  };
}

/** Downloads the objects of the day, eight at a time, and looks at every line that names the station. */
async function scanDay(store: ObjectStore, layout: Layout, bucket: string, query: Query) {
  const { from = 0, to = 0 } = query;
  const partition = `dt=${new Date(from).toISOString().slice(0, 10)}/`;
  const listed: { key: string; size: number }[] = [];
  for await (const page of store.list(bucket, { prefix: partition })) listed.push(...page.objects);
  let bytes = 0;
  let records = 0;
  const work = async (): Promise<void> => {
    for (let object = listed.pop(); object; object = listed.pop()) {
      const part = await store.getRange(bucket, object.key, { offset: 0, length: object.size });
      bytes += part.bytes.length;
      const lines = await open(part.bytes);
      records += countIn(lines, layout, from, to);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return { bytes, records };
}

/** Weld spots of the station and the hour. */
function countIn(lines: Buffer, layout: Layout, from: number, to: number): number {
  let count = 0;
  for (const line of lines.toString('latin1').split('\n')) {
    if (line === '') continue;
    const { weldspot } = JSON.parse(line) as { weldspot: { Timestamp: string; Station: string } };
    if (weldspot.Station !== STATION) continue;
    const time = layout.parseTime(weldspot.Timestamp) ?? NaN;
    if (time >= from && time <= to) count++;
  }
  return count;
}

function layoutOf(objects: number): Layout {
  const { topic, key, timeField, timeFormat } = WELDING_LAYOUT;
  return new Layout({
    topic,
    key,
    buckets: [{ topic: 'ROOT/#', bucket: `archive-${objects}-{{PLANT-ID}}` }],
    time: { source: 'field', field: timeField, format: timeFormat, zone: 'UTC' },
  });
}

function connect(): S3Store {
  return new S3Store({
    endpoint: environment('S3_ENDPOINT'),
    region: environment('S3_REGION'),
    credentials: {
      accessKeyId: environment('S3_ACCESS_KEY'),
      secretAccessKey: environment('S3_SECRET_KEY'),
    },
    pathStyle: true,
    connectTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
  });
}

async function createBucket(bucket: string): Promise<void> {
  const client = new S3Client({
    endpoint: environment('S3_ENDPOINT'),
    region: environment('S3_REGION'),
    credentials: {
      accessKeyId: environment('S3_ACCESS_KEY'),
      secretAccessKey: environment('S3_SECRET_KEY'),
    },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}
