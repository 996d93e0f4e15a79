import assert from 'node:assert/strict';
import path from 'node:path';

import { mainJob } from '../matrix/flow';
import { runMainJob } from '../matrix/job';
import type { Answer, Entry, Folder, Page, Refusal, Series, ShownRecord } from '../plugins/browse';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { TestBuckets } from './buckets';
import { RUN, s3Access } from './environment';

/** What the main job stores in the past. */
const DAY = 'dt=2026-01-15/';
const WELDS = 2000;
const DEVICES = 20;

describe('the object browser on Ceph', function () {
  this.timeout(90_000);
  const access = s3Access();
  const bucket = `browse-${RUN}`;
  const buckets = new TestBuckets(access);
  let nodeRed: NodeRedProcess;

  before(async () => {
    await buckets.create(bucket);
    nodeRed = await startNodeRed({ packageFolder: path.resolve(__dirname, '../../..') });
    await nodeRed.deploy(mainJob(access, { bucket }));
    await runMainJob(nodeRed, { bucket });
  });

  after(async () => {
    await (nodeRed as NodeRedProcess | undefined)?.remove();
    await buckets.removeAll();
  });

  async function ask<T extends Answer>(
    question: string,
    parameters: Record<string, string | number> = {},
  ): Promise<T> {
    const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, `${value}`]));
    const response = await fetch(`${nodeRed.url}/s3-batch/browse/reader/${question}?${query.toString()}`);
    const text = await response.text();
    assert.equal(text.includes(access.secretKey), false);
    return JSON.parse(text) as T;
  }

  it('walks from the buckets to the bytes of each record of a device', async () => {
    const all = await ask<Answer & { buckets: string[] }>('buckets');
    assert.ok(all.buckets.includes(bucket));
    const { folders } = await ask<Folder>('folder', { bucket });
    // Records whose payload tells no time are in the partition of today.
    assert.equal(folders.length, 2);
    assert.equal(folders[0]?.prefix, DAY);
    const { objects } = await ask<Folder>('folder', { bucket, prefix: DAY, layout: 'layout' });
    assert.deepEqual(
      objects.map(({ count }) => count),
      [WELDS],
    );
    const place = { bucket, key: objects[0]?.key ?? '', etag: objects[0]?.etag ?? '' };
    const series = await ask<Page<Series>>('series', place);
    assert.equal(series.total, DEVICES);
    assert.equal(
      series.items.reduce((sum, { records }) => sum + records, 0),
      WELDS,
    );
    const welds = series.items.find(({ series: name }) => name === 'PLANT-1/WELDER-07/WELD');
    assert.ok(welds);
    const entries = await ask<Page<Entry>>('entries', { ...place, series: welds.number });
    assert.equal(entries.items.length, welds.records);
    for (const { place: number, topic } of entries.items.slice(0, 3)) {
      assert.equal(topic, 'PLANT-1/WELDER-07/WELD');
      const record = await ask<ShownRecord>('record', { ...place, place: number });
      const { weldspot } = JSON.parse(Buffer.from(record.payload, 'base64').toString()) as {
        weldspot: { SpotName: string };
      };
      assert.match(weldspot.SpotName, /^spot \d+ ümläut$/);
    }
  });

  it('tells what Ceph answers where there is nothing', async () => {
    assert.equal((await ask<Refusal>('folder', { bucket: `${bucket}-none` })).code, 'BUCKET_MISSING');
    assert.equal((await ask<Refusal>('object', { bucket, key: 'none' })).code, 'OBJECT_MISSING');
  });
});
