import { startTestStore, KEYS, type TestStore } from '../support/embedded';
import { readerSuite } from './reader-suite';

describe('Python', () => {
  let embedded: TestStore | undefined;

  after(() => embedded?.stop());

  readerSuite(
    'the embedded server',
    async () => {
      embedded = await startTestStore();
      return { endpoint: embedded.server.url, ...KEYS };
    },
    'test',
  );
});
