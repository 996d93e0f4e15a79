import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { S3BatchError } from '../../lib/errors';
import {
  currentVersion,
  isKnownVersion,
  migrate,
  type NodeType,
  type Settings,
} from '../../nodes/common/settings-version';
import {
  batchFlush,
  batchOut,
  connection,
  offsetIndex,
  onTab,
  rangeIn,
  tab,
  weldingLayout,
} from '../support/flow';
import { useFlows } from '../support/node-red-helper';

const REPOSITORY = path.resolve(__dirname, '../../..');
const TYPES: readonly NodeType[] = [
  's3-connection',
  'archive-layout',
  's3-batch-out',
  'batch-backup',
  'batch-flush',
  'mqtt-ack-in',
  'offset-index',
  's3-range-in',
];

describe('settings of earlier versions', () => {
  it('become those of this version, and then stay as they are', () => {
    for (const type of TYPES) {
      const settings = migrate<Settings>(type, { id: 'n', type });
      assert.equal(settings.version, currentVersion(type));
      assert.deepEqual(migrate(type, settings), settings, type);
      // As a dialogue writes it.
      assert.deepEqual(migrate(type, { ...settings, version: '1' }), settings, type);
    }
  });

  it('keep what they say, whatever it is', () => {
    const stored = { id: 'n', type: 's3-batch-out', count: '', bytes: '8', journal: true, other: [1] };
    const settings = migrate<Settings>('s3-batch-out', stored);
    assert.deepEqual({ ...settings, ...stored }, settings);
    assert.equal(stored.bytes, '8');
    assert.equal('version' in stored, false, 'what was given is not changed');
  });

  it('without a version have what the runtime took them for where they said nothing', () => {
    const get = (type: NodeType, name: string, stored: Settings = {}): unknown =>
      migrate<Settings>(type, stored)[name];
    assert.equal(get('s3-batch-out', 'journal'), false);
    assert.equal(get('batch-backup', 'journal'), true);
    assert.equal(get('batch-backup', 'journal', { journal: false }), false);
    assert.equal(get('s3-connection', 'pathStyle', { endpoint: 'http://ceph' }), true);
    assert.equal(get('s3-connection', 'pathStyle', { endpoint: '' }), false);
    assert.equal(get('s3-connection', 'pathStyle', { endpoint: 'http://ceph', pathStyle: false }), false);
    assert.equal(get('s3-connection', 'auth', { auth: null }), 'keys');
    assert.equal(get('offset-index', 'bucket'), '');
    assert.equal(get('s3-range-in', 'ahead'), 1000);
  });

  it('with a version have nothing put in place of what is missing', () => {
    assert.equal('journal' in migrate('batch-backup', { version: 1 }), false);
  });

  it('of a version to come, or of none at all, are refused with what to do', () => {
    for (const version of [currentVersion('batch-flush') + 1, '7', -1, 1.5, 'x', true, NaN]) {
      assert.equal(isKnownVersion('batch-flush', version), false, String(version));
      assert.throws(
        () => migrate('batch-flush', { version }),
        (error) =>
          error instanceof S3BatchError &&
          error.code === 'SETTINGS_INVALID' &&
          error.message.includes(`version ${String(version)}`) &&
          error.message.includes('up to version 1: update it'),
      );
    }
  });

  it('are in no example: those have all settings of this version, so that an import changes nothing', () => {
    const folder = path.join(REPOSITORY, 'examples');
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
      const flow = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as { type: string }[];
      for (const node of flow.filter(({ type }) => TYPES.includes(type as NodeType))) {
        const settings = migrate(node.type as NodeType, { ...node, version: 0 });
        assert.deepEqual(node, settings, `${name}: ${node.type}`);
      }
    }
  });
});

describe('nodes with settings of a version to come', () => {
  const runner = useFlows();

  it('refuse what they get and say that the package is to be updated', async () => {
    const flow = runner.current;
    await flow.load([
      tab(),
      connection('http://127.0.0.1:9'),
      weldingLayout(),
      batchOut({ version: 2 }),
      batchFlush({ version: '2' }),
      offsetIndex({ version: 2 }),
      rangeIn({ version: 2 }),
      onTab('backup', 'batch-backup', { version: 2 }),
      onTab('ack', 'mqtt-ack-in', { version: 2 }),
    ]);
    for (const id of ['out', 'flush', 'index', 'range', 'backup', 'ack']) {
      const error = await flow.send(id, { topic: 't', payload: 'p' });
      assert.ok(error instanceof S3BatchError && error.code === 'SETTINGS_INVALID', id);
      assert.match(error.message, /have version 2.*update it by Menu/, id);
      assert.match(flow.status(id).text ?? '', /headline\.SETTINGS_INVALID$/, id);
    }
  });

  it('tell it of settings nodes, too', async () => {
    const flow = runner.current;
    await flow.load([
      tab(),
      connection('http://127.0.0.1:9', { version: 2 }),
      weldingLayout({ version: 2 }),
      batchOut(),
      rangeIn(),
    ]);
    for (const id of ['out', 'range']) {
      const error = await flow.send(id, { topic: 't', payload: 'p', bucket: 'b', key: 'k' });
      assert.ok(error instanceof S3BatchError && error.code === 'SETTINGS_INVALID', id);
    }
  });
});
