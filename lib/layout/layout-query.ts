import { MAX_TIME } from './calendar';
import type { NameToken } from './object-name';
import { type ParsedName, parseName } from './object-name-parser';
import { type Partition, partitionAt, partitionsIn } from './partition';
import type { PartitionUnit } from './settings';
import { FIXED_UNITS } from './fixed-pattern';
import { nextUnit, type TimeSpan } from './time-span';
import { type RecordRules, UNMATCHED_VALUE } from './topic-entry';
import type { BucketTemplate } from './bucket-table';
import { payloadName, payloadPath, type RecordValues, type Variables } from './variables';

/** Values that records must have: by level name, `payload.<field>` or `topic`. Other names are ignored. */
export type QueryFields = Readonly<Record<string, string>>;

/** Where to list: object names that begin with `prefix`, in the order of their UTF-8 bytes. */
export interface NamePrefix {
  prefix: string;
  /** The one partition of these names, where the prefix holds it. */
  partition?: Partition;
  /** Names up to this one hold only records before the range. */
  startAfter?: string;
  /** From this name on, names hold only records after the range. */
  stopAt?: string;
}

/** More partitions than this are listed under one shorter prefix. */
export const MAX_PARTITIONS = 1000;

interface Known {
  values: ReadonlyMap<string, string>;
  /** False for a given topic that does not fit the pattern. */
  matched: boolean;
}

/** The way back: from what records must have to where they can be. */
export class LayoutQuery {
  readonly #rules: RecordRules;
  readonly #variables: Variables;
  readonly #unit: PartitionUnit;

  constructor(rules: RecordRules, variables: Variables, unit: PartitionUnit) {
    this.#rules = rules;
    this.#variables = variables;
    this.#unit = unit;
  }

