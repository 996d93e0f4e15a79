import type { PeerCertificate } from 'node:tls';

import { readFailure } from '../s3-failure';
import { addressOf, otherScheme } from './address';
import type { Check } from './check';
import { isPlainPort, tlsFinding } from './failure';
import { failed, ok, warning, type FindingName, type Outcome } from './finding';
import { ask, connect, resolve, shakeHands, type Answer, type Handshake } from './network';
import type { Trial } from './trial';

const DAY_MS = 86_400_000;
/** Time to renew a certificate in. */
const SOON_DAYS = 14;
/** What is off by more confuses a person who looks for a record by time; S3 refuses what is signed 15 min off. */
const NOTABLE_SKEW_S = 30;
const REFUSED_SKEW_S = 15 * 60;
/** How long a server is asked whether it speaks the other scheme, in ms. */
const OTHER_SCHEME_MS = 3000;

const dns: Check = {
  name: 'dns',
  needs: [],
  async run(trial) {
    const { host, isIpAddress } = addressOf(trial.options);
    if (isIpAddress) return ok('hostIsAddress', { values: { host } });
    try {
      const addresses = await resolve(host);
      return ok('hostFound', { values: { host, count: addresses.length } });
    } catch (error) {
      const failure = readFailure(error);
      const unknown = failure.code === 'ENOTFOUND' || failure.code === 'EAI_NONAME';
      return failed(unknown ? 'hostUnknown' : 'nameServerSilent', {
        values: { host },
        detail: trial.wordsOf(failure),
      });
    }
  },
};

const CONNECT_FINDINGS: Readonly<Record<string, FindingName>> = {
  ECONNREFUSED: 'connectionRefused',
  ETIMEDOUT: 'connectionTimeout',
};

const connects: Check = {
  name: 'connect',
  needs: ['dns'],
  async run(trial, signal) {
    const address = addressOf(trial.options);
    const { host, port } = address;
    const { connectTimeoutMs } = trial.options;
    const limit = AbortSignal.timeout(connectTimeoutMs);
    const values = { host, port, seconds: connectTimeoutMs / 1000 };
    try {
      await connect(address, AbortSignal.any([signal, limit]));
      return ok('connected', { values });
    } catch (error) {
      if (limit.aborted) return failed('connectionTimeout', { values });
      const failure = readFailure(error);
      const finding = CONNECT_FINDINGS[failure.code ?? ''] ?? 'hostUnreachable';
      return failed(finding, { values, detail: trial.wordsOf(failure) });
    }
  },
};

const tls: Check = {
  name: 'tls',
  needs: ['connect'],
  async run(trial, signal) {
    const address = addressOf(trial.options);
    if (!address.secure) {
      const isHere = /^(?:localhost|127\..*|::1)$/.test(address.host);
      return (isHere ? ok : warning)(isHere ? 'tlsNeedless' : 'tlsNone');
    }
    const { tls: settings } = trial.options;
    try {
      const { protocol, certificate } = await shakeHands(address, settings, signal);
      if (settings?.rejectUnauthorized === false) return warning('tlsUnchecked', { values: { protocol } });
      const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
      const values = { protocol, count: days };
      if (days < SOON_DAYS) return warning('certificateEndsSoon', { values });
      return ok('tlsFine', { values });
    } catch (error) {
      if (signal.aborted) throw error;
      return explainTls(error, trial, signal);
    }
  },
};

/** Names the problem with TLS, and shows the certificate that it is about. */
async function explainTls(error: unknown, trial: Trial, signal: AbortSignal): Promise<Outcome> {
  const failure = readFailure(error);
  const detail = trial.wordsOf(failure);
  if (isPlainPort(failure)) {
    const endpoint = otherScheme(trial.options);
    return failed('tlsPlainPort', { detail, ...(endpoint !== undefined && { settings: { endpoint } }) });
  }
  const finding = tlsFinding(failure.code) ?? 'tlsFailed';
  if (!finding.startsWith('certificate')) return failed(finding, { detail });
  const unchecked = { ...trial.options.tls, rejectUnauthorized: false };
  const handshake = await shakeHands(addressOf(trial.options), unchecked, signal).catch(() => undefined);
  return failed(finding, {
    detail: [describe(handshake?.certificate), detail].filter((part) => part !== '').join(' · '),
    values: { host: trial.options.tls?.servername ?? addressOf(trial.options).host },
  });
}

