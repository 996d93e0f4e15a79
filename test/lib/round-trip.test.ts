import assert from 'node:assert/strict';

import { weldMessages } from '../../demo/weld-messages';
import { BatchWriter, type BatchWriterSettings, type StoredObject } from '../../lib/batch';
import { Layout } from '../../lib/layout';
import {
  counted,
  fetchRecords,
  findObjects,
  noProgress,
  noTraffic,
  type ObjectMatch,
  type Query,
} from '../../lib/query';
import { startTestStore, type TestStore } from '../support/embedded';

const WELDING = new Layout({
  topic: 'ROOT/FORMAT/COMPRESSED/PLANT-ID/DEVICE-ID/MSG-TYPE/MSG-VERSION',
  time: { source: 'field', field: 'weldspot.Timestamp', format: 'yyyyMMdd HHmmss', zone: 'UTC' },
  key: 'DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp',
  buckets: [{ topic: 'ROOT/#', bucket: '{{PLANT-ID}}' }],
});

describe('from messages to objects and back', () => {
  let s3: TestStore;
  before(async () => {
    s3 = await startTestStore();
    for (const plant of ['plant-1', 'plant-2', 'plant-3']) await s3.createBucket(plant);
  });
  after(() => s3.stop());

  function settings(): BatchWriterSettings {
    return {
      layout: WELDING,
      store: s3.store,
      limits: { count: 1000, bytes: 0, age: 0, idle: 0 },
      framing: 'newline',
      compression: 'gzip',
      blockSize: 128 * 1024,
      uploads: 4,
      memory: 64 * 1024 * 1024,
      instance: 'test',
    };
  }

  async function ask(query: Query) {
    const progress = noProgress();
    const traffic = noTraffic();
    const store = counted(s3.store, traffic);
    const objects: ObjectMatch[] = [];
    for await (const object of findObjects(store, WELDING, query, progress)) objects.push(object);
    const records = [];
    for await (const some of fetchRecords(store, objects)) records.push(...some);
    return { progress, traffic, records };
  }

  it('brings back exactly the records of one device and one minute', async () => {
    const messages = [...weldMessages({ count: 10_000, seconds: 3600 })];
    const stored: StoredObject[] = [];
    const failures: Error[] = [];
    const writer = new BatchWriter(settings(), {
      stored: (object) => stored.push(object),
      failed: (error) => failures.push(error),
    });
    for (const { topic, payload } of messages) writer.append(topic, payload, 1);
    await writer.flush();
    assert.deepEqual(failures, []);
    assert.equal(
      stored.reduce((sum, object) => sum + object.count, 0),
      messages.length,
    );

    const from = Date.UTC(2018, 9, 1, 17, 30);
    const to = from + 59_999;
    const { records, progress } = await ask({
      levels: { 'PLANT-ID': 'PLANT-2', 'DEVICE-ID': 'WELDING-STATION-7' },
      from,
      to,
    });
    const wanted = messages.filter(
      (m) => m.plant === 'PLANT-2' && m.station === 'WELDING-STATION-7' && m.time >= from && m.time <= to,
    );
    assert.ok(wanted.length > 0);
    assert.deepEqual(
      records.map(({ payload }) => payload.toString()).sort(),
      wanted.map(({ payload }) => payload.toString()).sort(),
    );
    assert.ok(records.every(({ topic }) => topic === 'ROOT/JSON/NONE/PLANT-2/WELDING-STATION-7/WELD/1'));
    assert.match(records[0]?.key ?? '', /^WELDING-STATION-7\/WELD\/1\/20181001 1730\d\d$/);
    assert.equal(progress.foreignNames, 0);
    assert.deepEqual(progress.failed, []);
  });
});
