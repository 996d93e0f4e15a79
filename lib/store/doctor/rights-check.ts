import type { Check } from './check';
import { failed, ok, warning } from './finding';

/** Actions that the doctor needs and the nodes do not. */
const ONLY_OURS = new Set(['s3:DeleteObject']);

/** What a statement of an IAM policy must allow so that what was denied works, and not more. */
export function missingPolicy(bucket: string, denied: readonly string[]): string {
  const ofBucket = denied.filter((action) => action === 's3:ListBucket');
  const ofObjects = denied.filter((action) => action !== 's3:ListBucket');
  const statement = (actions: string[], resource: string): object[] =>
    actions.length === 0 ? [] : [{ Effect: 'Allow', Action: actions, Resource: resource }];
  const statements = [
    ...statement(ofBucket, `arn:aws:s3:::${bucket}`),
    ...statement(ofObjects, `arn:aws:s3:::${bucket}/*`),
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement: statements }, undefined, 2);
}

/** Sums up which operations were denied while others were not. */
export const rights: Check = {
  name: 'rights',
  needs: ['bucket'],
  run(trial) {
    const denied = [...trial.denied].sort();
    if (denied.length === 0)
      return ok('rightsFine', { values: { actions: [...trial.allowed].sort().join(', ') } });
    const values = { actions: denied.join(', ') };
    const policy = missingPolicy(trial.bucket, denied);
    if (trial.allowed.size === 0) return failed('rightsNone', { values, policy });
    const harmless = denied.every((action) => ONLY_OURS.has(action));
    return (harmless ? warning : failed)('rightsMissing', { values, policy });
  },
};
