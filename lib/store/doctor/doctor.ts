import { S3BatchError } from '../../errors';
import { withinLimit } from '../limit';
import { checkOptions, type CheckedOptions, type S3StoreOptions } from '../s3-options';
import { accessChecks } from './access-checks';
import { attributes } from './attribute-check';
import type { Check } from './check';
import { outcomeOf } from './failure';
import {
  failed,
  ok,
  skipped,
  warning,
  type CheckName,
  type DoctorEvent,
  type Finding,
  type Outcome,
  type Verdict,
} from './finding';
import { NETWORK_CHECKS } from './network-checks';
import { OBJECT_CHECKS } from './object-checks';
import { rights } from './rights-check';
import { Trial } from './trial';

/** Longest time of one check, of all of them, and of the tidying up after them, in ms. */
export interface DoctorLimits {
  check: number;
  all: number;
  cleanUp: number;
}

const LIMITS: DoctorLimits = { check: 10_000, all: 90_000, cleanUp: 15_000 };

export interface Examination {
  /** Where objects are written, read and deleted; empty: what needs a bucket is skipped. */
  bucket: string;
  /** Whether a bucket that is missing is created; it stays. */
  createBucket: boolean;
  /** False: no request is signed, because there are no keys that may be used; what needs them is skipped. */
  signed: boolean;
  /** Ends the examination; what it has written is deleted all the same. */
  signal: AbortSignal;
  /** Is told what goes on, event by event. */
  report: (event: DoctorEvent) => void;
  limits?: Partial<DoctorLimits>;
}

/**
 * Tries on a store what the nodes of this package need of it, check by check, and tells of each what was found and how
 * long it took. Objects are written below `s3-batch-connection-doctor/` only, and deleted at the end, however it ends.
 * No event holds a secret. Ends within `limits.all` + `limits.cleanUp`, and never throws but for what `report` throws.
 */
export async function examine(options: S3StoreOptions, examination: Examination): Promise<void> {
  const { report } = examination;
  const limits = { ...LIMITS, ...examination.limits };
  const verdicts: Record<Verdict, number> = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  const outcomes = new Map<CheckName, Outcome>();
  const tell = (check: CheckName, outcome: Outcome, since: number): void => {
    const finding: Finding = { check, ...outcome, ms: Math.round((performance.now() - since) * 10) / 10 };
    outcomes.set(check, outcome);
    verdicts[outcome.verdict]++;
    report({ event: 'found', ...finding });
  };

  const start = performance.now();
  report({ event: 'started', check: 'settings' });
  const { checked, problem } = usable(options, examination.signed);
  // Without keys that may be used, the caller has told of the settings what is wrong with them.
  const settings = problem ?? (examination.signed ? ok('settingsFine') : undefined);
  if (settings !== undefined) tell('settings', settings, start);
  if (checked === undefined) {
    report({ event: 'ended', settings: {}, verdicts });
    return;
  }

  const trial = new Trial(checked, examination);
  const isSigned = examination.signed && problem === undefined;
  // The time that the SDK takes to load is none of the store's.
  if (isSigned) await trial.client().catch(() => undefined);
  const end = AbortSignal.any([examination.signal, AbortSignal.timeout(limits.all)]);
  const checks: readonly Check[] = [
    ...NETWORK_CHECKS,
    ...(isSigned ? accessChecks((names) => report({ event: 'buckets', names })) : []),
    ...(isSigned ? objectChecks() : []),
  ];
  try {
    for (const check of checks) {
      const since = performance.now();
      report({ event: 'started', check: check.name });
      const outcome = await outcomeOfCheck(check, trial, {
        outcomes,
        end,
        limits,
        isGivenUp: examination.signal,
      });
      if (outcome.settings !== undefined) trial.suggest(outcome.settings);
      tell(check.name, outcome, since);
    }
  } finally {
    if (isSigned) {
      const since = performance.now();
      report({ event: 'started', check: 'cleanup' });
      tell('cleanup', await cleanUp(trial, limits.cleanUp), since);
    }
    trial.close();
    report({ event: 'ended', settings: trial.better, verdicts });
  }
}

function objectChecks(): readonly Check[] {
  const { put, head, range, suffix, ifMatch, ifNoneMatch, list, checksums, delete: deletes } = OBJECT_CHECKS;
  return [put, attributes, head, range, suffix, ifMatch, ifNoneMatch, list, checksums, deletes, rights];
}

/** The settings, checked; without the credentials if it is these that are wrong, for the network can be tried then. */
function usable(options: S3StoreOptions, signed: boolean): { checked?: CheckedOptions; problem?: Outcome } {
  const network = { ...options };
  delete network.credentials;
  delete network.role;
  try {
    return { checked: checkOptions(signed ? options : network) };
  } catch (error) {
    const problem = failed('settingsWrong', { detail: messageOfSettings(error) });
    try {
      return { checked: checkOptions(network), problem };
    } catch {
      return { problem };
    }
  }
}

function messageOfSettings(error: unknown): string {
  return error instanceof S3BatchError ? error.message.slice(0, 300) : '';
}

async function outcomeOfCheck(
  check: Check,
  trial: Trial,
  run: {
    outcomes: ReadonlyMap<CheckName, Outcome>;
    end: AbortSignal;
    limits: DoctorLimits;
    isGivenUp: AbortSignal;
  },
): Promise<Outcome> {
  const { outcomes, end, limits, isGivenUp } = run;
  const because = check.needs.find((name) => {
    const verdict = outcomes.get(name)?.verdict;
    return verdict === undefined || verdict === 'failed' || verdict === 'skipped';
  });
  if (because !== undefined) return skipped('because', { values: { check: because } });
  const over = (): Outcome | undefined => {
    if (isGivenUp.aborted) return skipped('givenUp');
    return end.aborted ? skipped('outOfTime', { values: { seconds: limits.all / 1000 } }) : undefined;
  };
  const before = over();
  if (before !== undefined) return before;
  const ms = check.limitMs ?? limits.check;
  try {
    return await withinLimit({ ms, signals: [end], place: check.name }, async (signal) =>
      check.run(trial, signal),
    );
  } catch (error) {
    const during = over();
    if (during !== undefined) return during;
    if (error instanceof S3BatchError && error.code === 'STORE_TIMEOUT') {
      return failed('timeout', { values: { seconds: ms / 1000 } });
    }
    return outcomeOf(error, trial);
  }
}

async function cleanUp(trial: Trial, ms: number): Promise<Outcome> {
  const { gone, left, failure } = await trial.cleanUp(AbortSignal.timeout(ms));
  if (left.length === 0) return ok('cleanedUp', { values: { count: gone } });
  return warning('leftBehind', {
    values: { count: left.length, bucket: trial.bucket, prefix: trial.prefix },
    ...(failure !== undefined && { detail: trial.wordsOf(failure) }),
  });
}
