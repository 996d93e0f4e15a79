import type { StoredObject } from '../../lib/batch';

/** A stored object as messages tell it: its times in ISO 8601. */
export function storedPayload(object: StoredObject): Record<string, string | number> {
  const { first, last } = object;
  return { ...object, first: new Date(first).toISOString(), last: new Date(last).toISOString() };
}
