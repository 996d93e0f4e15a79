import assert from 'node:assert/strict';

import { batchOut, connection, sink, tab, weldingLayout } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import { weld } from './archive';
import { RestartableStore } from './restartable-store';

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
