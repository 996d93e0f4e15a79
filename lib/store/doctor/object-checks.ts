import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

import { S3BatchError } from '../../errors';
import { readFailure } from '../s3-failure';
import type { ByteRange } from '../object-store';
import type { Check } from './check';
import { outcomeOf } from './failure';
import { failed, ok, warning, type Outcome } from './finding';
import type { Trial } from './trial';

/** The object that is read in many ways. */
const OBJECT = 'a';
const SIZE = 1000;
/** An entity tag that no object has. */
const OTHER_ETAG = '"00000000000000000000000000000000"';

/** The bytes of the object, as they were written. */
const bodies = new WeakMap<Trial, Buffer>();

/** Does what an action of S3's allows, and notes whether it was allowed. */
async function attempt(
  trial: Trial,
  signal: AbortSignal,
  action: string,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  try {
    const outcome = await work();
    trial.allowed.add(action);
    return outcome;
  } catch (error) {
    if (signal.aborted) throw error;
    return outcomeOf(error, trial, action);
  }
}

const put: Check = {
  name: 'put',
  needs: ['bucket'],
  run: (trial, signal) =>
    attempt(trial, signal, 's3:PutObject', async () => {
      const body = randomBytes(SIZE);
      await trial.put(OBJECT, body, signal);
      bodies.set(trial, body);
      return ok('putFine', { values: { bytes: SIZE } });
    }),
};

const head: Check = {
  name: 'head',
  needs: ['put'],
  run: (trial, signal) =>
    attempt(trial, signal, 's3:GetObject', async () => {
      const { sdk, client } = await trial.client();
      const command = new sdk.HeadObjectCommand({ Bucket: trial.bucket, Key: trial.key(OBJECT) });
      const { ContentLength: size, ETag: etag } = await client.send(command, { abortSignal: signal });
      return size === SIZE && etag !== undefined ? ok('headFine') : failed('headWrong');
    }),
};

function readsRange(name: 'range' | 'suffix', range: ByteRange, expected: (body: Buffer) => Buffer): Check {
  return {
    name,
    needs: ['put'],
    run: (trial, signal) =>
      attempt(trial, signal, 's3:GetObject', async () => {
        const wanted = expected(bodies.get(trial) ?? Buffer.alloc(0));
        try {
          const { bytes } = await trial.store.getRange(trial.bucket, trial.key(OBJECT), range, { signal });
          return bytes.equals(wanted)
            ? ok(`${name}Fine` as const, { values: { bytes: wanted.length } })
            : failed(`${name}Wrong` as const);
        } catch (error) {
          if (!(error instanceof S3BatchError) || error.code !== 'STORE_PROTOCOL') throw error;
          const ignored = error.message.includes('(200)');
          return failed(ignored ? (`${name}Ignored` as const) : (`${name}Wrong` as const), {
            detail: error.message.slice(0, 300),
          });
        }
      }),
  };
}

const range = readsRange('range', { offset: 100, length: 200 }, (body) => body.subarray(100, 300));
const suffix = readsRange('suffix', { suffix: 100 }, (body) => body.subarray(-100));

const ifMatch: Check = {
  name: 'ifMatch',
  needs: ['head'],
  run: (trial, signal) =>
    attempt(trial, signal, 's3:GetObject', async () => {
      const { sdk, client } = await trial.client();
      const object = { Bucket: trial.bucket, Key: trial.key(OBJECT) };
      const command = new sdk.GetObjectCommand({ ...object, Range: 'bytes=0-0', IfMatch: OTHER_ETAG });
      try {
        const { Body: body } = await client.send(command, { abortSignal: signal });
        if (body instanceof Readable) body.destroy();
        return warning('ifMatchIgnored');
      } catch (error) {
        if (readFailure(error).status === 412) return ok('ifMatchFine');
        throw error;
      }
    }),
};

const ifNoneMatch: Check = {
  name: 'ifNoneMatch',
  needs: ['put'],
  run: (trial, signal) =>
    attempt(trial, signal, 's3:PutObject', async () => {
      try {
        await trial.put(OBJECT, bodies.get(trial) ?? Buffer.alloc(0), signal, { IfNoneMatch: '*' });
        return warning('ifNoneMatchIgnored');
      } catch (error) {
        const failure = readFailure(error);
        if (failure.status === 412) return ok('ifNoneMatchFine');
        if (failure.status !== 501 && failure.status !== 400) throw error;
        return warning('ifNoneMatchUnsupported', { detail: trial.wordsOf(failure) });
      }
    }),
};

const list: Check = {
  name: 'list',
  needs: ['bucket'],
  run: (trial, signal) =>
    attempt(trial, signal, 's3:ListBucket', async () => {
      // Whoever may only read has a right to know whether that includes listings.
      const isWritable = bodies.has(trial);
      if (isWritable) await trial.put('b', Buffer.from('b'), signal);
      const keysAfter = async (startAfter?: string): Promise<string[]> => {
        const keys: string[] = [];
        const options = { prefix: trial.prefix, signal, ...(startAfter !== undefined && { startAfter }) };
        for await (const { objects } of trial.store.list(trial.bucket, options)) {
          keys.push(...objects.map(({ key }) => key));
        }
        return keys;
      };
      const all = await keysAfter();
      if (!isWritable) return ok('listAllowed');
      const [a, b] = [trial.key(OBJECT), trial.key('b')];
      if (!all.includes(a) || !all.includes(b)) return failed('listIncomplete');
      const after = await keysAfter(a);
      if (after.includes(a)) return failed('startAfterIgnored');
      return after.includes(b) ? ok('listFine') : failed('startAfterWrong');
    }),
};

const checksums: Check = {
  name: 'checksums',
  needs: ['put'],
  async run(trial, signal) {
    const body = randomBytes(SIZE);
    const client = trial.client({ checksums: 'WHEN_SUPPORTED' });
    const tries = async (work: () => Promise<unknown>): Promise<boolean> => {
      try {
        await work();
        return true;
      } catch (error) {
        if (signal.aborted) throw error;
        return false;
      }
    };
    const buffers = await tries(async () => {
      await trial.put('c', body, signal, {}, client);
      const { sdk, client: s3 } = await client;
      const object = { Bucket: trial.bucket, Key: trial.key('c') };
      const command = new sdk.GetObjectCommand({ ...object, Range: 'bytes=0-99', ChecksumMode: 'ENABLED' });
      const output = await s3.send(command, { abortSignal: signal });
      await output.Body?.transformToByteArray();
    });
    // A stream's checksum comes behind it, in a form of its own.
    const streams =
      buffers && (await tries(() => trial.put('c', body, signal, { Body: Readable.from([body]) }, client)));
    if (streams) return ok('checksumsBoth');
    return ok(buffers ? 'checksumsOfBuffers' : 'checksumsRequiredOnly');
  },
};

const deletes: Check = {
  name: 'delete',
  needs: ['put'],
  async run(trial, signal) {
    const outcome = await attempt(trial, signal, 's3:DeleteObject', async () => {
      const key = trial.key(OBJECT);
      for (const version of trial.versionsOf(OBJECT)) await trial.delete(key, version, signal);
      trial.forget(OBJECT);
      return ok('deleteFine');
    });
    // The nodes delete nothing: it is only the doctor's own objects that stay.
    return outcome.verdict === 'failed' && outcome.finding === 'denied'
      ? { ...outcome, verdict: 'warning', finding: 'deleteDenied' }
      : outcome;
  },
};

export const OBJECT_CHECKS = {
  put,
  head,
  range,
  suffix,
  ifMatch,
  ifNoneMatch,
  list,
  checksums,
  delete: deletes,
};
