/** What the tree shows: buckets, folders, objects, series and records, and how each is fetched. */
import { spanText, timeText } from '../../lib/browse/show';
import { bytesText } from '../../nodes/common/bytes';
import type { IndexQuery } from './offset-index.editor';
import type { Failure, Parameters } from './requests.editor';
import type { Item, Page } from './tree.editor';

/** What all that is shown needs: questions at the chosen store, and the texts of the catalogue. */
export interface Session {
  ask: <T>(question: string, parameters?: Parameters) => Promise<T>;
  text: (key: string, values?: Record<string, string | number>) => string;
}

export interface ObjectRow {
  key: string;
  size: number;
  etag: string;
  modified?: number;
  count?: number;
  first?: number;
  last?: number;
  failure?: Failure;
}

export interface SeriesRow {
  number: number;
  series: string;
  records: number;
  first: number;
  last: number;
}

export interface EntryRow {
  place: number;
  time: number;
  key: string;
  topic: string;
  offset: number;
  blockLength: number;
  start: number;
  length: number;
}

/** What a row of the tree stands for. */
export type Place =
  | { kind: 'bucket'; bucket: string }
  | { kind: 'folder'; bucket: string; prefix: string; from?: number; to?: number }
  | { kind: 'object'; bucket: string; object: ObjectRow }
  | { kind: 'series'; bucket: string; object: ObjectRow; page: number; series: SeriesRow }
  | { kind: 'record'; bucket: string; object: ObjectRow; page: number; series: SeriesRow; entry: EntryRow };

export type PlaceItem = Item<Place>;

interface FolderRow {
  prefix: string;
  from?: number;
  to?: number;
}
interface FolderAnswer {
  folders: FolderRow[];
  objects: ObjectRow[];
  next?: string;
  failure?: Failure;
}
interface PageAnswer<Row> {
  page: number;
  items: Row[];
  next?: { page: number; from: number };
}

/** Characters of a series that the runtime gives; a longer one is cut and cannot be asked for. */
const LONGEST_TEXT = 4096;

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/', path.length - 2) + 1);

/** A time, or a span of times, without the date when the object's name has it already. */
function withoutDate(times: string, key: string): string {
  const day = times.slice(0, 10);
  return key.includes(`dt=${day}/`) ? times.replaceAll(`${day} `, '') : times;
}

/** A failure as one sentence, with its code and what can be done about it. */
export function explain({ text }: Session, { code, message }: Failure): string {
  const remedy = text(`remedy.${code}`);
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return `${sentence}${remedy.endsWith(`remedy.${code}`) ? '' : ` ${remedy}`} (${code})`;
}

/** A number of things in words. */
export function amount({ text }: Session, count: number, thing: 'record' | 'byte'): string {
  return text(`amount.${thing}`, { count });
}

export async function loadBuckets(session: Session): Promise<Page<Place>> {
  const answer = await session.ask<{ buckets: string[]; denied?: Failure }>('buckets');
  return {
    items: answer.buckets.map((bucket) => bucketItem(session, bucket)),
    ...(answer.denied && { note: `${explain(session, answer.denied)} ${session.text('note.denied')}` }),
  };
}

export function bucketItem(session: Session, bucket: string): PlaceItem {
  return {
    data: { kind: 'bucket', bucket },
    icon: 'fa fa-archive',
    label: bucket,
    load: (next) => loadFolder(session, bucket, '', next),
  };
}

export function folderItem(session: Session, bucket: string, { prefix, from, to }: FolderRow): PlaceItem {
  return {
    data: {
      kind: 'folder',
      bucket,
      prefix,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    },
    icon: from === undefined ? 'fa fa-folder-o' : 'fa fa-calendar-o',
    label: nameOf(prefix).slice(0, -1),
    title: prefix,
    load: (next) => loadFolder(session, bucket, prefix, next),
  };
}

