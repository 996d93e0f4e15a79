import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { examine, type DoctorEvent, type Examination, type Finding } from '../../../../lib/store/doctor';
import type { S3StoreOptions } from '../../../../lib/store/s3-store';
import { CREDENTIALS } from '../embedded';

type Ended = Extract<DoctorEvent, { event: 'ended' }>;

/** What an examination has told. */
export class Report {
  readonly events: DoctorEvent[];

  constructor(events: DoctorEvent[]) {
    this.events = events;
  }

  get findings(): Finding[] {
    return this.events.flatMap((event) => (event.event === 'found' ? [event] : []));
  }

  /** What a check has found; there is one finding of each. */
  of(check: Finding['check']): Finding {
    const found = this.findings.filter((finding) => finding.check === check);
    assert.equal(found.length, 1, `${check}: ${inspect(this.findings)}`);
    return found[0]!;
  }

  /** The name of what a check has found. */
  name(check: Finding['check']): string {
    const { finding, verdict } = this.of(check);
    return `${verdict} ${finding}`;
  }

  get ended(): Ended {
    const last = this.events.at(-1);
    assert.equal(last?.event, 'ended');
    return last;
  }

  /** The names of all checks with this verdict. */
  with(verdict: Finding['verdict']): string[] {
    return this.findings.filter((finding) => finding.verdict === verdict).map(({ check }) => check);
  }
}

/** Examines a store, and looks into everything that was told for what must not be in it. */
export async function examined(
  options: S3StoreOptions,
  examination: Partial<Examination> & { bucket: string },
): Promise<Report> {
  const events: DoctorEvent[] = [];
  await examine(options, {
    createBucket: false,
    signed: true,
    signal: new AbortController().signal,
    ...examination,
    report: (event) => {
      events.push(event);
      examination.report?.(event);
    },
  });
  const report = new Report(events);
  const text = JSON.stringify(events);
  const { secretAccessKey = '', sessionToken = '' } = options.credentials ?? {};
  for (const secret of [CREDENTIALS.secretAccessKey, secretAccessKey, sessionToken]) {
    if (secret !== '') assert.equal(text.includes(secret), false, text);
  }
  assert.doesNotMatch(text, /Signature=|AWS4-HMAC|[0-9a-f]{64}/i);
  // Each check is announced, and each has a time.
  const started = events.flatMap((event) => (event.event === 'started' ? [event.check] : []));
  for (const { check, ms } of report.findings) {
    assert.ok(started.includes(check), check);
    assert.ok(ms >= 0 && ms < 120_000, `${check}: ${ms}`);
  }
  const counted = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  for (const { verdict } of report.findings) counted[verdict]++;
  assert.deepEqual(report.ended.verdicts, counted);
  return report;
}