  /** Names in one spelling; of a topic also its levels. */
  #known(fields: QueryFields): Known {
    const { pattern } = this.#rules;
    const values = new Map<string, string>();
    for (const [name, value] of Object.entries(fields)) {
      const path = pattern.names.includes(name) ? undefined : payloadPath(name);
      values.set(path === undefined ? name : payloadName(path), value);
    }
    const topic = values.get('topic');
    if (topic === undefined) return { values, matched: true };
    const levels = pattern.match(topic);
    pattern.names.forEach((name, index) => {
      const value = levels?.[index];
      if (value === undefined) values.delete(name);
      else values.set(name, value);
    });
    return { values, matched: levels !== undefined };
  }

  /**
   * The buckets that can hold records with these values, or the names that are missing to tell. Without the `topic`,
   * records whose topic does not fit the pattern are left out, and topics that no row of the bucket table matches
   * are thought of only when all levels are given.
   */
  candidateBuckets(fields: QueryFields): { buckets: string[] } | { unknown: string[] } {
    const { pattern, buckets: table } = this.#rules;
    const { values, matched } = this.#known(fields);
    const given = values.get('topic');
    const topics =
      given === undefined ? pattern.partialTopic(values) : { levels: given.split('/'), open: false };
    const isWhole = !topics.open && topics.levels.every((level) => level !== undefined);
    const whole = new Map(values);
    if (isWhole) whole.set('topic', topics.levels.join('/'));

    const buckets = new Set<string>();
    const unknown = new Set<string>();
    const add = (template: BucketTemplate): void => {
      if (!matched && template.uses('level')) {
        buckets.add(this.#rules.unmatchedBucket);
        return;
      }
      const missing = template.variables.filter((variable) => !whole.has(variable.name));
      for (const { name } of missing) unknown.add(name);
      if (missing.length === 0) buckets.add(template.render(this.#recordOf(whole)));
    };
    let isCovered = false;
    for (const rule of table.rules) {
      const covered = rule.filter.covers(topics);
      if (covered !== 'none') add(rule.template);
      isCovered = covered === 'all';
      if (isCovered) break;
    }
    if (!isCovered && isWhole) {
      add(table.byTopic);
    } else if (!isCovered && buckets.size === 0 && unknown.size === 0) {
      const missing = pattern.names.filter((name) => !values.has(name));
      for (const name of missing.length === 0 ? ['topic'] : missing) unknown.add(name);
    }
    return unknown.size > 0 ? { unknown: [...unknown] } : { buckets: [...buckets] };
  }

  #recordOf(values: ReadonlyMap<string, string>): RecordValues {
    return {
      topic: values.get('topic') ?? '',
      levelValues: this.#rules.pattern.names.map((name) => values.get(name) ?? ''),
      field: (slot) => values.get(payloadName(this.#variables.paths[slot] ?? [])),
    };
  }

  /**
   * The prefixes of all object names that can hold records with these values and times.
   * @param range ms since the epoch, both ends included
   */
  namePrefixes(fields: QueryFields, range?: TimeSpan): NamePrefix[] {
    const known = this.#encoded(fields);
    if (range === undefined) return this.#extend({ prefix: '' }, 0, known, undefined);
    const from = Math.max(0, range.from);
    const to = Math.min(MAX_TIME, range.to);
    return from <= to ? this.#extend({ prefix: '' }, 0, known, { from, to }) : [];
  }

  /** Encoded values by position among the template's variables. */
  #encoded(fields: QueryFields): (string | undefined)[] {
    const { names } = this.#rules;
    const { values, matched } = this.#known(fields);
    return names.variables.map((variable) => {
      const value = !matched && variable.kind === 'level' ? UNMATCHED_VALUE : values.get(variable.name);
      return value === undefined ? undefined : names.encode(value);
    });
  }

  /** The prefixes that begin with `so` and go on with the template's tokens from `index` on. */
  #extend(
    so: NamePrefix,
    index: number,
    known: readonly (string | undefined)[],
    range: TimeSpan | undefined,
  ): NamePrefix[] {
    const token = this.#rules.names.tokens[index];
    const text = token === undefined ? undefined : textOf(token, known);
    if (text !== undefined) {
      return this.#extend({ ...so, prefix: so.prefix + text }, index + 1, known, range);
    }
    if (token === undefined || range === undefined) return [so];
    if (token.kind === 'time') return [{ ...so, ...stopAtFirst(so.prefix, token, range.to) }];
    if (token.kind !== 'partition') return [so];
    const partitions = partitionsIn(this.#unit, range.from, range.to, MAX_PARTITIONS);
    if (partitions === undefined) {
      const startAfter = so.prefix + partitionAt(this.#unit, range.from).name;
      const next = partitionAt(this.#unit, range.to).end;
      if (next > MAX_TIME) return [{ ...so, startAfter }];
      return [{ ...so, startAfter, stopAt: so.prefix + partitionAt(this.#unit, next).name }];
    }
    return partitions.flatMap((partition) =>
      this.#extend({ prefix: so.prefix + partition.name, partition }, index + 1, known, range),
    );
  }

  /** See {@link parseName}. */
  parse(name: string, fields: QueryFields): ParsedName | undefined {
    return parseName(this.#rules.names, this.#unit, name, this.#encoded(fields));
  }

  /**
   * Whether the encoded values of an object name are those of records with these fields; values that the name does
   * not tell do not matter.
   */
  matchesValues(values: Readonly<Record<string, string>>, fields: QueryFields): boolean {
    const known = this.#encoded(fields);
    return this.#rules.names.variables.every(({ name }, index) => {
      const wanted = known[index];
      return wanted === undefined || !Object.hasOwn(values, name) || values[name] === wanted;
    });
  }
}

function textOf(token: NameToken, known: readonly (string | undefined)[]): string | undefined {
  if (token.kind === 'text') return token.text;
  return token.kind === 'value' ? known[token.index] : undefined;
}

/** Where a listing may stop whose names go on with the first record's time, in an order that is the times' order. */
function stopAtFirst(prefix: string, token: NameToken & { kind: 'time' }, to: number): { stopAt?: string } {
  if (token.of !== 'first' || !token.pattern.isSorted) return {};
  const smallest = FIXED_UNITS.findLast((unit) => token.pattern.has(unit));
  const next = smallest === undefined ? Infinity : nextUnit(to, smallest);
  return next > MAX_TIME ? {} : { stopAt: prefix + token.pattern.write(next) };
}
