import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { announcementsOf } from '../../../lib/delivery/announcement';
import { Backup } from '../../../lib/delivery/backup';
import type { BackupRecovery } from '../../../lib/delivery/backup-recovery';
import { type BackupSettings, controlTopicTest } from '../../../lib/delivery/backup-settings';
import { DIGEST_LENGTH, writeDigest } from '../../../lib/delivery/digest';
import type { S3BatchError } from '../../../lib/errors';
import { Layout } from '../../../lib/layout';
import { FakeClock, nextTurn } from '../../support/fake-clock';
import { MemoryStore } from '../../support/memory-store';
import { LAYOUT, linesOf, MIB } from '../batch/support';

export const CONTROL = 'control/a';
export const TIMEOUT = 1000;
/** Rows wait up to a twentieth longer. */
export const LATEST = TIMEOUT * 1.05 + 1;

interface Given {
  timeout?: number;
  memory?: number;
  folder?: string | undefined;
  store?: MemoryStore;
  clock?: FakeClock;
  layout?: Layout;
  count?: number;
}

/** A backup with its clock and its store, and what it has told. */
export class TestBackup {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly layout: Layout;
  readonly backup: Backup;
  readonly refused: S3BatchError[] = [];
  readonly failed: S3BatchError[] = [];
  readonly recoveries: BackupRecovery[] = [];

  constructor(readonly given: Given = {}) {
    this.clock = given.clock ?? new FakeClock();
    this.store = given.store ?? new MemoryStore();
    this.layout = given.layout ?? new Layout(LAYOUT);
    this.backup = new Backup(
      this.settingsWith({}),
      {
        stored: () => undefined,
        failed: (error) => this.failed.push(error),
        journalFailed: (error) => this.failed.push(error),
        recovered: (recovery) => this.recoveries.push(recovery),
        refused: (error) => this.refused.push(error),
      },
      this.clock,
    );
  }

  settingsWith(changes: Given): BackupSettings {
    const { timeout = TIMEOUT, memory = 64 * MIB, folder, count = 0 } = { ...this.given, ...changes };
    return {
      isControl: controlTopicTest('control/#')!,
      timeout,
      memory,
      journal: folder === undefined ? undefined : { folder, commit: { ms: 5, records: 100 } },
      writer: {
        layout: changes.layout ?? this.layout,
        store: this.store,
        limits: { count, bytes: 0, age: 1, idle: 0 },
        framing: 'newline',
        compression: 'gzip',
        blockSize: 128 * 1024,
        uploads: 4,
        instance: 'backup',
      },
    };
  }

  take(payload: string | Buffer, topic = 'bucket/device'): void {
    this.backup.take(topic, Buffer.from(payload), this.clock.now());
  }

  announce(batch: string, ...payloads: string[]): void {
    for (const message of announcementOf(batch, payloads)) this.takeControl(message);
  }

  /** Announces many, which takes several turns of the event loop. */
  async announceMany(batch: string, payloads: readonly string[]): Promise<void> {
    this.announce(batch, ...payloads);
    for (let turn = 0; turn < payloads.length / 1000; turn++) await nextTurn();
  }

  takeControl(message: Buffer): void {
    this.backup.take(CONTROL, message, this.clock.now());
  }

  /** Everything that the backup stored, one line a record. */
  get uploaded(): string[] {
    return this.store.names
      .flatMap((name) => {
        const [bucket = '', ...key] = name.split('/');
        return linesOf(this.store.body(bucket, key.join('/')));
      })
      .sort();
  }

  get held(): number {
    return this.backup.ledger.held;
  }

  /** Lets time pass, and what is uploaded in it arrive: that takes 60 ms more. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms);
    // What is due is handed over in turns; then the batches' age passes.
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    await this.clock.pass(60);
    const end = performance.now() + 30_000;
    while (this.backup.ledger.uploading > 0) {
      assert.ok(performance.now() < end, 'waited for the uploads');
      // What was handed over in the last moment is in an open batch.
      if (this.backup.uploads.pending === 0) await this.clock.pass(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await nextTurn();
    await nextTurn();
  }

  /** Lets time pass until something that takes real time, too, has happened. */
  async passUntil(what: string, condition: () => boolean): Promise<void> {
    const end = performance.now() + 15_000;
    while (!condition()) {
      assert.ok(performance.now() < end, `waited for: ${what}`);
      await this.clock.pass(500);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** received = announced + uploaded + held + uploading + refused. */
  checkLedger(): void {
    const { received, announced, uploaded, held, uploading, refused } = this.backup.ledger;
    assert.equal(received, announced + uploaded + held + uploading + refused);
  }

  /** What the journal has on disk now, as a process that is started after a crash finds it. */
  async crash(folder: string, changes: Given = {}): Promise<TestBackup> {
    await this.backup.commit();
    await copyJournal(this.given.folder!, folder);
    return this.#next({ folder, ...changes });
  }

  /** A clean stop and another start. */
  async restart(changes: Given = {}): Promise<TestBackup> {
    await this.backup.close(0);
    return this.#next(changes);
  }

  async #next(changes: Given): Promise<TestBackup> {
    const clock = new FakeClock(this.clock.now() + 1234);
    const next = new TestBackup({ ...this.given, store: this.store, clock, ...changes });
    await next.backup.opened;
    await nextTurn();
    return next;
  }
}

/** Copies what is on disk at one moment: while files come and go, it begins again. */
async function copyJournal(from: string, to: string): Promise<void> {
  const filesIn = async (): Promise<string[]> =>
    (await readdir(from)).filter((name) => !name.includes('lock'));
  for (;;) {
    await rm(to, { recursive: true, force: true });
    await mkdir(to, { recursive: true });
    const files = await filesIn();
    const copies = files.map((name) => copyFile(path.join(from, name), path.join(to, name)));
    const done = await Promise.allSettled(copies);
    const isWhole = done.every(({ status }) => status === 'fulfilled');
    if (isWhole && String(await filesIn()) === String(files)) return;
  }
}

export function announcementOf(
  batch: string,
  payloads: readonly string[],
  topic = 'bucket/device',
): Buffer[] {
  const digests = Buffer.alloc(DIGEST_LENGTH * payloads.length);
  payloads.forEach((payload, n) => writeDigest(topic, Buffer.from(payload), digests, n * DIGEST_LENGTH));
  return announcementsOf(batch, digests);
}

/** Calls the work with a folder that is removed afterwards. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-backup-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
