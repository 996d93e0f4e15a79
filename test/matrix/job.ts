import assert from 'node:assert/strict';
import { BUCKET, mainJob, type MainJob, type S3Access, type StoredObject, type WireRecord } from './flow';
import type { NodeRedProcess } from '../support/node-red-process';

const DEVICES = 20;
const RECORDS = 2000;
const PATIENCE = 60_000; // ms for each answer

const device = (number: number): string => `WELDER-${String(number).padStart(2, '0')}`;

/** Weld messages of an hour, and one payload of each device that is neither JSON nor text. */
function sentRecords(): WireRecord[] {
  const start = Date.UTC(2026, 0, 15, 10);
  const welds = Array.from({ length: RECORDS }, (_, record) => {
    const weldspot = {
      Timestamp: new Date(start + record * 1700).toISOString(),
      SpotName: `spot ${record % 37} ümläut`,
      CurrentCurve: [record, record * 1.5],
    };
    return {
      topic: `PLANT-1/${device(record % DEVICES)}/WELD`,
      payload: Buffer.from(JSON.stringify({ weldspot })).toString('base64'),
    };
  });
  const binaries = Array.from({ length: DEVICES }, (_, number) => ({
    topic: `PLANT-1/${device(number)}/CURVE`,
    payload: Buffer.from([0xff, 0x00, 0x0a, 0x0d, 0x80, number]).toString('base64'),
  }));
  return [...welds, ...binaries];
}

/** The package's main job through the flow of {@link mainJob}, which is deployed before. */
export async function doMainJob(nodeRed: NodeRedProcess, s3: S3Access, job: MainJob = {}): Promise<void> {
  await nodeRed.deploy(mainJob(s3, job));
  await runMainJob(nodeRed, job);
}

/**
 * Runs the flow of {@link mainJob}: records in, objects stored, all records and those of one device back, byte for byte.
 * @param times how often it has run with this bucket, this time included: each stores the same records once more
 */
export async function runMainJob(
  nodeRed: NodeRedProcess,
  { bucket = BUCKET }: MainJob = {},
  times = 1,
): Promise<void> {
  const ask = async (method: string, where: string, body?: unknown): Promise<unknown> =>
    answerOf(nodeRed.url + where, method, body);

  const sent = sentRecords();
  assert.equal(await ask('POST', '/records', sent), sent.length);
  const flushed = storedObjects(await ask('POST', '/flush', {}));
  const count = flushed.reduce((sum, object) => sum + object.count, 0);
  assert.equal(count, sent.length, 'records in the stored objects');
  assert.deepEqual(storedObjects(await ask('GET', '/stored')), flushed, 'messages of s3-batch-out');
  assert.deepEqual(new Set(flushed.map((object) => object.bucket)), new Set([bucket]));

  const all = Array.from({ length: times }, () => sent).flat();
  assert.deepEqual(texts(await ask('POST', '/query', {})), texts(all), 'all records');
  const query = { levels: { 'PLANT-ID': 'PLANT-1', 'DEVICE-ID': device(7) } };
  const wanted = all.filter(({ topic }) => topic.includes(device(7)));
  assert.deepEqual(texts(await ask('POST', '/query', query)), texts(wanted), 'records of one device');
}

/** Only what the job looks at, in an order that can be compared: uploads overtake each other. */
function storedObjects(answer: unknown): StoredObject[] {
  const objects = (answer as StoredObject[]).map(({ bucket, key, count }) => ({ bucket, key, count }));
  return objects.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Records as texts, in an order that can be compared. */
function texts(records: unknown): string[] {
  return (records as WireRecord[]).map(({ topic, payload }) => `${topic} ${payload}`).sort();
}

async function answerOf(url: string, method: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: { 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(PATIENCE),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} is answered with ${response.status}: ${text}`);
  return JSON.parse(text) as unknown;
}
