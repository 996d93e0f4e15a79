import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';

import { BatchWriter, type StoredObject } from '../../../lib/batch';
import { Layout, type LayoutSettings, Placement } from '../../../lib/layout';
import { type Compression, type Framing, SIDECAR_SUFFIX } from '../../../lib/object';
import {
  type FetchedRecord,
  fetchRecords,
  findObjects,
  type FindOptions,
  noProgress,
  type ObjectMatch,
  type Query,
  type QueryProgress,
} from '../../../lib/query';
import { FakeClock } from '../../support/fake-clock';
import { MemoryStore } from '../../support/memory-store';

export const DAY = 24 * 3600 * 1000;
export const START = Date.UTC(2018, 9, 1);

/** Topics are `plant/device/type`; the record time is the text `t` of the payload, in whole seconds. */
export const LAYOUT: Partial<LayoutSettings> = {
  topic: 'PLANT/DEVICE/TYPE',
  time: { source: 'field', field: 't', format: 'yyyyMMdd HHmmss', zone: 'UTC' },
  key: 'DEVICE/TYPE/t',
  buckets: [{ topic: '#', bucket: '{{PLANT}}' }],
};

export interface Message {
  topic: string;
  payload: Buffer;
}

/** What a query should bring of a message. */
export interface Expected {
  bucket: string;
  /** Whether the topic fits the layout. */
  matched: boolean;
  topic: string;
  payload: string;
  time: number;
  series: string;
  key: string;
  levels: Readonly<Record<string, string>>;
}

export interface ArchiveOptions {
  layout?: Partial<LayoutSettings>;
  framing?: Framing;
  compression?: Compression;
  blockSize?: number;
  /** Records of an object, at most. */
  count?: number;
}

/** A message of `plant` and so on, `seconds` after the start. */
export function message(plant: string, device: string, seconds: number, more: object = {}): Message {
  const t = new Date(START + seconds * 1000)
    .toISOString()
    .slice(0, 19)
    .replace(/[-:]/g, '')
    .replace('T', ' ');
  return {
    topic: `${plant}/${device}/WELD`,
    payload: Buffer.from(JSON.stringify({ t, ...more })),
  };
}

/** An archive in memory, and what it holds. */
export class Archive {
  readonly store = new MemoryStore();
  readonly layout: Layout;
  readonly expected: Expected[] = [];
  readonly stored: StoredObject[] = [];
  readonly #options: ArchiveOptions;
  #contents: Map<string, string[]> | undefined;

  private constructor(options: ArchiveOptions) {
    this.#options = options;
    this.layout = new Layout({ ...LAYOUT, ...options.layout });
  }

  static async of(messages: readonly Message[], options: ArchiveOptions = {}): Promise<Archive> {
    const archive = new Archive(options);
    await archive.add(messages);
    return archive;
  }

  async add(messages: readonly Message[]): Promise<void> {
    const { framing = 'newline', compression = 'gzip', blockSize = 128 * 1024, count = 0 } = this.#options;
    const { layout, store } = this;
    const writer = new BatchWriter(
      {
        layout,
        store,
        limits: { count, bytes: 0, age: 0, idle: 0 },
        framing,
        compression,
        blockSize,
        uploads: 4,
        memory: 256 * 1024 * 1024,
        instance: 'test',
      },
      { stored: (object) => this.stored.push(object), failed: (error) => assert.fail(error) },
      new FakeClock(),
    );
    const placement = new Placement();
    for (const { topic, payload } of messages) {
      writer.append(topic, payload, START);
      layout.resolve(topic, payload, START, placement);
      const { time, series, destination } = placement;
      this.expected.push({
        bucket: destination.bucket,
        matched: placement.topic.matched,
        topic,
        payload: payload.toString('latin1'),
        time,
        series,
        key: layout.keyOf(series, time),
        levels: placement.topic.levels,
      });
    }
    await writer.flush();
    this.#contents = undefined;
    store.calls.length = 0;
  }

  /** What a query brings, in the order that it comes. */
  async ask(query: Query, options: FindOptions = {}): Promise<Answer> {
    const { objects, progress } = await this.find(query, options);
    const records: FetchedRecord[] = [];
    for await (const some of fetchRecords(this.store, objects)) records.push(...some);
    return { records, objects, progress };
  }

  async find(query: Query, options: FindOptions = {}): Promise<Omit<Answer, 'records'>> {
    const progress = noProgress();
    const objects: ObjectMatch[] = [];
    for await (const object of findObjects(this.store, this.layout, query, progress, options))
      objects.push(object);
    return { objects, progress };
  }

  /**
   * What a download of every object finds, without index and attributes: the records of each bucket, in the order of
   * names and bytes. Payloads must be different JSON texts; framing newline or length.
   */
  scan(query: Query): Map<string, Scanned[]> {
    const buckets = new Map<string, Scanned[]>();
    const byPayload = new Map(this.expected.map((record) => [record.payload, record]));
    this.#contents ??= this.#download();
    for (const [name, payloads] of this.#contents) {
      const bucket = name.slice(0, name.indexOf('/'));
      const object = name.slice(bucket.length + 1);
      for (const payload of payloads) {
        const record = byPayload.get(payload);
        assert.ok(record, payload);
        // Without a bucket, records are asked by their levels, which those whose topic does not fit do not have.
        const isReachable = query.bucket !== undefined || record.matched;
        if (!isReachable || !isAsked(query, record)) continue;
        const known = buckets.get(bucket) ?? [];
        buckets.set(bucket, [...known, { ...record, object }]);
      }
    }
    return buckets;
  }

  /** Payloads by bucket and name. */
  #download(): Map<string, string[]> {
    const names = this.store.names.filter((name) => !name.endsWith(SIDECAR_SUFFIX));
    const bodyOf = (name: string): Buffer =>
      this.store.body(name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1));
    return new Map(names.map((name) => [name, payloadsIn(bodyOf(name), this.#options)]));
  }
}

export interface Answer {
  records: FetchedRecord[];
  objects: ObjectMatch[];
  progress: QueryProgress;
}

/** A record, and the name of the object that it was found in. */
export interface Scanned extends Expected {
  object: string;
}

function payloadsIn(body: Buffer, { framing = 'newline', compression = 'gzip' }: ArchiveOptions): string[] {
  const bytes = compression === 'gzip' ? gunzipSync(body) : body;
  if (framing === 'newline') return bytes.toString('latin1').split('\n').slice(0, -1);
  const payloads: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    payloads.push(bytes.toString('latin1', at + 4, end));
    at = end;
  }
  return payloads;
}

function isAsked(query: Query, { bucket, time, series, key, levels }: Expected): boolean {
  const { from = -Infinity, to = Infinity } = query;
  return (
    (query.bucket === undefined || query.bucket === bucket) &&
    time >= from &&
    time <= to &&
    (query.series === undefined || query.series === series) &&
    (query.seriesPrefix === undefined || series.startsWith(query.seriesPrefix)) &&
    (query.key === undefined || query.key === key) &&
    (query.keyPrefix === undefined || key.startsWith(query.keyPrefix)) &&
    Object.entries(query.levels ?? {}).every(([level, wanted]) =>
      [wanted].flat().includes(levels[level] ?? '\0 missing'),
    )
  );
}

/** A record as one text, to compare what came with what should come. */
export function textOf({ topic, payload, time, series, key }: Expected | FetchedRecord): string {
  const bytes = typeof payload === 'string' ? payload : payload.toString('latin1');
  return JSON.stringify([topic, bytes, time, series, key]);
}
