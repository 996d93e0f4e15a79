import type { NodeAPI } from 'node-red';

import { S3BatchError } from '../lib/errors';
import {
  blocksOf,
  describeObjects,
  entriesOf,
  listFolder,
  type MapPage,
  type Part,
  partitionOfFolder,
  readMapPage,
  readRecord,
  seriesOf,
} from '../lib/browse';
import { isBucketName, type Layout } from '../lib/layout';
import { ALL_BUCKETS, attributeCacheOf, headObject, type Query } from '../lib/query';
import { bucketsOf } from '../lib/query/query';
import { checkQuery } from '../nodes/common/query-input';
import { browseRoute, type Question } from './object-browser/route';

/** Entries of one answer. */
const OBJECTS = 50;
const ROWS = 100;
/** Bytes of a payload that are shown. */
const SHOWN_BYTES = 64 * 1024;
/** Characters of a text out of an object or of its name that are shown; a real one has fewer. */
const LONGEST_TEXT = 4096;

/** Refusals of a listing of all buckets with which browsing goes on: with the buckets that are known otherwise. */
const NO_BUCKET_LIST: ReadonlySet<string> = new Set(['ACCESS_DENIED', 'STORE_REFUSED']);

export = function (RED: NodeAPI): void {
  browseRoute(RED, 'buckets', buckets);
  browseRoute(RED, 'places', places);
  browseRoute(RED, 'folder', folder);
  browseRoute(RED, 'object', object);
  browseRoute(RED, 'blocks', (question) => page(question, blocks));
  browseRoute(RED, 'series', (question) => page(question, series));
  browseRoute(RED, 'entries', (question) => page(question, entries));
  browseRoute(RED, 'record', record);
};

/** All buckets that may be listed, and those that the layout names. */
async function buckets({ store, layout, signal }: Question): Promise<object> {
  const named = layout ? fixedBuckets(layout) : [];
  try {
    return { buckets: [...new Set([...(await store.buckets({ signal })), ...named])].sort() };
  } catch (error) {
    if (!(error instanceof S3BatchError) || !NO_BUCKET_LIST.has(error.code)) throw error;
    return { buckets: named.sort(), denied: { code: error.code, message: error.message } };
  }
}

/** The buckets of a layout that do not depend on the record. */
function fixedBuckets({ settings }: Layout): string[] {
  return settings.buckets.map(({ bucket }) => bucket).filter(isBucketName);
}

/** Where an offset-index would look: its buckets, and its times, ms since 1970. The store is asked for all buckets only. */
async function places({ store, layout, optional, signal }: Question): Promise<object> {
  const levels = parsed(optional('levels') ?? '{}');
  const given = { bucket: optional('bucket'), from: optional('from'), to: optional('to'), levels };
  const query = checkQuery(given, layout);
  const buckets =
    query.bucket === ALL_BUCKETS ? await store.buckets({ signal }) : bucketsAsked(query, layout);
  return { buckets, from: query.from, to: query.to };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw new S3BatchError('QUERY_INVALID', 'the levels must be an object in JSON', { cause: error });
  }
}

function bucketsAsked(query: Query, layout: Layout | undefined): string[] {
  if (query.bucket !== undefined) return [query.bucket];
  if (layout) return bucketsOf(query, layout);
  throw new S3BatchError(
    'QUERY_INVALID',
    'the query has neither a bucket of its own nor a layout that tells it: what a message brings is not known here',
  );
}

async function folder(question: Question): Promise<object> {
  const { store, cacheOwner, layout, signal } = question;
  const bucket = question.text('bucket');
  const listed = await listFolder(store, bucket, {
    prefix: question.optional('prefix') ?? '',
    after: question.optional('after'),
    most: OBJECTS,
    signal,
  });
  const { objects, failure } = await describeObjects(store, bucket, listed.objects, {
    layout,
    cache: attributeCacheOf(cacheOwner),
    signal,
  });
  return {
    folders: listed.folders.map((prefix) => ({ prefix, ...timesOf(partitionOfFolder(prefix)) })),
    objects: objects.map(({ lastModified, ...one }) => ({ ...one, modified: lastModified?.getTime() })),
    ...(listed.next !== undefined && { next: listed.next }),
    ...(failure && { failure: { code: failure.code, message: failure.message } }),
  };
}

function timesOf(partition: ReturnType<typeof partitionOfFolder>): { from?: number; to?: number } {
  return partition ? { from: partition.start, to: partition.end - 1 } : {};
}

/** What the attributes tell of one object. */
async function object({ store, text, signal }: Question): Promise<object> {
  const { key, size, etag, lastModified, summary } = await headObject(
    store,
    text('bucket'),
    text('key'),
    signal,
  );
  const { count, first, last } = summary ?? {};
  return { key, size, etag, modified: lastModified?.getTime(), count, first, last };
}

function placeOf(question: Question): { bucket: string; key: string; etag: string | undefined } {
  return {
    bucket: question.text('bucket'),
    key: question.text('key'),
    etag: question.optional('etag'),
  };
}

/** A part of what a page of the object's index tells, and where the next part is: on this page, or on the next one. */
async function page(
  question: Question,
  partOf: (map: MapPage, from: number, question: Question) => Part<unknown>,
): Promise<object> {
  const map = await readMapPage(question.store, placeOf(question), question.count('page'), question.signal);
  const { head, index, number, pages } = map;
  const { items, total, next } = partOf(map, question.count('from'), question);
  const following =
    next !== undefined
      ? { page: number, from: next }
      : number + 1 < pages
        ? { page: number + 1, from: 0 }
        : undefined;
  return {
    size: head.size,
    etag: head.etag,
    ...(head.lastModified && { modified: head.lastModified.getTime() }),
    framing: index.framing,
    compression: index.compression,
    keyTemplate: bounded(map.page.key.template),
    batch: bounded(map.page.batch),
    count: index.count,
    first: index.first,
    last: index.last,
    page: number,
    pages,
    total,
    items,
    ...(following && { next: following }),
  };
}

function blocks({ page: read }: MapPage, from: number): Part<object> {
  const part = blocksOf(read, from, ROWS);
  return { ...part, items: part.items.map((one) => ({ ...one, series: bounded(one.series) })) };
}

function series({ page: read }: MapPage, from: number): Part<object> {
  const part = seriesOf(read, from, ROWS);
  return { ...part, items: part.items.map((one) => ({ ...one, series: bounded(one.series) })) };
}

function entries({ page: read }: MapPage, from: number, question: Question): Part<object> {
  const part = entriesOf(read, question.count('series'), from, ROWS);
  const items = part.items.map((one) => ({ ...one, key: bounded(one.key), topic: bounded(one.topic) }));
  return { ...part, items };
}

/** One record, with the beginning of its bytes. */
async function record(question: Question): Promise<object> {
  const { store, signal } = question;
  const map = await readMapPage(store, placeOf(question), question.count('page'), signal);
  const { payload, ...read } = await readRecord(store, map, question.count('place'), signal);
  return {
    ...read,
    key: bounded(read.key),
    topic: bounded(read.topic),
    series: bounded(read.series),
    size: payload.length,
    payload: payload.subarray(0, SHOWN_BYTES).toString('base64'),
  };
}

function bounded(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
