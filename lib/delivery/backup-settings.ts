import type { BatchWriterSettings, JournalSettings, WriterEvents } from '../batch';
import { TopicFilter } from '../layout';
import type { BackupRecovery } from './backup-recovery';

export interface BackupSettings {
  /** Whether announcements are published on a topic. */
  isControl: (topic: string) => boolean;
  /** ms that a message is held for its announcement, and an announcement for its message. */
  timeout: number;
  /** Most bytes of memory for all that is held, and for what is uploaded. */
  memory: number;
  /** Keeps on disk what is held; without it a crash loses it to this backup. */
  journal: JournalSettings | undefined;
  /** How overdue messages are stored. */
  writer: Omit<BatchWriterSettings, 'memory' | 'journal' | 'digest'>;
}

export interface BackupEvents extends Omit<WriterEvents, 'recovered'> {
  recovered?(recovery: BackupRecovery): void;
}

/** The ledger of a backup. At any time received = announced + uploaded + held + uploading + refused. */
export interface BackupLedger {
  /** Messages that came, refused ones too, or were recovered. */
  received: number;
  /** Of those received, the ones that a former process had held. */
  recovered: number;
  /** Messages that the converter has stored. */
  announced: number;
  /** Messages that the backup has stored itself, and in how many objects. */
  uploaded: number;
  uploadedObjects: number;
  refused: number;
  held: number;
  uploading: number;
  /** Control messages that were counted, that came again, and that were refused. */
  announcements: number;
  repeated: number;
  refusedAnnouncements: number;
  /** Announced messages that have not come yet, and those that did not come in time. */
  waiting: number;
  expired: number;
  /** Bytes. */
  heldBytes: number;
  memoryBytes: number;
  journalBytes: number;
}

/** Tells the topics that match a filter; undefined when the text is no filter. */
export function controlTopicTest(filter: string): ((topic: string) => boolean) | undefined {
  const parsed = TopicFilter.parse(filter);
  // It is asked for every message, and nearly all are none of these.
  const beginning = filter.replace(/\/?[+#].*$/, '');
  return parsed && ((topic) => topic.startsWith(beginning) && parsed.matches(topic));
}
