import { RecordFlag } from '../record';
import type { BucketTable, BucketTemplate } from './bucket-table';
import { type Compression, compressionOf } from './decompress';
import type { NameTemplate } from './object-name';
import type { KeyTemplate } from './offset-key';
import type { Destination, TopicInfo } from './placement';
import type { TopicPattern } from './topic-pattern';
import { type RecordValues, type RecordVariable, valueOf } from './variables';

/** What stands in an object name for the levels of a topic that does not fit. */
export const UNMATCHED_VALUE = 'unmatched';

/** A layout's settings compiled: what is decided by the topic and by payload fields. */
export interface RecordRules {
  readonly pattern: TopicPattern;
  readonly buckets: BucketTable;
  readonly unmatchedBucket: string;
  readonly names: NameTemplate;
  readonly key: KeyTemplate;
  /** Name of the level that tells the compression; undefined when payloads stay as they come. */
  readonly compressedLevel: string | undefined;
}

/** A destination but for its time partition. */
export interface Route {
  readonly bucket: string;
  readonly values: Readonly<Record<string, string>>;
  /** The destination's id up to the partition. */
  readonly id: string;
  /** The destination of the last record that went this way. */
  destination: Destination | undefined;
}

/** How a record's bucket comes about. */
export interface BucketReason {
  /** Position of the row of the bucket table that decides; undefined when none matches and the topic does. */
  readonly row: number | undefined;
  /** The text that was made a valid name; undefined when it is the bucket of topics that do not fit. */
  readonly wanted: string | undefined;
}

/** All that a topic decides, worked out once and remembered while messages of this topic come. */
export class TopicEntry implements TopicInfo, RecordValues {
  readonly matched: boolean;
  readonly levelValues: readonly string[] | undefined;
  readonly levels: Readonly<Record<string, string>>;
  readonly compression: Compression;
  /** RecordFlag bits of every record of this topic. */
  readonly flags: number;
  /** The series, where it holds no payload field. */
  readonly series: string | undefined;
  /** The route, where it depends on no payload field. */
  readonly route: Route | undefined;
  /** Slots of the payload fields that series and route take part of. */
  readonly slots: readonly number[];
  /** Slots of those that the route takes. */
  readonly routeSlots: readonly number[];
  readonly #rules: RecordRules;
  readonly #bucket: BucketTemplate;
  readonly #field: (slot: number) => string | undefined;

  /**
   * @param serial tells this entry from all others of the layout
   * @param field a payload field of the message at hand
   */
  constructor(
    readonly topic: string,
    readonly serial: number,
    rules: RecordRules,
    field: (slot: number) => string | undefined,
  ) {
    const { pattern, key, names } = rules;
    const values = pattern.match(topic);
    this.#rules = rules;
    this.#field = field;
    this.#bucket = rules.buckets.templateFor(topic);
    this.matched = values !== undefined;
    this.levelValues = values;
    this.levels = Object.fromEntries(
      values === undefined ? [] : pattern.names.map((name, index) => [name, values[index] ?? '']),
    );
    this.flags = this.matched ? 0 : RecordFlag.UNMATCHED_TOPIC;
    const compressed = rules.compressedLevel;
    this.compression = compressionOf(compressed === undefined ? undefined : this.levels[compressed]);
    const keySlots = this.matched ? key.slots : [];
    this.routeSlots = slotsOf([...this.#bucket.variables, ...names.variables]);
    this.slots = [...new Set([...keySlots, ...this.routeSlots])];
    this.series = keySlots.length === 0 ? key.series(this) : undefined;
    this.route = this.routeSlots.length === 0 ? this.makeRoute() : undefined;
  }

  field(slot: number): string | undefined {
    return this.#field(slot);
  }

  /** The series of the message at hand. */
  makeSeries(): string {
    return this.#rules.key.series(this);
  }

  /** The route of the message at hand. */
  makeRoute(): Route {
    const { names, unmatchedBucket } = this.#rules;
    const bucket = this.#isForUnmatched() ? unmatchedBucket : this.#bucket.render(this);
    const values: Record<string, string> = {};
    for (const variable of names.variables) {
      const isUnmatched = variable.kind === 'level' && !this.matched;
      const value = isUnmatched ? UNMATCHED_VALUE : (valueOf(variable, this) ?? '');
      values[variable.name] = names.encode(value);
    }
    // Values hold no '/', and there are as many in every id of a layout.
    return { bucket, values, id: [bucket, ...Object.values(values)].join('/'), destination: undefined };
  }

  /** How the bucket of the message at hand comes about. */
  explainBucket(): BucketReason {
    const row = this.#rules.buckets.rowFor(this.topic);
    return {
      row: row === -1 ? undefined : row,
      wanted: this.#isForUnmatched() ? undefined : this.#bucket.text(this),
    };
  }

  #isForUnmatched(): boolean {
    return !this.matched && this.#bucket.uses('level');
  }
}

function slotsOf(variables: readonly RecordVariable[]): number[] {
  return variables.filter((variable) => variable.kind === 'payload').map((variable) => variable.index);
}
