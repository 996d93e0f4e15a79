import { RecordFlag } from '../record';
import type { OpenBatch } from './open-batch';

/**
 * The ledger: what a writer counts; records but where it says otherwise. At any time received = stored + open +
 * refused, where open are those that it holds.
 */
export interface WriterCounts {
  /** Given to `append` (taken or refused), or recovered. */
  received: number;
  /** Of those received, the ones that a former process had taken and not stored. */
  recovered: number;
  refused: number;
  /** Synced to the journal. */
  journaled: number;
  /** In batches that take no more. */
  sealed: number;
  stored: number;
  /** Told to be safe to who asked: journaled or stored. */
  acknowledged: number;
  storedObjects: number;
  /** Topic does not fit the layout. */
  unmatchedTopic: number;
  /** No usable time in the payload. */
  arrivalTime: number;
  notDecompressed: number;
  fieldMissing: number;
}

/** One open batch, for people to see. */
export interface OpenBatchState {
  batch: string;
  bucket: string;
  /** Bucket, the records' values in the object name, and time partition, joined by '/'. */
  destination: string;
  count: number;
  bytes: number;
  /** ISO 8601. */
  first: string;
  last: string;
  ageSeconds: number;
}

export function noCounts(): WriterCounts {
  return {
    received: 0,
    recovered: 0,
    refused: 0,
    journaled: 0,
    sealed: 0,
    stored: 0,
    acknowledged: 0,
    storedObjects: 0,
    unmatchedTopic: 0,
    arrivalTime: 0,
    notDecompressed: 0,
    fieldMissing: 0,
  };
}

/** @param flags `RecordFlag` bits of a record that was taken */
export function countFlags(counts: WriterCounts, flags: number): void {
  if (flags & RecordFlag.UNMATCHED_TOPIC) counts.unmatchedTopic++;
  if (flags & RecordFlag.ARRIVAL_TIME) counts.arrivalTime++;
  if (flags & RecordFlag.NOT_DECOMPRESSED) counts.notDecompressed++;
  if (flags & RecordFlag.FIELD_MISSING) counts.fieldMissing++;
}

/** @param now by the clock that never runs backwards, ms */
export function stateOf(batch: OpenBatch, now: number): OpenBatchState {
  return {
    batch: batch.id,
    bucket: batch.destination.bucket,
    destination: batch.destination.id,
    count: batch.count,
    bytes: batch.bytes,
    first: new Date(batch.first).toISOString(),
    last: new Date(batch.last).toISOString(),
    ageSeconds: Math.round((now - batch.openedAt) / 1000),
  };
}
