import assert from 'node:assert/strict';

import {
  AttributeCache,
  attributeCacheOf,
  findObjects,
  headObject,
  noProgress,
  type ObjectMatch,
} from '../../../lib/query';
import { MemoryStore } from '../../support/memory-store';
import { Archive, DAY, message } from './archive';

const SECONDS_A_DAY = DAY / 1000;

describe('attributes of objects that were asked before', () => {
  let archive: Archive;
  beforeEach(async () => {
    const messages = [0, 1, 2, 3].flatMap((day) =>
      ['D1', 'D2'].map((device) => message('plant', device, day * SECONDS_A_DAY, { day })),
    );
    archive = await Archive.of(messages);
  });

  async function find(cache: AttributeCache): Promise<{ matches: ObjectMatch[]; heads: number }> {
    const { store, layout } = archive;
    store.calls.length = 0;
    const matches: ObjectMatch[] = [];
    const query = { bucket: 'plant', levels: { DEVICE: 'D1' } };
    for await (const match of findObjects(store, layout, query, noProgress(), { cache })) matches.push(match);
    return { matches, heads: store.calls.filter(({ operation }) => operation === 'head').length };
  }

  it('are not asked for again, and the answer is the same', async () => {
    const cache = new AttributeCache();
    const first = await find(cache);
    assert.equal(first.matches.length, 4);
    assert.equal(first.heads, 4);
    const second = await find(cache);
    assert.equal(second.heads, 0);
    assert.deepEqual(second.matches, first.matches);
  });

  it('are asked for anew when an object was replaced, and it is read as it is now', async () => {
    const cache = new AttributeCache();
    const { matches } = await find(cache);
    const [, replaced, other] = matches;
    assert.ok(replaced && other);
    const { store } = archive;
    const { bytes, attributes } = await store.getRange('plant', other.key, { offset: 0, length: 1e6 });
    await store.put('plant', replaced.key, bytes, { contentType: 'application/gzip', attributes });
    const again = await find(cache);
    assert.equal(again.heads, 1);
    assert.equal(again.matches[1]?.etag, other.etag);
    assert.deepEqual(again.matches[1].blocks, other.blocks);
  });

  it('are those of each query alone: what a flow does to an answer changes no later one', async () => {
    const cache = new AttributeCache();
    for (const { attributes } of (await find(cache)).matches) attributes.count = 'changed';
    for (const { attributes } of (await find(cache)).matches) attributes.count = 'changed';
    for (const { attributes } of (await find(cache)).matches) assert.equal(attributes.count, '2');
  });

  it('count as others when the listing tells another size, tag or time', async () => {
    const { store } = archive;
    const [key = ''] = store.keys('plant');
    const head = await headObject(store, 'plant', key);
    const listed = { bucket: 'plant', key, size: head.size, etag: head.etag, lastModified: new Date(5000) };
    const cache = new AttributeCache();
    cache.keep(listed, head);
    assert.equal(cache.get(listed)?.summary?.count, 2);
    // Some stores list tags without their quotes.
    assert.ok(cache.get({ ...listed, etag: head.etag.replaceAll('"', '') }));
    assert.equal(cache.get({ ...listed, etag: '"other"' }), undefined);
    assert.equal(cache.get({ ...listed, size: head.size + 1 }), undefined);
    assert.equal(cache.get({ ...listed, lastModified: new Date(6000) }), undefined);
    assert.equal(cache.get({ ...listed, bucket: 'other' }), undefined);
    // Replaced between the listing and the answer to HEAD.
    const late = new AttributeCache();
    late.keep({ ...listed, etag: '"other"' }, head);
    assert.equal(late.get({ ...listed, etag: '"other"' }), undefined);
    assert.equal(late.bytes, 0);
  });

  it('take no more memory than is allowed; those that were used of late stay', async () => {
    const { store } = archive;
    const [key = ''] = store.keys('plant');
    const head = await headObject(store, 'plant', key);
    const listed = (number: number) => ({
      bucket: 'plant',
      key: `object-${number}`,
      size: head.size,
      etag: head.etag,
    });
    const measure = new AttributeCache();
    measure.keep(listed(0), head);
    const one = measure.bytes;
    assert.ok(one > Object.entries(head.attributes).flat().join('').length);
    measure.keep(listed(0), head);
    assert.equal(measure.bytes, one);
    const cache = new AttributeCache(3 * one);
    for (const number of [0, 1, 2]) cache.keep(listed(number), head);
    assert.ok(cache.get(listed(0)));
    cache.keep(listed(3), head);
    assert.equal(cache.bytes, 3 * one);
    assert.deepEqual(
      [0, 1, 2, 3].map((number) => cache.get(listed(number)) !== undefined),
      [true, false, true, true],
    );
  });

  it('are shared by all queries on one store, and by no others', () => {
    const store = new MemoryStore();
    assert.equal(attributeCacheOf(store), attributeCacheOf(store));
    assert.notEqual(attributeCacheOf(store), attributeCacheOf(new MemoryStore()));
  });
});
