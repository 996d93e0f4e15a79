import assert from 'node:assert/strict';

import { KEYS, startTestStore, type TestStore } from '../support/embedded';
import { needs, works } from '../support/python';
import { snippetsOfThePage, Workplace, writeAnalyticsArchive } from './analytics';
import { needsPackages } from './python';

/** Commands of the snippets; everything else that they need is a Python package. */
const COMMANDS = ['zcat', 'jq'];
const PACKAGES: Record<string, string> = { httpfs: 'duckdb_extension_httpfs' };
const SPARK = process.env.S3_BATCH_SPARK === '1';

describe('docs/analytics.md', function () {
  this.timeout(SPARK ? 600_000 : 60_000);
  let store: TestStore;
  let workplace: Workplace;

  before(async () => {
    store = await startTestStore();
    await store.createBucket('plant-1');
    await writeAnalyticsArchive(store.store);
    workplace = await Workplace.make({ endpoint: store.server.url, ...KEYS });
    await workplace.addObjects(store.store, 'plant-1');
  });

  after(async () => {
    await store.stop();
    await workplace.remove();
  });

  for (const snippet of snippetsOfThePage().filter(({ onCeph }) => !onCeph)) {
    it(`shows a snippet that runs: ${snippet.name}`, async function () {
      if (snippet.onRequest && !SPARK) {
        console.warn('      skipped: run on request, with S3_BATCH_SPARK=1, pyspark and Java 17');
        this.skip();
      }
      for (const name of snippet.needs) {
        if (COMMANDS.includes(name)) needs(this, name, works(name, '--version'));
        else needsPackages(this, PACKAGES[name] ?? name);
      }
      if (snippet.needs.includes('httpfs')) await workplace.addHttpfs();
      const { code, stdout, stderr } = await workplace.run(snippet);
      assert.equal(code, 0, stderr);
      if (snippet.prints !== undefined)
        assert.equal(withoutOuterSpace(stdout), withoutOuterSpace(snippet.prints));
    });
  }
});

function withoutOuterSpace(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith(':: ')) // Spark tells where it looks for packages
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd();
}
