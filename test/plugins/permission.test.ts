import assert from 'node:assert/strict';
import path from 'node:path';

import { PERMISSION } from '../../plugins/object-browser/route';
import { adminAuth, tokenOf as login } from '../support/admin-auth';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';

const REPOSITORY = path.resolve(__dirname, '../../..');

describe('the permission of the object browser', () => {
  let nodeRed: NodeRedProcess;

  before(async () => {
    nodeRed = await startNodeRed({
      packageFolder: REPOSITORY,
      settings: {
        adminAuth: {
          ...adminAuth({
            admin: '*',
            writer: ['read', 'write'],
            browser: ['read', PERMISSION],
            only: [PERMISSION],
          }),
          default: { permissions: 'read' },
        },
      },
    });
  });
  after(async () => {
    await (nodeRed as NodeRedProcess | undefined)?.remove();
  });

  const tokenOf = (username: string): Promise<string> => login(nodeRed.url, username);

  const QUESTIONS = ['buckets', 'folder', 'object', 'blocks', 'series', 'entries', 'record'];

  async function statuses(token?: string): Promise<Set<number>> {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answers = QUESTIONS.map((question) =>
      fetch(`${nodeRed.url}/s3-batch/browse/nobody/${question}?bucket=b&key=k`, { headers }),
    );
    return new Set((await Promise.all(answers)).map(({ status }) => status));
  }

  it('is needed for every question, and reading flows or writing them does not bring it', async () => {
    assert.deepEqual(await statuses(), new Set([401]));
    assert.deepEqual(await statuses('no token'), new Set([401]));
    assert.deepEqual(await statuses(await tokenOf('writer')), new Set([401]));
  });

  it('comes with all permissions, or by its name', async () => {
    // They get as far as to the connection, which is not there.
    for (const username of ['admin', 'browser', 'only']) {
      assert.deepEqual(await statuses(await tokenOf(username)), new Set([400]), username);
    }
  });
});
