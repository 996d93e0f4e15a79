import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { gunzipSync } from 'node:zlib';

import type { StoredObject } from '../lib/batch';
import {
  counted,
  fetchRecords,
  filterOf,
  headObject,
  matchObject,
  noTraffic,
  type Query,
  requestsOf,
} from '../lib/query';
import { S3Store } from '../lib/store/s3-store';
import { weldRecords } from '../test/support/records';
import { environment, median, round } from './measure';
import { weldingLayout, weldingWriter } from './welding';

const COUNT = 10_000;
const DEVICES = 20;
const DEVICE = 'WELDING-STATION-12';
const ROUNDS = 15;

/** One device and one record out of an object in the real store, beside downloading and scanning it. */
export async function query(): Promise<Record<string, unknown>> {
  const endpoint = environment('S3_ENDPOINT');
  const region = environment('S3_REGION');
  const credentials = {
    accessKeyId: environment('S3_ACCESS_KEY'),
    secretAccessKey: environment('S3_SECRET_KEY'),
  };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'plant-7' }));
  client.destroy();
  const store = new S3Store({
    endpoint,
    region,
    credentials,
    pathStyle: true,
    connectTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
  });

  const list = weldRecords(COUNT, DEVICES);
  const stored: StoredObject[] = [];
  const writer = weldingWriter(store, COUNT, { stored: (object) => stored.push(object) });
  for (const { topic, payload } of list) writer.append(topic, payload, Date.now());
  await writer.flush();
  const [object] = stored;
  if (stored.length !== 1 || !object)
    throw new Error(`${stored.length} objects instead of one: the records are not of one day`);
  const { bucket, key } = object;

  const ask = async (asked: Query) => {
    const traffic = noTraffic();
    const through = counted(store, traffic);
    const began = performance.now();
    const head = await headObject(through, bucket, key);
    const match = await matchObject(through, head, filterOf(asked, weldingLayout()));
    const payloads: Buffer[] = [];
    for await (const records of fetchRecords(through, [match]))
      payloads.push(...records.map(({ payload }) => payload));
    return { payloads, traffic, seconds: (performance.now() - began) / 1000 };
  };
  const download = async () => {
    const began = performance.now();
    const { bytes } = await store.getRange(bucket, key, { offset: 0, length: object.bytes });
    const needle = `"${DEVICE}"`;
    const wanted = gunzipSync(bytes)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '' && JSON.parse(line) !== needle);
    return { lines: wanted.length, bytes: bytes.length, seconds: (performance.now() - began) / 1000 };
  };

  const wanted = list.filter(({ series }) => series.startsWith(`${DEVICE}/`));
  const share = (object.bytes * wanted.length) / COUNT;
  const deviceQuery: Query = { levels: { 'DEVICE-ID': DEVICE } };
  const [some] = wanted;
  if (!some) throw new Error(`no record of ${DEVICE}`);
  const recordKey = weldingLayout().keyOf(some.series, some.time);

  const device = await ask(deviceQuery);
  compare(
    device.payloads,
    wanted.map(({ payload }) => payload),
  );
  const record = await ask({ key: recordKey });
  compare(
    record.payloads,
    wanted.filter(({ time }) => time === some.time).map(({ payload }) => payload),
  );
  const whole = await download();
  if (whole.lines !== COUNT) throw new Error(`the download holds ${whole.lines} lines instead of ${COUNT}`);

  const seconds = { device: [] as number[], record: [] as number[], download: [] as number[] };
  for (let n = 0; n < ROUNDS; n++) {
    seconds.device.push((await ask(deviceQuery)).seconds);
    seconds.record.push((await ask({ key: recordKey })).seconds);
    seconds.download.push((await download()).seconds);
  }
  await store.delete(bucket, key);
  store.destroy();
  return {
    records: COUNT,
    objectBytes: object.bytes,
    deviceRecords: wanted.length,
    deviceRequests: requestsOf(device.traffic),
    deviceBytes: device.traffic.bytes,
    deviceBytesRatio: round(device.traffic.bytes / share, 3),
    recordRequests: requestsOf(record.traffic),
    recordBytes: record.traffic.bytes,
    deviceVsDownload: round(device.traffic.bytes / whole.bytes, 4),
    recordVsDownload: round(record.traffic.bytes / whole.bytes, 4),
    deviceSeconds: round(median(seconds.device), 4),
    recordSeconds: round(median(seconds.record), 4),
    downloadSeconds: round(median(seconds.download), 4),
    deviceSecondsRatio: round(median(seconds.device.map((own, n) => own / (seconds.download[n] ?? NaN))), 3),
  };
}

function compare(found: readonly Buffer[], wanted: readonly Buffer[]): void {
  const text = (payloads: readonly Buffer[]): string => payloads.map(String).sort().join('\n');
  if (text(found) !== text(wanted))
    throw new Error(`the query brought ${found.length} records instead of ${wanted.length}, or others`);
}
