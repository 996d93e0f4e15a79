import { isBucketName } from '../../layout/bucket-rules';
import { S3BatchError } from '../../errors';
import { protocolError } from '../protocol-error';
import { readFailure, type Failure } from '../s3-failure';
import { isRegion } from '../s3-rules';
import { addressOf } from './address';
import type { Check } from './check';
import { isDenied, isOtherRegion, outcomeOf } from './failure';
import { failed, ok, skipped, warning, type Outcome } from './finding';
import type { Trial } from './trial';

/** Buckets that are offered. */
const MOST_BUCKETS = 100;

/** Told of buckets that may be chosen. */
export type OfferBuckets = (names: string[]) => void;

/** The region that a failure names, when it is another than the one that was tried. */
function betterRegion(failure: Failure, trial: Trial): string | undefined {
  const { region } = failure;
  if (!isOtherRegion(failure) || region === undefined || !isRegion(region)) return undefined;
  return region === trial.options.region ? undefined : region;
}

/** Does something, and once more with the region that the store names should it name another. */
async function inRightRegion<T>(trial: Trial, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const region = betterRegion(readFailure(error), trial);
    if (region === undefined) throw error;
    trial.adopt({ region });
    return work();
  }
}

const credentials = (offer: OfferBuckets): Check => ({
  name: 'credentials',
  needs: ['answer'],
  async run(trial, signal) {
    try {
      const output = await inRightRegion(trial, async () => {
        const { sdk, client } = await trial.client();
        return client.send(new sdk.ListBucketsCommand({}), { abortSignal: signal });
      });
      if (output.Buckets === undefined && output.Owner === undefined) return failed('notS3Answer');
      const names = (output.Buckets ?? []).flatMap(({ Name: name }) => (name === undefined ? [] : [name]));
      if (names.length > 0) offer(names.slice(0, MOST_BUCKETS));
      return ok('keysAccepted', { values: { count: names.length } });
    } catch (error) {
      if (signal.aborted) throw error;
      if (isDenied(error)) return ok('keysAcceptedUnlisted', { detail: trial.wordsOf(readFailure(error)) });
      if (error instanceof S3BatchError && error.code === 'CREDENTIALS_INVALID') {
        return failed(trial.options.role === undefined ? 'keysMissing' : 'roleRefused', {
          detail: error.message.slice(0, 300),
        });
      }
      const outcome = outcomeOf(error, trial);
      // That buckets cannot be listed says nothing of the keys, unless it says so.
      const saysNothing = ['notImplemented', 'refused'].includes(outcome.finding);
      return saysNothing ? { ...outcome, verdict: 'ok', finding: 'keysUntold' } : outcome;
    }
  },
});

/** What becomes of a request for an object that is not there: it tells whether the bucket is. */
type Look = { bucket: 'there' | 'missing' | 'denied' } | { bucket: 'unreached'; error: unknown };

async function look(trial: Trial, pathStyle: boolean, signal: AbortSignal): Promise<Look> {
  try {
    await inRightRegion(trial, async () => {
      const { sdk, client } = await trial.client({ pathStyle });
      const command = new sdk.GetObjectCommand({ Bucket: trial.bucket, Key: trial.key('absent') });
      await client.send(command, { abortSignal: signal });
    });
    // Nobody knows the object's name, so nobody can have it.
    return { bucket: 'unreached', error: protocolError('The store sent an object that is not there', '') };
  } catch (error) {
    if (signal.aborted) throw error;
    const { name } = readFailure(error);
    if (name === 'NoSuchKey') return { bucket: 'there' };
    if (name === 'NoSuchBucket') return { bucket: 'missing' };
    return isDenied(error) ? { bucket: 'denied' } : { bucket: 'unreached', error };
  }
}

const reaches = ({ bucket }: Look): boolean => bucket === 'there' || bucket === 'denied';

/** How the bucket answers to either style, for the check of addressing. */
const looks = new WeakMap<Trial, { given: boolean; path?: Look; host?: Look }>();

