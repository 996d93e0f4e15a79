/** What the connection doctor can find. The dialogue knows these names: nothing here may need Node.js. */

/** The checks, in the order in which they are made. */
export const CHECKS = [
  'settings',
  'dns',
  'connect',
  'tls',
  'answer',
  'clock',
  'credentials',
  'bucket',
  'region',
  'addressing',
  'put',
  'attributes',
  'head',
  'range',
  'suffix',
  'ifMatch',
  'ifNoneMatch',
  'list',
  'checksums',
  'delete',
  'rights',
  'cleanup',
] as const;

export type CheckName = (typeof CHECKS)[number];

/**
 * `ok`: the nodes of this package can rely on it. `warning`: they work, and a person should know. `failed`: something
 * will not work. `skipped`: not tried.
 */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

/** Settings of a connection that would work where those that were tried do not. */
export interface BetterSettings {
  endpoint?: string;
  region?: string;
  pathStyle?: boolean;
}

/** What a check has found. */
export interface Outcome {
  verdict: Verdict;
  /** Names the sentence and the remedy in the catalogue. No two checks mean different things by one name. */
  finding: string;
  /** What stands in the sentence: only numbers, and words of ours or of the form. */
  values?: Record<string, string | number>;
  /** Words of the store or of the system, untrusted, in one short line without secrets. */
  detail?: string;
  settings?: BetterSettings;
  /** A statement for an IAM policy, as JSON. */
  policy?: string;
}

export interface Finding extends Outcome {
  check: CheckName;
  /** How long the check took, in ms, to a tenth. */
  ms: number;
}

/** What an examination tells while it goes on. */
export type DoctorEvent =
  | { event: 'started'; check: CheckName }
  | ({ event: 'found' } & Finding)
  /** Buckets that the credentials may list, a hundred at most. */
  | { event: 'buckets'; names: string[] }
  /** The last one; `settings` are those that would work, as far as they differ from what was tried. */
  | { event: 'ended'; settings: BetterSettings; verdicts: Record<Verdict, number> };

type More = Omit<Outcome, 'verdict' | 'finding'>;

export const ok = (finding: string, more: More = {}): Outcome => ({ verdict: 'ok', finding, ...more });
export const warning = (finding: string, more: More = {}): Outcome => ({
  verdict: 'warning',
  finding,
  ...more,
});
export const failed = (finding: string, more: More = {}): Outcome => ({
  verdict: 'failed',
  finding,
  ...more,
});
export const skipped = (finding: string, more: More = {}): Outcome => ({
  verdict: 'skipped',
  finding,
  ...more,
});
