import assert from 'node:assert/strict';

import { S3BatchError } from '../../lib/errors';
import { errorStatus, headline } from '../../nodes/common/error-status';
import { batchOut, connection, sink, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import { weld } from './archive';
import { RestartableStore } from './restartable-store';

describe('the status of an error', () => {
  it('is what happened; place, reason and remedy are in the whole text', () => {
    const missing =
      'The bucket does not exist: object "a: b. c" in bucket "plant-7" at http://127.0.0.1:9000 (NoSuchBucket). Create it, or correct its name.';
    assert.equal(headline(missing), 'The bucket does not exist');
    assert.equal(headline('no S3 connection is chosen: choose one'), 'no S3 connection is chosen');
    assert.equal(headline('The store is busy'), 'The store is busy');
    assert.equal(headline(''), '');
    assert.equal(headline('x'.repeat(81)), `${'x'.repeat(79)}…`);
    assert.deepEqual(errorStatus(new S3BatchError('BUCKET_MISSING', missing)), {
      fill: 'red',
      shape: 'ring',
      text: 'The bucket does not exist',
    });
  });
});

describe('s3-batch-out: what its context tells', () => {
  const runner = useFlows();
  let store: RestartableStore;
  before(async () => {
    store = await RestartableStore.start();
    await store.createBucket('told');
  });
  after(() => store.remove());

  it('has the whole text of the error while batches wait, as the log has it', async () => {
    const flow = runner.current;
    await flow.load([tab(), connection(store.url), weldingLayout(), batchOut({}, 'sink'), sink()]);
    await store.stop();
    await flow.send('out', weld('told', 'D', '20181001 171035'));
    flow.give('out', { flush: true });
    const told = (): unknown => flow.node('out').context().get('error');
    await flow.until('the context to tell', () => told() !== undefined);
    assert.match(
      String(told()),
      /^The store cannot be reached, or broke the connection: .* at http:.*\. Check the endpoint, the network/,
    );
    assert.ok(flow.logged('warn').some((line) => line.includes(String(told()))));
    await store.start();
    await flow.receives('sink', 1);
    await flow.until('the error to be gone', () => told() === undefined);
  });
});
