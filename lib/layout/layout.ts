import { RecordFlag } from '../record';
import { BoundedCache } from './bounded-cache';
import { isBucketName } from './bucket-rules';
import { BucketTable } from './bucket-table';
import { clampTime } from './calendar';
import { decompress } from './decompress';
import { shortHash } from './encoding';
import { parseFieldPath } from './field-path';
import { JsonScanner } from './json-scanner';
import { LayoutQuery, type NamePrefix, type QueryFields } from './layout-query';
import { type BatchName, NameTemplate } from './object-name';
import type { ParsedName } from './object-name-parser';
import { KeyTemplate, type KeyShape } from './offset-key';
import { partitionAt } from './partition';
import type { Destination, Placement, TopicInfo } from './placement';
import { RecordTime } from './record-time';
import { completeSettings, invalidSetting, type LayoutSettings } from './settings';
import { timeFormat, type TimeFormat } from './time-format';
import type { TimeSpan } from './time-span';
import { type BucketReason, type RecordRules, type Route, TopicEntry } from './topic-entry';
import { TopicPattern } from './topic-pattern';
import { Variables } from './variables';

/** Topics, destinations and so on that are remembered, each; see BoundedCache. */
const REMEMBERED = 10_000;
/** Longer topics and texts are not remembered, so that strangers cannot fill the memory with them. */
const REMEMBERED_LENGTH = 1024;

/**
 * What leads a message to its place: which bucket and object its record goes to and what it is called there; and the
 * way back, from what a query asks for to where it can be. Compiled from settings; all that it remembers is bounded.
 */
export class Layout {
  /** The settings with the defaults filled in. */
  readonly settings: Readonly<LayoutSettings>;
  /** Twelve hexadecimal digits, equal for equal settings. */
  readonly id: string;
  /** Names of the topic's levels, in their order. */
  readonly levelNames: readonly string[];
  /** What it takes to rebuild offset keys without this layout. */
  readonly keyShape: KeyShape;

  readonly #rules: RecordRules;
  readonly #query: LayoutQuery;
  readonly #format: TimeFormat;
  readonly #iso: TimeFormat;
  readonly #scanner: JsonScanner;
  readonly #recordTime: RecordTime | undefined;
  readonly #topics = new BoundedCache<string, TopicEntry>(REMEMBERED);
  readonly #routes = new BoundedCache<string, Route>(REMEMBERED);
  readonly #series = new BoundedCache<string, string>(REMEMBERED);
  readonly #destinations = new BoundedCache<string, Destination>(REMEMBERED);
  /** Payload fields of the message at hand by slot. */
  readonly #texts: (string | undefined)[];
  #entries = 0;

  /** @throws S3BatchError LAYOUT_INVALID, with the setting, what is wrong with it and the remedy */
  constructor(given: Partial<LayoutSettings> = {}) {
    const settings = completeSettings(given);
    this.settings = settings;
    this.id = shortHash(JSON.stringify(settings), 12);
    const pattern = new TopicPattern(settings.topic);
    this.levelNames = pattern.names;
    const variables = new Variables(pattern.names);
    const { time, unmatchedBucket } = settings;
    if (time.source === 'field') {
      const path = parseFieldPath(time.field);
      if (path === undefined) {
        throw invalidSetting(
          'time.field',
          `"${time.field}" is no path to a payload field`,
          'write one such as weldspot.Timestamp',
        );
      }
      this.#format = timeFormat(time.format, time.zone);
      this.#iso = timeFormat('iso', time.zone);
      this.#recordTime = new RecordTime(this.#format, variables.slotOf(path));
    } else {
      this.#format = this.#iso = timeFormat('iso', 'UTC');
    }
    if (!isBucketName(unmatchedBucket)) {
      throw invalidSetting(
        'unmatchedBucket',
        `"${unmatchedBucket}" is no valid bucket name`,
        'use 3 to 63 lower-case letters, digits and hyphens',
      );
    }
    const { compressedLevel } = settings;
    this.#rules = {
      pattern,
      unmatchedBucket,
      compressedLevel: settings.decompress && compressedLevel !== '' ? compressedLevel : undefined,
      buckets: new BucketTable(settings.buckets, variables),
      key: new KeyTemplate(settings, pattern.names, variables, this.#format),
      names: new NameTemplate(settings, variables),
    };
    this.keyShape = this.#rules.key.shape;
    this.#query = new LayoutQuery(this.#rules, variables, settings.partition);
    this.#scanner = new JsonScanner(variables.paths);
    this.#texts = variables.paths.map(() => undefined);
  }

