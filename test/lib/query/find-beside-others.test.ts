import assert from 'node:assert/strict';

import { encodeObject, SIDECAR_SUFFIX } from '../../../lib/object';
import type { StoreCall } from '../../support/memory-store';
import { recordsOf } from '../../support/records';
import { Archive, message, START } from './archive';

describe('finding objects beside others, and damaged ones', () => {
  const list = Array.from({ length: 12 }, (_, n) => message('plant-1', `d${n % 3}`, n * 60, { n }));
  const query = { bucket: 'plant-1' };
  const open = () => Archive.of(list, { count: 3, blockSize: 1 });

  /** Which objects came, and which failed with which code. */
  async function outcome(archive: Archive) {
    const { objects, progress } = await archive.find(query);
    return {
      found: objects.map(({ key }) => key),
      failed: Object.fromEntries(progress.failed.map(({ key, code, bucket }) => [`${bucket}/${key}`, code])),
      progress,
    };
  }

  it('passes over names that the layout does not make, and over sidecars, without a request', async () => {
    const archive = await open();
    const keys = archive.store.keys('plant-1');
    const foreign = ['readme.txt', 'dt=2018-10-01/notes', 'dt=2018-10-01/0-1-2.ndjson.gz'];
    const plain = { contentType: 'text/plain', attributes: {} };
    for (const key of foreign) await archive.store.put('plant-1', key, Buffer.from('hello'), plain);
    await archive.store.put('plant-1', `gone${SIDECAR_SUFFIX}`, Buffer.from('hello'), plain);
    archive.store.calls.length = 0;
    const { found, failed, progress } = await outcome(archive);
    assert.deepEqual([found, failed], [keys, {}]);
    assert.equal(progress.listed, keys.length + foreign.length);
    assert.equal(progress.foreignNames, foreign.length);
    assert.equal(archive.store.count('head'), keys.length);
  });

  it('leaves out what cannot be read, tells of it, and brings the rest', async () => {
    const archive = await open();
    const { store } = archive;
    const keys = [...store.keys('plant-1')];
    const [text = '', cut = '', later = '', right = ''] = keys;
    store.change('plant-1', text, { body: Buffer.from('no archive. '.repeat(20)), attributes: {} });
    store.change('plant-1', cut, { body: store.body('plant-1', cut).subarray(0, -1), attributes: {} });
    store.change('plant-1', later, { attributes: { format: 's3-batch/2' } });
    assert.deepEqual((({ found, failed }) => ({ found, failed }))(await outcome(archive)), {
      found: [right],
      failed: {
        [`plant-1/${text}`]: 'OBJECT_FOREIGN',
        [`plant-1/${cut}`]: 'OBJECT_FOREIGN',
        [`plant-1/${later}`]: 'OBJECT_VERSION',
      },
    });
  });

  it('brings an object whose attributes are incomplete by its index, and none whose attributes lie', async () => {
    const damages: [string, (attributes: Record<string, string>) => Record<string, string>, string?][] = [
      ['all are lost', () => ({})],
      ['those of the map are lost', (all) => without(all, 'map-pages', 'map-index', 'map-blocks')],
      ['the map is cut', (all) => ({ ...all, 'map-index': all['map-index']?.slice(0, -4) ?? '' })],
      ['the map is none', (all) => ({ ...all, 'map-index': '!', 'map-pages': ';,;' })],
      ['the format is another', (all) => ({ ...all, format: 'parquet' })],
      ['the batch is lost', (all) => without(all, 'batch')],
      ['no count', (all) => without(all, 'count'), 'OBJECT_CORRUPT'],
      ['another count', (all) => ({ ...all, count: '4' })],
      ['times that are none', (all) => ({ ...all, first: 'yesterday' }), 'OBJECT_CORRUPT'],
      ['an index elsewhere', (all) => ({ ...all, index: '0,10,10,10' }), 'OBJECT_CORRUPT'],
      ['a directory of another size', (all) => resized(all)],
    ];
    for (const [what, damage, code] of damages) {
      const archive = await open();
      const [damaged = '', ...others] = archive.store.keys('plant-1');
      const { attributes } = await archive.store.head('plant-1', damaged);
      archive.store.change('plant-1', damaged, { attributes: damage(attributes) });
      const { found, failed } = await outcome(archive);
      assert.deepEqual(failed, code === undefined ? {} : { [`plant-1/${damaged}`]: code }, what);
      assert.deepEqual(found, code === undefined ? [damaged, ...others] : others, what);
      const { records } = await archive.ask(query);
      assert.equal(records.length, code === undefined ? list.length : list.length - 3, what);
    }
  });

  it('leaves out an object that comes to be another, or goes, between listing, HEAD and index', async () => {
    const other = await encodeObject(
      recordsOf([{ topic: 't', series: 's', time: START, payload: Buffer.from('5') }], 'newline'),
      {
        framing: 'newline',
        compression: 'gzip',
        batch: 'b',
        key: { template: '', timePosition: undefined, timeFormat: 'iso', timeZone: 'UTC' },
      },
    );
    for (const [operation, gone, code] of [
      ['head', true, 'OBJECT_MISSING'],
      ['get', true, 'OBJECT_MISSING'],
      ['get', false, 'OBJECT_CHANGED'],
    ] as const) {
      const archive = await open();
      const { store } = archive;
      const [struck = '', ...others] = store.keys('plant-1');
      store.change('plant-1', struck, { attributes: {} });
      let isDone = false;
      store.gate = async (call: StoreCall) => {
        if (isDone || call.operation !== operation || call.key !== struck) return;
        isDone = true;
        if (gone) await store.delete('plant-1', struck);
        else store.change('plant-1', struck, other);
      };
      const { found, failed } = await outcome(archive);
      assert.deepEqual([found, failed], [others, { [`plant-1/${struck}`]: code }]);
    }
  });

  it('tells an object apart from the sidecar of another', async () => {
    const archive = await Archive.of(list, { count: 3, compression: 'none' });
    const [first = '', second = '', ...others] = archive.store
      .keys('plant-1')
      .filter((key) => !key.endsWith(SIDECAR_SUFFIX));
    archive.store.change('plant-1', first + SIDECAR_SUFFIX, {
      body: archive.store.body('plant-1', second + SIDECAR_SUFFIX),
    });
    await archive.store.delete('plant-1', second + SIDECAR_SUFFIX);
    const { found, failed } = await outcome(archive);
    assert.deepEqual(found, others);
    assert.deepEqual(failed, {
      [`plant-1/${first}`]: 'OBJECT_CHANGED',
      [`plant-1/${second}`]: 'OBJECT_FOREIGN',
    });
  });

  it('ends with what the store says when it is no matter of one object', async () => {
    for (const code of ['STORE_UNREACHABLE', 'ACCESS_DENIED', 'BUCKET_MISSING', 'ABORTED'] as const) {
      for (const operation of ['list', 'head', 'get'] as const) {
        const archive = await open();
        for (const key of archive.store.keys('plant-1'))
          archive.store.change('plant-1', key, { attributes: {} });
        archive.store.fault = (call) => (call.operation === operation ? code : undefined);
        await assert.rejects(archive.find(query), { code });
      }
    }
  });
});

function without(attributes: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

/** Attributes without a map, which say that the directory is larger than it is: the trailer tells what is right. */
function resized(attributes: Record<string, string>): Record<string, string> {
  const [offset, length, directoryLength, size] = (attributes.index ?? '').split(',').map(Number);
  const index = [offset, length, directoryLength, (size ?? 0) + 1].join(',');
  return { ...without(attributes, 'map-pages', 'map-index', 'map-blocks'), index };
}
