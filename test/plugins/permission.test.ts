import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

import { PERMISSION } from '../../plugins/object-browser/route';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';

const REPOSITORY = path.resolve(__dirname, '../../..');
const load = createRequire(createRequire(__filename).resolve('@node-red/editor-api'));
const { hashSync } = load('bcryptjs') as { hashSync: (password: string, rounds: number) => string };

describe('the permission of the object browser', () => {
  let nodeRed: NodeRedProcess;

  before(async () => {
    const user = (username: string, permissions: string | string[]): object => ({
      username,
      password: hashSync(username, 4),
      permissions,
    });
    nodeRed = await startNodeRed({
      packageFolder: REPOSITORY,
      settings: {
        adminAuth: {
          type: 'credentials',
          users: [
            user('admin', '*'),
            user('writer', ['read', 'write']),
            user('browser', ['read', PERMISSION]),
            user('only', [PERMISSION]),
          ],
          default: { permissions: 'read' },
        },
      },
    });
  });
  after(async () => {
    await (nodeRed as NodeRedProcess | undefined)?.remove();
  });

  async function tokenOf(username: string): Promise<string> {
    const response = await fetch(`${nodeRed.url}/auth/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        client_id: 'node-red-admin',
        grant_type: 'password',
        scope: '',
        username,
        password: username,
      }),
    });
    const { access_token: token } = (await response.json()) as { access_token: string };
    return token;
  }

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
