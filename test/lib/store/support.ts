import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { ListedObject, ListPage, PutOptions } from '../../../lib/store/object-store';
import { CREDENTIALS } from './embedded';

export const PLAIN: PutOptions = { contentType: 'application/octet-stream', attributes: {} };

export async function collect(pages: AsyncIterable<ListPage>): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const page of pages) objects.push(...page.objects);
  return objects;
}

/** Fails when an error shows, however deep, what a log must not have. */
export function assertNoSecrets(error: unknown, ...secrets: string[]): void {
  const shown = inspect(error, { depth: 20, showHidden: true });
  for (const secret of [CREDENTIALS.secretAccessKey, ...secrets]) assert.ok(!shown.includes(secret), shown);
  assert.doesNotMatch(shown, /Signature=|AWS4-HMAC|authorization'?:|x-amz-security-token|[0-9a-f]{64}/i);
}
