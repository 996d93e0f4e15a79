import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

import { weldMessages } from '../demo/weld-messages';
import { BatchWriter, type BatchWriterSettings } from '../lib/batch';
import { S3BatchError } from '../lib/errors';
import type { ObjectStore, PutOptions } from '../lib/store/object-store';
import { S3Store } from '../lib/store/s3-store';
import { TestBuckets } from '../test/services/buckets';
import { diskFolder, environment, median, type Pauses, round, watchLoop } from './measure';
import { weldingSettings } from './welding';

const BATCHES = 1000;
/** Records of a batch. */
const BATCH = 1000;
const A_TURN = 500;
const ROUNDS = 4;
const UPLOADS = 4;
/** The nodes' default: most bytes of memory over all batches. */
const MEMORY = 256 * 1024 ** 2;
const COMMIT = { ms: 20, records: 1000 };
const MB = 1e6;

interface StoredObject {
  bucket: string;
  key: string;
  body: Buffer;
  options: PutOptions;
}

/** The real store behind a door: while it is away, every request fails as one that reaches nobody. */
class Door implements Pick<ObjectStore, 'put'> {
  isOpen = false;
  readonly objects: StoredObject[] = [];

  constructor(private readonly store: ObjectStore) {}

  async put(bucket: string, key: string, body: Buffer, options: PutOptions): Promise<{ etag: string }> {
    if (!this.isOpen) throw new S3BatchError('STORE_UNREACHABLE', 'the store is away');
    const answer = await this.store.put(bucket, key, body, options);
    this.objects.push({ bucket, key, body, options });
    return answer;
  }
}

interface Drained {
  seconds: number;
  pauses: Pauses;
}

/**
 * While a real Ceph is away, 1,000 batches are sealed; when it is back, they are stored as a node stores them, beside
 * the same objects stored by nothing but as many PUTs at a time. Two backlogs: what the process has in memory by then
 * (and in its journal), and what it finds in its journal after a crash, where each batch is read and encoded as well.
 * A pause of the event loop is told with the processor time that its thread took in one: the gateway and the store's
 * disks run on the same processors, and what is beyond that time the thread waited for one.
 */
export async function backlog(): Promise<Record<string, unknown>> {
  const access = {
    endpoint: environment('S3_ENDPOINT'),
    region: environment('S3_REGION'),
    accessKey: environment('S3_ACCESS_KEY'),
    secretKey: environment('S3_SECRET_KEY'),
  };
  const store = new S3Store({
    endpoint: access.endpoint,
    region: access.region,
    credentials: { accessKeyId: access.accessKey, secretAccessKey: access.secretKey },
    pathStyle: true,
    connectTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
  });
  const buckets = new TestBuckets(access);
  await buckets.create('plant-1');
  const folder = await mkdtemp(path.join(await diskFolder(), 's3-batch-bench-'));
  const outages: Drained[] = [];
  const crashes: Drained[] = [];
  const puts: Drained[] = [];
  let objects: readonly StoredObject[] = [];
  try {
    for (let n = -1; n < ROUNDS; n++) {
      const own = path.join(folder, String(n));
      // A store that has rested is slower at first: in every other round the PUTs, of the round before, meet it as such.
      const isFirst = n % 2 !== 0 && n > 0;
      const former = objects;
      let plain: Drained | undefined;
      const outlasted = await outlast(store, own, async () => {
        if (isFirst) plain = await putAll(store, former);
      });
      const { outage, left } = outlasted;
      objects = outlasted.objects;
      plain ??= await putAll(store, objects);
      const crash = await takeUp(store, left);
      await rm(own, { recursive: true });
      if (n < 0) continue; // the first round warms up
      outages.push(outage);
      crashes.push(crash);
      puts.push(plain);
    }
  } finally {
    await buckets.removeAll();
    store.destroy();
    await rm(folder, { recursive: true, force: true });
  }
  const ratioOf = (drained: readonly Drained[]): number =>
    round(median(drained.map(({ seconds }, n) => (puts[n]?.seconds ?? NaN) / seconds)), 3);
  const bytes = objects.reduce((sum, { body }) => sum + body.length, 0);
  const rateOf = (drained: readonly Drained[]): number =>
    round(bytes / MB / median(drained.map(({ seconds }) => seconds)), 1);
  const pauseOf = (drained: readonly Drained[], what: keyof Pauses): number =>
    round(median(drained.map(({ pauses }) => pauses[what])), 1);
  return {
    batches: BATCHES,
    rounds: ROUNDS,
    objectBytes: Math.round(bytes / BATCHES),
    ratio: ratioOf(outages),
    drainMBs: rateOf(outages),
    putMBs: rateOf(puts),
    loopBlockMs: pauseOf(outages, 'longest'),
    loopWorkMs: pauseOf(outages, 'worked'),
    putLoopBlockMs: pauseOf(puts, 'longest'),
    putLoopWorkMs: pauseOf(puts, 'worked'),
    ratioAfterCrash: ratioOf(crashes),
    drainAfterCrashMBs: rateOf(crashes),
    loopBlockAfterCrashMs: pauseOf(crashes, 'longest'),
    loopWorkAfterCrashMs: pauseOf(crashes, 'worked'),
  };
}

