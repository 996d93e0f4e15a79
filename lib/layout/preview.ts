import { RecordFlag } from '../record';
import { Layout } from './layout';
import type { LayoutPreview, PreviewNote } from './layout-preview';
import type { BatchName } from './object-name';
import { Placement } from './placement';
import type { LayoutSettings } from './settings';

/**
 * What becomes of a message by these settings, told by the very layout that a writer would have.
 * @param arrival ms since the epoch
 * @throws S3BatchError LAYOUT_INVALID
 */
export function previewOf(
  given: Partial<LayoutSettings>,
  message: { topic: string; payload: Buffer },
  arrival: number,
  batch: Pick<BatchName, 'batch' | 'instance' | 'extension'>,
): LayoutPreview {
  const layout = new Layout(given);
  const placement = new Placement();
  layout.resolve(message.topic, message.payload, arrival, placement);
  const { time, series, destination, topic } = placement;
  const { row, wanted } = layout.explainBucket(message.topic);
  return {
    bucket: destination.bucket,
    bucketRow: row === undefined ? undefined : row + 1,
    objectName: layout.objectName(destination, { ...batch, first: time, last: time, count: 1 }),
    series,
    time: new Date(time).toISOString(),
    key: layout.keyOf(series, time),
    levels: topic.levels,
    notes: notesOf(placement, wanted),
  };
}

/** @param wanted text of the bucket before it is made a valid name; undefined for the bucket of unmatched topics */
function notesOf({ flags, json, topic, destination }: Placement, wanted: string | undefined): PreviewNote[] {
  const notes: PreviewNote[] = [];
  if (!topic.matched) notes.push(wanted === undefined ? 'unmatchedBucket' : 'unmatchedTopic');
  if (flags & RecordFlag.NOT_DECOMPRESSED) notes.push('notDecompressed');
  if (flags & (RecordFlag.GUNZIPPED | RecordFlag.INFLATED)) notes.push('decompressed');
  if (!json) notes.push('notJson');
  if (flags & RecordFlag.ARRIVAL_TIME) notes.push('arrivalTime');
  if (flags & RecordFlag.FIELD_MISSING) notes.push('fieldMissing');
  // Lower case and '-' for '/' are no surprise.
  if (wanted !== undefined && destination.bucket !== wanted.toLowerCase().replaceAll('/', '-'))
    notes.push('bucketChanged');
  return notes;
}