async function loadFolder(
  session: Session,
  bucket: string,
  prefix: string,
  next: unknown,
): Promise<Page<Place>> {
  const after = typeof next === 'string' ? next : undefined;
  const answer = await session.ask<FolderAnswer>('folder', { bucket, prefix, after });
  return {
    items: [
      ...answer.folders.map((row) => folderItem(session, bucket, row)),
      ...answer.objects.map((row) => objectItem(session, bucket, row)),
    ],
    next: answer.next,
    ...(answer.failure && { note: explain(session, answer.failure) }),
  };
}

/** An object by its time and its number of records; where these are not known, by its name. */
export function objectItem(session: Session, bucket: string, object: ObjectRow): PlaceItem {
  const { key, size, count, first, last, failure } = object;
  const name = nameOf(key);
  const facts = [
    ...(first !== undefined && last !== undefined ? [withoutDate(spanText(first, last), key)] : []),
    ...(count !== undefined ? [amount(session, count, 'record')] : []),
  ];
  const isKnown = facts.length > 0;
  const detail = failure
    ? explain(session, failure)
    : isKnown
      ? `${bytesText(RED, size)} · ${name}`
      : `${bytesText(RED, size)} · ${session.text('note.noAttributes')}`;
  return {
    data: { kind: 'object', bucket, object },
    icon: 'fa fa-file-archive-o',
    label: isKnown ? facts.join(' · ') : name,
    detail,
    isWrong: failure !== undefined,
    title: failure ? `${key}\n${detail}` : key,
    load: (next) => loadSeries(session, bucket, object, next),
  };
}

async function loadSeries(
  session: Session,
  bucket: string,
  object: ObjectRow,
  next: unknown,
): Promise<Page<Place>> {
  const { page, items, ...answer } = await session.ask<PageAnswer<SeriesRow>>('series', {
    bucket,
    key: object.key,
    etag: object.etag,
    ...(next as { page: number; from: number } | undefined),
  });
  return {
    items: items.map((series) => seriesItem(session, bucket, object, page, series)),
    next: answer.next,
  };
}

function seriesItem(
  session: Session,
  bucket: string,
  object: ObjectRow,
  page: number,
  series: SeriesRow,
): PlaceItem {
  return {
    data: { kind: 'series', bucket, object, page, series },
    icon: 'fa fa-line-chart',
    label: series.series || session.text('note.noSeries'),
    detail: `${amount(session, series.records, 'record')} · ${withoutDate(spanText(series.first, series.last), object.key)}`,
    title: series.series,
    load: async (next) => {
      const { items, ...answer } = await session.ask<PageAnswer<EntryRow>>('entries', {
        bucket,
        key: object.key,
        etag: object.etag,
        page,
        series: series.number,
        ...(next as { from: number } | undefined),
      });
      return {
        items: items.map((entry) => recordItem(bucket, object, page, series, entry)),
        // Behind the last record of the series the page goes on, but not the series.
        next: answer.next?.page === page ? { from: answer.next.from } : undefined,
      };
    },
  };
}

function recordItem(
  bucket: string,
  object: ObjectRow,
  page: number,
  series: SeriesRow,
  entry: EntryRow,
): PlaceItem {
  return {
    data: { kind: 'record', bucket, object, page, series, entry },
    icon: 'fa fa-file-text-o',
    label: withoutDate(timeText(entry.time), object.key),
    detail: `${bytesText(RED, entry.length)} · ${entry.key}`,
    title: entry.key,
  };
}

/** What an offset-index has to ask to find what is shown at a place. */
export function queryAt(place: Place): IndexQuery {
  const { bucket } = place;
  switch (place.kind) {
    case 'bucket':
      return { bucket };
    case 'folder':
      return {
        bucket,
        ...(place.from !== undefined && { from: place.from }),
        ...(place.to !== undefined && { to: place.to }),
      };
    case 'object':
      return { bucket, key: place.object.key };
    case 'series':
    case 'record': {
      const { series } = place.series;
      const time = place.kind === 'record' ? { from: place.entry.time, to: place.entry.time } : {};
      const isWhole = series !== '' && series.length <= LONGEST_TEXT;
      return { bucket, key: place.object.key, ...(isWhole && { series }), ...time };
    }
  }
}