function openWriter(store: Door, folder: string): BatchWriter {
  const settings: BatchWriterSettings = {
    ...weldingSettings(store as unknown as ObjectStore, BATCH),
    uploads: UPLOADS,
    memory: MEMORY,
    journal: { folder, commit: COMMIT },
  };
  return new BatchWriter(settings, { stored: () => undefined, failed: () => undefined });
}

/**
 * Fills batches while the store is away, and drains them when it is back.
 * @param rested does what is to be measured when all is ready to be drained
 */
async function outlast(store: ObjectStore, folder: string, rested: () => Promise<void>) {
  const door = new Door(store);
  const own = path.join(folder, 'node');
  const writer = openWriter(door, own);
  await writer.opened;
  let appended = 0;
  for (const { topic, payload } of weldMessages({
    count: BATCHES * BATCH,
    plants: 1,
    stations: 20,
    seconds: 3600,
  })) {
    writer.append(topic, payload, Date.now());
    if (++appended % A_TURN === 0) await nextTurn();
    if (appended % (10 * BATCH) === 0) await writer.commit();
  }
  await writer.commit();
  if (writer.uploads.pending !== BATCHES) throw new Error(`${writer.uploads.pending} batches wait`);
  // What a crash would leave.
  const left = path.join(folder, 'left');
  await cp(own, left, { recursive: true, filter: (name) => name === own || name.endsWith('.journal') });
  await encoded(writer);
  await rested();
  const outage = await drain(door, writer);
  await writer.close(0);
  return { outage, objects: door.objects, left };
}

/** Waits until all that fits is encoded: an outage that leaves 1,000 batches takes longer than that. */
async function encoded(writer: BatchWriter): Promise<void> {
  let held = Infinity;
  while (held > writer.heldBytes) {
    held = writer.heldBytes;
    await pause(500);
  }
}

async function takeUp(store: ObjectStore, folder: string): Promise<Drained> {
  const door = new Door(store);
  const writer = openWriter(door, folder);
  await writer.opened;
  const drained = await drain(door, writer);
  await writer.close(0);
  if (door.objects.length !== BATCHES) throw new Error(`${door.objects.length} objects were stored`);
  return drained;
}

async function drain(door: Door, writer: BatchWriter): Promise<Drained> {
  const loop = watchLoop();
  const began = performance.now();
  door.isOpen = true;
  await writer.flush();
  return { seconds: (performance.now() - began) / 1000, pauses: loop.end() };
}

/** What PUTs of the objects take, as many at a time, under other names. */
async function putAll(store: ObjectStore, objects: readonly StoredObject[]): Promise<Drained> {
  const prefix = randomUUID();
  const left = objects.values();
  const work = async (): Promise<void> => {
    for (const { bucket, key, body, options } of left)
      await store.put(bucket, `${prefix}/${key}`, body, options);
  };
  const loop = watchLoop();
  const began = performance.now();
  await Promise.all(Array.from({ length: UPLOADS }, work));
  return { seconds: (performance.now() - began) / 1000, pauses: loop.end() };
}