const bucket: Check = {
  name: 'bucket',
  needs: ['credentials'],
  async run(trial, signal) {
    if (trial.bucket === '') return skipped('bucketUnnamed');
    const values = { bucket: trial.bucket };
    if (!isBucketName(trial.bucket)) return failed('bucketNameWrong', { values });
    // The SDK puts the bucket into the path where it cannot be in the host's name.
    const given = trial.options.pathStyle || addressOf(trial.options).isIpAddress;
    const first = await look(trial, given, signal);
    const seen = { given, [given ? 'path' : 'host']: first } as { given: boolean; path?: Look; host?: Look };
    looks.set(trial, seen);
    let best = first;
    if (!reaches(first) && !(given && addressOf(trial.options).isIpAddress)) {
      const second = await look(trial, !given, signal);
      seen[given ? 'host' : 'path'] = second;
      // Where the host's name does not tell the bucket, a store takes the first part of the object's name for it.
      if (second.bucket === 'there' || (second.bucket === 'denied' && !given)) {
        trial.adopt({ pathStyle: !given });
        best = second;
      } else if (second.bucket === 'missing' && first.bucket === 'unreached') {
        best = second;
      }
    }
    return judgeBucket(best, trial, signal);
  },
};

async function judgeBucket(seen: Look, trial: Trial, signal: AbortSignal): Promise<Outcome> {
  const values = { bucket: trial.bucket };
  switch (seen.bucket) {
    case 'there':
      return ok('bucketThere', { values });
    case 'denied':
      return ok('bucketUntold', { values });
    case 'missing':
      return trial.createBucket ? createBucket(trial, signal) : failed('bucketMissing', { values });
    case 'unreached': {
      const failure = readFailure(seen.error);
      if (isOtherRegion(failure))
        return failed('bucketElsewhere', { values, detail: trial.wordsOf(failure) });
      return outcomeOf(seen.error, trial);
    }
  }
}

async function createBucket(trial: Trial, signal: AbortSignal): Promise<Outcome> {
  const values = { bucket: trial.bucket };
  try {
    const { sdk, client } = await trial.client();
    await client.send(new sdk.CreateBucketCommand({ Bucket: trial.bucket }), { abortSignal: signal });
    return ok('bucketCreated', { values });
  } catch (error) {
    if (signal.aborted) throw error;
    return failed('bucketNotCreated', { values, detail: trial.wordsOf(readFailure(error)) });
  }
}

const region: Check = {
  name: 'region',
  needs: ['bucket'],
  async run(trial, signal) {
    const { region: tried } = trial.options;
    const { region: better } = trial.better;
    if (better !== undefined)
      return failed('regionWrong', { values: { region: better }, settings: { region: better } });
    const { sdk, client } = await trial.client();
    try {
      const command = new sdk.HeadBucketCommand({ Bucket: trial.bucket });
      const { BucketRegion: told } = await client.send(command, { abortSignal: signal });
      if (told === undefined || told === '') return ok('regionUntold', { values: { region: tried } });
      if (told === tried) return ok('regionRight', { values: { region: tried } });
      // The requests so far were answered all the same: the store does not mind.
      return isRegion(told)
        ? warning('regionOther', { values: { tried, region: told }, settings: { region: told } })
        : ok('regionUntold', { values: { region: tried } });
    } catch (error) {
      if (signal.aborted) throw error;
      const wrong = betterRegion(readFailure(error), trial);
      if (wrong === undefined) return ok('regionUntold', { values: { region: tried } });
      trial.adopt({ region: wrong });
      return failed('regionWrong', { values: { region: wrong }, settings: { region: wrong } });
    }
  },
};

const addressing: Check = {
  name: 'addressing',
  needs: ['bucket'],
  async run(trial, signal) {
    const seen = looks.get(trial);
    if (addressOf(trial.options).isIpAddress || seen === undefined) return ok('pathByAddress');
    seen.path ??= await look(trial, true, signal);
    seen.host ??= await look(trial, false, signal);
    // What was created in between answers now.
    const path = reaches(seen.path) || (trial.createBucket && seen.path.bucket === 'missing');
    const host = reaches(seen.host) && !(seen.host.bucket === 'denied' && seen.path.bucket === 'there');
    if (path && host) return ok('pathAndHost');
    const wanted = path;
    if (wanted === seen.given) return ok(path ? 'pathOnly' : 'hostOnly');
    return failed(path ? 'pathNeeded' : 'hostNeeded', { settings: { pathStyle: wanted } });
  },
};

/** Whether the keys are right is told by the first request that needs them. */
export const accessChecks = (offer: OfferBuckets): readonly Check[] => [
  credentials(offer),
  bucket,
  region,
  addressing,
];
