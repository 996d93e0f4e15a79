import { MAX_TOTAL, MAX_VALUE, PREFIX_LENGTH } from '../../object/attributes';
import { readFailure } from '../s3-failure';
import type { Check } from './check';
import { outcomeOf } from './failure';
import { failed, ok, warning, type Outcome } from './finding';
import type { Trial } from './trial';

/** The attributes that are tried at most, in bytes; no store is known to take more. */
const MOST_BYTES = 32 * 1024;
const OBJECT = 'attributes';
/** Printable US-ASCII, all that a value may have. */
const CHARACTERS = String.fromCharCode(...Array.from({ length: 0x5f }, (_, at) => 0x20 + at));

/**
 * Attributes of `bytes` bytes in all: names and values, with `perName` more counted for each name; no value is longer
 * than those that the nodes write.
 */
export function attributesOfSize(bytes: number, perName = 0): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (let left = bytes, at = 0; left > 0; at++) {
    const name = `doctor-${String(at).padStart(3, '0')}`;
    const cost = name.length + perName;
    const length = Math.min(left - cost, MAX_VALUE);
    if (length < 1) {
      // Too little for another name: the last value has a byte more than the others.
      const [last] = Object.entries(attributes).slice(-1);
      if (last !== undefined) attributes[last[0]] = last[1] + 'x'.repeat(left);
      return attributes;
    }
    attributes[name] = valueOf(length);
    left -= cost + length;
  }
  return attributes;
}

/** Every character that may be in a value, in turn; never a space at an end, for it would be trimmed. */
function valueOf(length: number): string {
  const text = CHARACTERS.repeat(Math.ceil(length / CHARACTERS.length)).slice(0, length);
  return text.replace(/^ | $/g, '.');
}

/** Why attributes are refused when there are too many of them; a store may also just close the connection. */
const isTooLarge = (status: number | undefined): boolean =>
  status === undefined || [400, 413, 431, 494].includes(status);

async function fits(trial: Trial, bytes: number, signal: AbortSignal): Promise<boolean> {
  try {
    await trial.put(OBJECT, Buffer.alloc(0), signal, { Metadata: attributesOfSize(bytes) });
    return true;
  } catch (error) {
    if (signal.aborted || !isTooLarge(readFailure(error).status)) throw error;
    return false;
  }
}

/**
 * The largest attributes that the store takes, in bytes of names and values as AWS counts them: doubled until they are
 * refused, then halved to the byte, 20 requests at most. Undefined when it takes all that are tried.
 */
async function findLimit(trial: Trial, known: number, signal: AbortSignal): Promise<number | undefined> {
  let [taken, refused] = [known, known];
  while (refused === taken) {
    if (taken >= MOST_BYTES) return undefined;
    const bytes = Math.min(taken * 2, MOST_BYTES);
    if (await fits(trial, bytes, signal)) taken = refused = bytes;
    else refused = bytes;
  }
  while (refused - taken > 1) {
    const bytes = (taken + refused) >>> 1;
    if (await fits(trial, bytes, signal)) taken = bytes;
    else refused = bytes;
  }
  return taken;
}

/** Whether the object's attributes come back as they were sent. */
async function comeBack(trial: Trial, sent: Record<string, string>, signal: AbortSignal): Promise<boolean> {
  const { sdk, client } = await trial.client();
  const command = new sdk.HeadObjectCommand({ Bucket: trial.bucket, Key: trial.key(OBJECT) });
  const { Metadata: back = {} } = await client.send(command, { abortSignal: signal });
  return Object.entries(sent).every(([name, value]) => back[name] === value);
}

export const attributes: Check = {
  name: 'attributes',
  needs: ['put'],
  limitMs: 20_000,
  async run(trial, signal): Promise<Outcome> {
    // The nodes count the prefix of the header for each name, because some stores do.
    const largest = attributesOfSize(MAX_TOTAL, PREFIX_LENGTH);
    const bytes = Object.entries(largest).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    try {
      await trial.put(OBJECT, Buffer.alloc(0), signal, { Metadata: largest });
    } catch (error) {
      const failure = readFailure(error);
      if (signal.aborted) throw error;
      if (!isTooLarge(failure.status)) return outcomeOf(error, trial, 's3:PutObject');
      const limit = await largestBelow(trial, bytes, signal);
      return failed('attributesTooLarge', { values: { bytes, limit }, detail: trial.wordsOf(failure) });
    }
    try {
      if (!(await comeBack(trial, largest, signal)))
        return warning('attributesChanged', { values: { bytes } });
    } catch (error) {
      if (signal.aborted) throw error;
      return outcomeOf(error, trial, 's3:GetObject');
    }
    try {
      const limit = await findLimit(trial, bytes, signal);
      return limit === undefined
        ? ok('attributesUnlimited', { values: { bytes: MOST_BYTES } })
        : ok('attributesFine', { values: { bytes, limit } });
    } catch (error) {
      if (signal.aborted) throw error;
      return ok('attributesFit', { values: { bytes }, detail: trial.wordsOf(readFailure(error)) });
    }
  },
};

/** The largest attributes that fit below a size that does not. */
async function largestBelow(trial: Trial, refused: number, signal: AbortSignal): Promise<number> {
  let [taken, above] = [0, refused];
  while (above - taken > 1) {
    const bytes = (taken + above) >>> 1;
    if (await fits(trial, bytes, signal)) taken = bytes;
    else above = bytes;
  }
  return taken;
}
