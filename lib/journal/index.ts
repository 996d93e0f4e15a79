export type { JournalBatch, JournalVisitor, RecoveredBatch } from './batch';
export { type FileSystem, type JournalFile, nodeFileSystem } from './file-system';
export { Journal, type JournalEvents, type JournalOptions, type OpenedJournal } from './journal';
export type { Damage } from './recovery';
