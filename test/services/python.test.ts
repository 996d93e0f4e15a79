import assert from 'node:assert/strict';

import { S3Store } from '../../lib/store/s3-store';
import { snippetsOfThePage, Workplace, writeDayOfFigures } from '../python/analytics';
import { needsPackages } from '../python/python';
import { readerSuite } from '../python/reader-suite';
import { TestBuckets } from './buckets';
import { RUN, s3Access } from './environment';

readerSuite('Ceph RGW', () => Promise.resolve(s3Access()), RUN);

describe('docs/analytics.md on Ceph RGW', () => {
  const s3 = s3Access();
  const buckets = new TestBuckets(s3);
  const bucket = `analytics-${RUN}`;

  after(() => buckets.removeAll());

  it('prints figures: whole download against index', async function () {
    needsPackages(this, 'boto3');
    await buckets.create(bucket);
    const store = new S3Store({
      endpoint: s3.endpoint,
      region: s3.region,
      pathStyle: true,
      credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
      connectTimeoutMs: 5000,
      requestTimeoutMs: 30_000,
    });
    await writeDayOfFigures(store, bucket);
    store.destroy();
    const snippet = snippetsOfThePage().find(({ onCeph }) => onCeph);
    assert.ok(snippet);
    const workplace = await Workplace.make(s3);
    const code = snippet.code.replaceAll('"plant-1"', `"${bucket}"`);
    const { stdout, stderr } = await workplace.run({ ...snippet, code });
    await workplace.remove();
    console.log(stdout.replace(/^/gm, '      '));
    const [day, hour, device] = stdout.split('\n').map((row) => {
      const [, , spots = NaN, bytes = NaN] = row.split('|').map((cell) => Number(cell.replaceAll(',', '')));
      return { spots, bytes };
    });
    assert.ok(day && hour && device, stderr);
    // The same spots, of which one station of twenty has its share; and far fewer bytes.
    assert.deepEqual([day.spots, hour.spots], [10_000, 10_000]);
    assert.ok(device.spots > 400 && device.spots < 600);
    assert.ok(hour.bytes < day.bytes / 4 && device.bytes < hour.bytes / 4, stdout);
  });
});
