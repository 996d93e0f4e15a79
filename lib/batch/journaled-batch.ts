import { messageOf, S3BatchError } from '../errors';
import type { JournalBatch, RecoveredBatch } from '../journal';
import { type Destination, Layout, type LayoutSettings } from '../layout';
import { extensionOf, type Framing } from '../object';
import type { BatchJournal } from './batch-journal';
import { BatchOnDisk } from './batch-on-disk';
import { OpenBatch } from './open-batch';
import type { SealedBatch, Trigger } from './sealed-batch';
import type { ObjectSettings } from './settings';

/** Whatever it takes besides its records to make a batch's object; JSON in the journal. */
interface BatchDescription extends Omit<ObjectSettings, 'layout'> {
  layout: LayoutSettings;
  /** JSON has no infinity: null stands for it. */
  destination: Omit<Destination, 'partition'> & {
    partition: { name: string; start: number | null; end: number | null };
  };
  /** Wall clock, ms since 1970. */
  opened: number;
}

/** What is settled when a batch is sealed; JSON in the journal. */
interface SealDescription {
  key: string;
  trigger: Trigger;
  first: number;
  last: number;
}

export function describeBatch(batch: OpenBatch, objects: ObjectSettings, opened: number): string {
  const { framing, compression, blockSize, instance } = objects;
  const layout = batch.layout.settings;
  const { destination } = batch;
  const description: BatchDescription = {
    layout,
    destination,
    framing,
    compression,
    blockSize,
    instance,
    opened,
  };
  return JSON.stringify(description);
}

export function describeSeal({ key, trigger, first, last }: SealedBatch): string {
  const description: SealDescription = { key, trigger, first, last };
  return JSON.stringify(description);
}

/** A batch that a former process left, told by its journal. */
export interface FormerBatch {
  readonly onDisk: BatchOnDisk;
  readonly objects: ObjectSettings;
  /** Wall clock, ms since 1970. */
  readonly opened: number;
  /** What it was sealed as; its records stay on disk until it is uploaded. */
  readonly sealed: SealedBatch | undefined;
}

/**
 * @param layouts compiled so far by their settings; added to
 * @throws JOURNAL_DAMAGED when this version cannot read it
 */
export function formerBatch(
  journal: BatchJournal,
  batch: RecoveredBatch,
  layouts: Map<string, Layout>,
): FormerBatch {
  try {
    const description = JSON.parse(batch.description) as BatchDescription;
    const settings = JSON.stringify(description.layout);
    const layout = layouts.get(settings) ?? new Layout(description.layout);
    layouts.set(settings, layout);
    const { framing, compression, blockSize, instance, opened } = description;
    const { partition } = description.destination;
    const destination: Destination = {
      ...description.destination,
      partition: {
        name: partition.name,
        start: partition.start ?? -Infinity,
        end: partition.end ?? Infinity,
      },
    };
    const objects: ObjectSettings = { layout, framing, compression, blockSize, instance };
    const onDisk = new BatchOnDisk(journal, batch, (openedAt) =>
      readRecords(batch, layout, destination, framing, openedAt),
    );
    const sealed =
      batch.sealed === undefined
        ? undefined
        : sealedBatch(
            onDisk,
            objects,
            destination,
            JSON.parse(batch.sealed) as SealDescription,
            batch.missing > 0,
          );
    return { onDisk, objects, opened, sealed };
  } catch (error) {
    throw new S3BatchError(
      'JOURNAL_DAMAGED',
      `batch ${batch.id} with ${batch.count} records stays in the journal, since this version cannot read what it is ` +
        `(${messageOf(error)}): start the version that wrote it`,
      { cause: error },
    );
  }
}

/** @throws JOURNAL_DAMAGED when they can no longer be read */
export async function readRecords(
  journal: JournalBatch,
  layout: Layout,
  destination: Destination,
  framing: Framing,
  openedAt: number,
): Promise<OpenBatch> {
  const batch = new OpenBatch(journal.id, layout, destination, framing, openedAt);
  await journal.read({
    source: (topic, series) => {
      batch.restoreSource(topic, series);
    },
    record: (time, source, flags, bytes, lineBreaks) => {
      batch.restore(time, source, flags, bytes, lineBreaks);
    },
  });
  return batch;
}

function sealedBatch(
  onDisk: BatchOnDisk,
  objects: ObjectSettings,
  destination: Destination,
  { key, trigger, first, last }: SealDescription,
  isIncomplete: boolean,
): SealedBatch {
  onDisk.isCommitted = true;
  const { layout, framing, compression, blockSize, instance } = objects;
  const { id, count, bytes } = onDisk.batch;
  // It may have been stored whole already: what is left of it must not take the place of that.
  const ownId = isIncomplete ? incompleteId(id) : id;
  const extension = extensionOf(framing, compression);
  return {
    id: ownId,
    bucket: destination.bucket,
    key: isIncomplete
      ? layout.objectName(destination, { first, last, count, batch: ownId, instance, extension })
      : key,
    count,
    first,
    last,
    payloadBytes: bytes,
    trigger,
    framing,
    compression,
    keyFormat: layout.keyShape,
    blockSize,
    records: undefined,
    onDisk,
  };
}

/** The id of what is left of a damaged batch: another one, and the same after every crash. */
function incompleteId(id: string): string {
  return id.slice(0, -1) + (id.endsWith('x') ? 'y' : 'x');
}
