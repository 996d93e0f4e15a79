import type { BatchWriter, BatchWriterSettings, JournalSettings, Settled } from '../batch';
import { BatchJournal } from '../batch/batch-journal';
import { newBatchId } from '../batch/batch-id';
import { type EarlyRecord, EarlyRecords, refusal } from '../batch/early-records';
import { type Clock, systemClock } from '../clock';
import { S3BatchError } from '../errors';
import { guarded } from '../guarded';
import type { Damage, RecoveredBatch } from '../journal';
import { Placement } from '../layout';
import { BackupAnnouncements } from './backup-announcements';
import { BackupBook, WAITING_MEMORY } from './backup-book';
import { KnownAnnouncements } from './backup-known';
import { checkSize, checkStoredSize, memoryFull, uploadMemory } from './backup-limits';
import { describeSlice, KNOWN_ANNOUNCEMENTS, lastOpened, onDiskIn, recover } from './backup-recovery';
import type { BackupEvents, BackupLedger, BackupSettings } from './backup-settings';
import { BackupUploads } from './backup-uploads';
import { DIGEST_LENGTH, writeDigest } from './digest';

/** After a start nothing is uploaded for this long, ms: what was announced meanwhile waits at the broker. */
const AFTER_START = 60_000;
/** Bytes that may be allocated at once for a message besides its own. */
const STEP = 32 * 1024;
/**
 * Keeps every message that it receives until it is announced that an object in the store has it; what nobody announces
 * in time it stores itself. Nothing is lost unless this and the converter fail within one timeout; messages may be
 * stored twice.
 */