  /**
   * Finds a message's place. Never throws, whatever topic and payload hold.
   * @param arrival ms since the epoch
   * @param into is filled in
   */
  resolve(topic: string, payload: Buffer, arrival: number, into: Placement): void {
    const entry = this.#topics.get(topic) ?? this.#addTopic(topic);
    let bytes = payload;
    let flags = entry.flags;
    if (entry.compression !== 'none') {
      const plain = decompress(payload, entry.compression, this.settings.decompressLimit);
      if (plain === undefined) {
        flags |= RecordFlag.NOT_DECOMPRESSED;
      } else {
        flags |= entry.compression === 'gzip' ? RecordFlag.GUNZIPPED : RecordFlag.INFLATED;
        bytes = plain;
      }
    }
    const scanner = this.#scanner;
    into.json = scanner.scan(bytes);
    into.lineBreaks = scanner.lineBreaks;

    const recordTime = this.#recordTime;
    let time = recordTime === undefined ? NaN : recordTime.read(scanner, bytes);
    if (time !== time) {
      time = clampTime(arrival);
      if (recordTime !== undefined) flags |= RecordFlag.ARRIVAL_TIME;
    }
    if (entry.slots.length > 0 && !this.#readFields(entry, bytes)) flags |= RecordFlag.FIELD_MISSING;

    const route = entry.route ?? this.#routeOf(entry);
    let destination = route.destination;
    if (
      destination === undefined ||
      time < destination.partition.start ||
      time >= destination.partition.end
    ) {
      destination = this.#destinationAt(route, time);
      route.destination = destination;
    }
    into.bytes = bytes;
    into.time = time;
    into.flags = flags;
    into.topic = entry;
    into.series = entry.series ?? this.#seriesOf(entry);
    into.destination = destination;
  }

  #addTopic(topic: string): TopicEntry {
    const entry = new TopicEntry(topic, this.#entries++, this.#rules, (slot) => this.#texts[slot]);
    if (topic.length <= REMEMBERED_LENGTH) this.#topics.set(topic, entry);
    return entry;
  }

  /** Reads the payload fields that the topic's records take; false when one is missing. */
  #readFields(entry: TopicEntry, bytes: Buffer): boolean {
    let complete = true;
    for (const slot of entry.slots) {
      const text = this.#scanner.text(slot, bytes);
      this.#texts[slot] = text;
      if (text === undefined) complete = false;
    }
    return complete;
  }

  #seriesOf(entry: TopicEntry): string {
    const series = entry.makeSeries();
    if (series.length > REMEMBERED_LENGTH) return series;
    const known = this.#series.get(series);
    if (known === undefined) this.#series.set(series, series);
    return known ?? series;
  }

  #routeOf(entry: TopicEntry): Route {
    let key = String(entry.serial);
    for (const slot of entry.routeSlots) {
      const text = this.#texts[slot] ?? '';
      key += `:${text.length}:${text}`;
    }
    let route = this.#routes.get(key);
    if (route === undefined) {
      route = entry.makeRoute();
      if (key.length <= REMEMBERED_LENGTH) this.#routes.set(key, route);
    }
    return route;
  }

  #destinationAt(route: Route, time: number): Destination {
    const partition = partitionAt(this.settings.partition, time);
    const id = partition.name === '' ? route.id : `${route.id}/${partition.name}`;
    let destination = this.#destinations.get(id);
    if (destination === undefined) {
      destination = { id, bucket: route.bucket, values: route.values, partition };
      this.#destinations.set(id, destination);
    }
    return destination;
  }

  /** What the layout reads from a topic. */
  topicInfo(topic: string): TopicInfo {
    return this.#topics.get(topic) ?? this.#addTopic(topic);
  }

  /** How the bucket of the message that was resolved last comes about. @param topic of that message */
  explainBucket(topic: string): BucketReason {
    return (this.#topics.get(topic) ?? this.#addTopic(topic)).explainBucket();
  }

  /** The text of a time as it stands in offset keys, before it is encoded there. */
  formatTime(ms: number): string {
    return this.#format.write(ms);
  }

  /**
   * The time that a text in a query tells: in the layout's format, else in ISO 8601 (without an offset: in the
   * layout's zone), else 13 digits of milliseconds since the epoch.
   */
  parseTime(text: string): number | undefined {
    for (const ms of [this.#format.readText(text), this.#iso.readText(text)]) {
      if (!Number.isNaN(ms)) return ms;
    }
    return /^\d{13}$/.test(text) ? Number(text) : undefined;
  }

  /** What the series of records with these level values begin with, as far as they tell. */
  seriesPrefix(levels: Readonly<Record<string, string>>): string {
    return this.#rules.key.seriesPrefix(levels);
  }

  /** The offset key of a record. */
  keyOf(series: string, time: number): string {
    return this.#rules.key.keyOf(series, time);
  }

  /**
   * An offset key taken apart. `time` is the span of the times that are written like that, for a format may leave out
   * milliseconds; undefined when keys have no time.
   * @returns undefined when the text is no key of this layout.
   */
  splitKey(key: string): { series: string; time: TimeSpan | undefined } | undefined {
    const parts = this.#rules.key.split(key);
    if (parts === undefined) return undefined;
    if (this.keyShape.timePosition === undefined) return { series: parts.series, time: undefined };
    const from = this.#format.readText(parts.timeText);
    if (Number.isNaN(from)) return undefined;
    return { series: parts.series, time: { from, to: this.#format.lastAlike(from) } };
  }

  /** The name of a batch's object: at most 1000 bytes, no empty, `.` or `..` segment. */
  objectName(destination: Pick<Destination, 'values' | 'partition'>, batch: BatchName): string {
    return this.#rules.names.render(destination, batch);
  }

  /**
   * What an object's name says. Names are untrusted; reading them takes bounded time.
   * @param fields values that the object's records must have
   * @returns undefined when the name is none of this layout, or its records cannot have these values.
   */
  parseObjectName(name: string, fields: QueryFields = {}): ParsedName | undefined {
    return this.#query.parse(name, fields);
  }

  /** See {@link LayoutQuery.matchesValues}. */
  matchesValues(values: Readonly<Record<string, string>>, fields: QueryFields): boolean {
    return this.#query.matchesValues(values, fields);
  }

  /** See {@link LayoutQuery.candidateBuckets}. */
  candidateBuckets(fields: QueryFields): { buckets: string[] } | { unknown: string[] } {
    return this.#query.candidateBuckets(fields);
  }

  /** See {@link LayoutQuery.namePrefixes}. */
  namePrefixes(fields: QueryFields, range?: TimeSpan): NamePrefix[] {
    return this.#query.namePrefixes(fields, range);
  }
}
