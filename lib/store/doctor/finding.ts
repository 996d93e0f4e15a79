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

/** What can be found and needs nothing done. No two checks mean different things by one name. */
const FINE = [
  'settingsFine',
  'hostFound',
  'hostIsAddress',
  'connected',
  'tlsFine',
  'tlsNeedless',
  'answers',
  'clockFine',
  'keysAccepted',
  'keysAcceptedUnlisted',
  'keysUntold',
  'bucketThere',
  'bucketUntold',
  'bucketCreated',
  'regionRight',
  'regionUntold',
  'pathByAddress',
  'pathAndHost',
  'pathOnly',
  'hostOnly',
  'putFine',
  'attributesFine',
  'attributesFit',
  'attributesUnlimited',
  'headFine',
  'rangeFine',
  'suffixFine',
  'ifMatchFine',
  'ifNoneMatchFine',
  'listFine',
  'listAllowed',
  'checksumsBoth',
  'checksumsOfBuffers',
  'checksumsRequiredOnly',
  'deleteFine',
  'rightsFine',
  'cleanedUp',
  'because',
  'givenUp',
] as const;

/** What can be found and has a remedy. */
const WITH_REMEDY = [
  'settingsWrong',
  'variableMissing',
  'keysElsewhere',
  'keysUndeployed',
  'tlsUndeployed',
  'tlsStale',
  'hostUnknown',
  'nameServerSilent',
  'connectionRefused',
  'connectionTimeout',
  'hostUnreachable',
  'tlsNone',
  'tlsUnchecked',
  'tlsPlainPort',
  'tlsFailed',
  'certificateEndsSoon',
  'certificateSelfSigned',
  'certificateUntrusted',
  'certificateExpired',
  'certificateEarly',
  'certificateOtherHost',
  'clientCertificateWanted',
  'answersUnlikeS3',
  'answersTls',
  'answerBroken',
  'clockAhead',
  'clockBehind',
  'clockUnknown',
  'clockRefused',
  'keyUnknown',
  'secretWrong',
  'tokenExpired',
  'tokenWrong',
  'keysMissing',
  'roleRefused',
  'bucketUnnamed',
  'bucketNameWrong',
  'bucketMissing',
  'bucketNotCreated',
  'bucketElsewhere',
  'regionWrong',
  'regionOther',
  'pathNeeded',
  'hostNeeded',
  'attributesTooLarge',
  'attributesChanged',
  'headWrong',
  'rangeIgnored',
  'rangeWrong',
  'suffixIgnored',
  'suffixWrong',
  'ifMatchIgnored',
  'ifNoneMatchIgnored',
  'ifNoneMatchUnsupported',
  'listIncomplete',
  'startAfterIgnored',
  'startAfterWrong',
  'deleteDenied',
  'rightsMissing',
  'rightsNone',
  'leftBehind',
  'denied',
  'notImplemented',
  'busy',
  'refused',
  'brokeOff',
  'notS3Answer',
  'timeout',
  'outOfTime',
] as const;

export const FINDINGS = [...FINE, ...WITH_REMEDY] as const;

export type FindingName = (typeof FINDINGS)[number];

/** Whether there is something to do about it. */
export function hasRemedy(finding: FindingName): boolean {
  return (WITH_REMEDY as readonly string[]).includes(finding);
}

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
  /** Names the sentence and the remedy in the catalogue. */
  finding: FindingName;
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

export const ok = (finding: FindingName, more: More = {}): Outcome => ({ verdict: 'ok', finding, ...more });
export const warning = (finding: FindingName, more: More = {}): Outcome => ({
  verdict: 'warning',
  finding,
  ...more,
});
export const failed = (finding: FindingName, more: More = {}): Outcome => ({
  verdict: 'failed',
  finding,
  ...more,
});
export const skipped = (finding: FindingName, more: More = {}): Outcome => ({
  verdict: 'skipped',
  finding,
  ...more,
});