export class Backup {
  readonly #clock: Clock;
  readonly #events: BackupEvents;
  readonly #book: BackupBook;
  readonly #known: KnownAnnouncements;
  readonly #announcements: BackupAnnouncements;
  readonly #uploads: BackupUploads;
  readonly #placement = new Placement();
  readonly #digest = Buffer.alloc(DIGEST_LENGTH);
  readonly #counts = {
    received: 0,
    recovered: 0,
    /** Of messages that were announced before they came. */
    announced: 0,
    refused: 0,
    refusedAnnouncements: 0,
  };
  #settings: BackupSettings;
  #journal: BatchJournal | undefined;
  /** While the journal is being opened. */
  #early: EarlyRecords | undefined;
  /** Messages among what waits for that. */
  #earlyMessages = 0;
  /** The book's time is the elapsed time and this. */
  #timeOffset: number;
  #closed = false;

  constructor(settings: BackupSettings, events: BackupEvents, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#events = events;
    this.#clock = clock;
    this.#timeOffset = -clock.elapsed();
    this.#known = new KnownAnnouncements(KNOWN_ANNOUNCEMENTS, () => clock.now());
    this.#book = new BackupBook(settings.timeout, (opened) => this.#openSlice(opened));
    this.#announcements = new BackupAnnouncements(
      this.#book,
      this.#known,
      () => this.#now,
      () => this.#roomForWaiting,
    );
    this.#uploads = new BackupUploads(
      this.#book,
      writerSettings(settings),
      events,
      clock,
      () => this.#now,
      () => this.#counts.refused++,
    );
    if (settings.journal) this.#openJournal(settings.journal);
  }

  /** Messages that are neither announced nor stored by the backup. */
  get openRecords(): number {
    return this.#held + this.#uploads.uploading;
  }

  /** Resolves when the journal is open, or will not be soon, and what came before that is taken. */
  get opened(): Promise<void> {
    return this.#early?.taken ?? Promise.resolve();
  }

  /** Uploads that wait or run. */
  get uploads(): BatchWriter['uploads'] {
    return this.#uploads.state;
  }

  /** Whether all that is held is kept on disk. */
  get isOnDisk(): boolean {
    const isOpen = this.#journal !== undefined && !this.#early;
    return isOpen && !this.journalError && this.#book.isAllOnDisk;
  }

  /** Messages that a crash would lose: they are in memory only. */
  get unsafeRecords(): number {
    return this.isOnDisk ? 0 : this.openRecords;
  }

  /** Why nothing is kept on disk at present. */
  get journalError(): S3BatchError | undefined {
    return this.#journal?.error;
  }

  /** Ms that the oldest message has been held; it may be a twentieth of the timeout less. */
  get oldestAge(): number {
    const since = this.#book.heldSince;
    return since === undefined ? 0 : this.#now - since;
  }

  get ledger(): BackupLedger {
    return {
      ...this.#counts,
      ...this.#announcements.counts,
      ...this.#uploads.counts,
      announced: this.#counts.announced + this.#announcements.announced,
      held: this.#held,
      uploading: this.#uploads.uploading,
      waiting: this.#book.waiting,
      expired: this.#book.expired,
      heldBytes: this.#book.heldBytes,
      memoryBytes: this.#memory,
      journalBytes: this.#journal?.bytes ?? 0,
    };
  }

  /**
   * Takes a message of the topics, or, on the control topic, an announcement.
   * @param arrival ms since 1970
   * @param settled called once when it is on disk (at once, where there is no journal)
   * @throws MESSAGE_TOO_LARGE, MEMORY_FULL, ANNOUNCEMENT_INVALID, CLOSED; with `settled` also what the journal cannot
   * be used for: it was not taken. What is found later of a large announcement is told to `settled`, or as `refused`
   */
  take(topic: string, payload: Buffer, arrival: number, settled?: Settled): void {
    const isControl = this.#settings.isControl(topic);
    if (!isControl) this.#counts.received++;
    try {
      if (this.#closed) throw new S3BatchError('CLOSED', 'the node is closing and takes no more messages');
      checkSize(topic, payload.length, this.#settings.memory);
      // An announcement makes room.
      if (!isControl || this.#early) this.#checkRoom(topic.length + payload.length);
      if (this.#early) {
        this.#early.add({ topic, payload, arrival, settled, safeAt: 'journaled' });
        if (!isControl) this.#earlyMessages++;
      } else this.#take(isControl, topic, payload, arrival, settled);
    } catch (error) {
      this.#countRefused(isControl);
      throw error;
    }
  }

  /** Counts a message that could not be given to `take`. */
  refused(): void {
    this.#counts.received++;
    this.#counts.refused++;
  }

  /** Goes on with other settings. */
  configure(settings: BackupSettings): void {
    const old = this.#settings;
    this.#settings = settings;
    this.#book.timeout = settings.timeout;
    this.#uploads.notBefore = Math.min(this.#uploads.notBefore, this.#now + settings.timeout);
    this.#uploads.configure(writerSettings(settings));
    if (old.journal?.folder !== settings.journal?.folder) this.#changeJournal(settings.journal);
    else if (settings.journal) this.#journal?.changeSettings(settings.journal);
  }

  /** Uploads everything that is held, announced or not. */
  sealAll(): void {
    this.#uploads.sealAll();
  }

  /** Stores what was handed over for upload so far. */
  async flush(): Promise<void> {
    await this.#uploads.flush();
  }

  /** Resolves when nothing is held any more, after `sealAll`. */
  async allStored(): Promise<void> {
    await this.#uploads.allStored();
  }

  /** Resolves when what was taken so far is on disk; at once where there is no journal. */
  async commit(): Promise<void> {
    this.#announcements.finish();
    this.#book.settle();
    await this.#journal?.commit();
  }

  /** Takes nothing more, and tries for `ms` to store what is handed over for upload; the rest is left to the journal. */
  async close(ms: number): Promise<void> {
    this.#closed = true;
    await this.opened;
    this.#announcements.finish();
    await this.#uploads.close(ms);
    this.#book.settle();
    // A node that is gone leaves nothing behind.
    if (this.#uploads.allIsDue && this.openRecords === 0) this.#known.useJournal(undefined);
    await this.#journal?.end();
  }

  get #held(): number {
    return this.#book.held + this.#earlyMessages;
  }

  get #now(): number {
    return this.#clock.elapsed() + this.#timeOffset;
  }

  get #memory(): number {
    return (
      this.#book.allocated +
      this.#known.allocated +
      this.#uploads.heldBytes +
      (this.#early?.heldBytes ?? 0) +
      (this.#journal?.pendingBytes ?? 0)
    );
  }

  /** How many digests may yet wait for their messages; those of messages that never come must leave room for others. */
  get #roomForWaiting(): number {
    const { memory } = this.#settings;
    return Math.floor(
      Math.min(memory / 4 - this.#book.waiting * WAITING_MEMORY, memory - this.#memory) / WAITING_MEMORY,
    );
  }

  #countRefused(isControl: boolean): void {
    if (isControl) this.#counts.refusedAnnouncements++;
    else this.#counts.refused++;
  }

  #take(
    isControl: boolean,
    topic: string,
    payload: Buffer,
    arrival: number,
    settled: Settled | undefined,
  ): void {
    const now = this.#now;
    if (settled && this.#settings.journal && !this.#book.isOnDisk(now)) {
      throw (
        this.#journal?.error ??
        new S3BatchError('JOURNAL_FAILED', 'the journal is not open yet: the message must be sent again')
      );
    }
    if (isControl) {
      this.#announce(payload, settled);
      return;
    }
    this.#hold(now, topic, payload, arrival);
    this.#uploads.arm();
    this.#settleOnDisk(settled);
  }

  #settleOnDisk(settled: Settled | undefined): void {
    if (!settled) return;
    const journal = this.#settings.journal && this.#journal;
    if (journal) journal.afterCommit(settled);
    else setImmediate(settled);
  }

  #hold(now: number, topic: string, payload: Buffer, arrival: number): void {
    const placement = this.#placement;
    this.#settings.writer.layout.resolve(topic, payload, arrival, placement);
    checkStoredSize(placement, this.#settings.writer.framing, this.#settings.memory);
    writeDigest(topic, placement.bytes, this.#digest, 0);
    if (!this.#book.addMessage(now, this.#digest, topic, payload, arrival)) this.#counts.announced++;
  }

  #announce(message: Buffer, settled: Settled | undefined): void {
    // What is found at once is thrown.
    let isLate = false;
    let failure: S3BatchError | undefined;
    this.#announcements.take(message, (error) => {
      this.#uploads.arm();
      if (!error) this.#settleOnDisk(settled);
      else if (!isLate) failure = error;
      else {
        this.#counts.refusedAnnouncements++;
        this.#tellRefused(error, settled);
      }
    });
    isLate = true;
    if (failure) throw failure;
  }

  #tellRefused(error: S3BatchError, settled: Settled | undefined): void {
    guarded(() => {
      if (settled) settled(error);
      else this.#events.refused?.(error);
    });
  }

  #checkRoom(length: number): void {
    const { memory } = this.#settings;
    const used = this.#memory;
    if (used + length + STEP <= memory) return;
    throw memoryFull(used, memory, this.uploads.error ?? this.journalError);
  }

  #openSlice(opened: number): ReturnType<typeof onDiskIn> | undefined {
    const journal = this.#journal;
    const batch = journal?.openBatch(newBatchId(this.#clock.now()), describeSlice(opened));
    return journal && batch && onDiskIn(journal, batch);
  }

  #changeJournal(settings: JournalSettings | undefined): void {
    this.#announcements.finish();
    this.#book.closeCurrent(this.#now);
    const old = this.#journal;
    this.#journal = undefined;
    this.#known.useJournal(undefined);
    old?.retire();
    // What waited for the old journal waits for the new one.
    if (settings) this.#openJournal(settings);
    else this.#takeEarly();
  }

  #openJournal(settings: JournalSettings): void {
    const journal = new BatchJournal(settings, this.#clock, {
      opened: (batches, damage) => void this.#recover(journal, batches, damage),
      committed: () => undefined,
      failed: (error, pauseMs) => {
        this.#takeEarly();
        guarded(() => this.#events.journalFailed?.(error, pauseMs));
      },
      restored: () => {
        guarded(() => this.#events.journalRestored?.());
      },
    });
    this.#journal = journal;
    this.#early ??= new EarlyRecords();
    this.#uploads.isHalted = true;
  }

  async #recover(
    journal: BatchJournal,
    batches: readonly RecoveredBatch[],
    damage: readonly Damage[],
  ): Promise<void> {
    const before = this.#now;
    const now = Math.max(before, lastOpened(batches) ?? before);
    this.#timeOffset += now - before;
    this.#book.shift(now - before);
    this.#uploads.notBefore = now + Math.min(this.#settings.timeout, AFTER_START);
    this.#known.useJournal(journal);
    let records = 0;
    const unreadable = await recover(journal, batches, this.#book, this.#known, now, (messages) => {
      // At once: whoever looks into the books meanwhile sees these among the held.
      this.#counts.received += messages;
      this.#counts.recovered += messages;
      records += messages;
    });
    guarded(() => this.#events.recovered?.({ records, damage, unreadable }));
    this.#takeEarly();
    this.#uploads.arm();
  }

  /** The journal is open, or will not be soon: what came before that is taken. */
  #takeEarly(): void {
    this.#early?.drain(
      (record) => {
        this.#takeOneEarly(record);
      },
      () => {
        this.#early = undefined;
        this.#uploads.isHalted = false;
        this.#uploads.handOverSoon();
      },
    );
  }

  #takeOneEarly({ topic, payload, arrival, settled }: EarlyRecord): void {
    const isControl = this.#settings.isControl(topic);
    if (!isControl) this.#earlyMessages--;
    try {
      this.#take(isControl, topic, payload, arrival, settled);
    } catch (error) {
      this.#countRefused(isControl);
      this.#tellRefused(refusal(error), settled);
    }
  }
}

function writerSettings({ writer, memory }: BackupSettings): BatchWriterSettings {
  return { ...writer, memory: uploadMemory(memory) };
}
