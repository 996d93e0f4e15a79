import assert from 'node:assert/strict';

import { S3BatchError } from '../../../lib/errors';
import { type EncodedObject, SIDECAR_SUFFIX } from '../../../lib/object';
import { counted, filterOf, headObject, noTraffic, readIndex } from '../../../lib/query';
import { MemoryStore } from '../../support/memory-store';

/** The object as it is stored, with these of its attributes. */
export async function stored(
  { body, attributes, sidecar }: Partial<EncodedObject> & { body: Buffer },
  keep: (name: string) => boolean = () => true,
): Promise<MemoryStore> {
  const store = new MemoryStore();
  const kept = Object.fromEntries(Object.entries(attributes ?? {}).filter(([name]) => keep(name)));
  await store.put('b', 'o', body, { contentType: 'application/gzip', attributes: kept });
  if (sidecar) {
    const options = { contentType: 'application/gzip', attributes: {} };
    await store.put('b', `o${SIDECAR_SUFFIX}`, sidecar, options);
  }
  return store;
}

/** Reads the pages that may have a series, or all; tells how many GETs and bytes it took. */
export async function read(store: MemoryStore, series?: string) {
  const traffic = noTraffic();
  const through = counted(store, traffic);
  const choice = filterOf(series === undefined ? {} : { series }, undefined).pagesOf(undefined);
  const head = await headObject(through, 'b', 'o');
  try {
    return {
      index: await readIndex(through, head, choice),
      gets: () => traffic.get,
      bytes: () => traffic.bytes,
    };
  } catch (error) {
    assert.ok(error instanceof S3BatchError, String(error));
    return { error, gets: () => traffic.get, bytes: () => traffic.bytes };
  }
}

export async function refused(code: string, store: MemoryStore, mostBytes = Infinity): Promise<void> {
  const { error, bytes } = await read(store);
  assert.equal(error?.code, code, error?.message);
  assert.ok(bytes() <= mostBytes, `${bytes()} bytes were fetched`);
}