/** What a person can recognise a certificate by: untrusted text, shortened by whoever shows it. */
function describe(certificate: Handshake['certificate'] | undefined): string {
  if (certificate === undefined) return '';
  const {
    subject,
    issuer,
    subjectaltname,
    valid_from: from,
    valid_to: to,
  } = certificate as Partial<PeerCertificate>;
  const name = (one: unknown): string =>
    Array.isArray(one) ? one.join(', ') : typeof one === 'string' ? one : '?';
  return [
    `subject ${name(subject?.CN)}`,
    `issuer ${name(issuer?.CN)}`,
    ...(subjectaltname === undefined ? [] : [`for ${subjectaltname}`]),
    `valid ${from ?? '?'} to ${to ?? '?'}`,
  ]
    .join('; ')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .slice(0, 400);
}

/** The answers to `GET /`, for the checks that come after. */
const answers = new WeakMap<Trial, Answer>();

const answer: Check = {
  name: 'answer',
  needs: ['tls'],
  async run(trial, signal) {
    const address = addressOf(trial.options);
    try {
      const given = await ask(address, trial.options.tls, signal);
      answers.set(trial, given);
      if (!address.secure && given.status === 400 && /https/i.test(given.start)) {
        return await explainSilence(trial, signal, `HTTP ${given.status}`);
      }
      const values = { status: given.status };
      return isS3(given) ? ok('answers', { values }) : warning('answersUnlikeS3', { values });
    } catch (error) {
      if (signal.aborted) throw error;
      const failure = readFailure(error);
      const detail = trial.wordsOf(failure);
      const finding = address.secure ? tlsFinding(failure.code) : undefined;
      if (finding !== undefined) return failed(finding, { detail });
      return address.secure ? failed('answerBroken', { detail }) : explainSilence(trial, signal, detail);
    }
  },
};

/** A server that does not understand plain HTTP may want TLS. */
async function explainSilence(trial: Trial, signal: AbortSignal, detail: string): Promise<Outcome> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(OTHER_SCHEME_MS)]);
  const unchecked = { ...trial.options.tls, rejectUnauthorized: false };
  const handshake = await shakeHands(addressOf(trial.options), unchecked, limit).catch(() => undefined);
  if (handshake === undefined) return failed('answerBroken', { detail });
  const endpoint = otherScheme(trial.options);
  return failed('answersTls', { detail, ...(endpoint !== undefined && { settings: { endpoint } }) });
}

/** Whether something in an answer is as only S3 has it. */
function isS3({ headers, start }: Answer): boolean {
  const names = Object.keys(headers);
  return (
    names.some((name) => name.startsWith('x-amz-')) ||
    /<(?:\w+:)?(?:Error|ListAllMyBucketsResult)\b/.test(start)
  );
}

const clock: Check = {
  name: 'clock',
  needs: ['answer'],
  run(trial) {
    const given = answers.get(trial);
    const date = Date.parse(given?.headers.date ?? '');
    if (given === undefined || Number.isNaN(date)) return warning('clockUnknown');
    // The header has whole seconds: in the middle it is half a second later.
    const ahead = ((given.sent + given.received) / 2 - (date + 500)) / 1000;
    const seconds = Math.round(Math.abs(ahead));
    const values = { seconds };
    if (seconds <= NOTABLE_SKEW_S) return ok('clockFine', { values });
    const finding = ahead > 0 ? 'clockAhead' : 'clockBehind';
    return (seconds < REFUSED_SKEW_S ? warning : failed)(finding, { values });
  },
};

export const NETWORK_CHECKS: readonly Check[] = [dns, connects, tls, answer, clock];
