import { CUT_MARK_BYTES, nameValue } from './encoding';
import { FixedPattern } from './fixed-pattern';
import { partitionAt, partitionPattern } from './partition';
import { invalidSetting, type LayoutSettings, type PartitionUnit } from './settings';
import { parseTemplate, type TemplateToken } from './template';
import type { RecordVariable, Variables } from './variables';

/** Longest object name in bytes. S3 takes 1024; the rest is for the suffix of a second object beside the first. */
export const MAX_NAME_BYTES = 1000;
/** A record's value in a name stays whole up to this many bytes, or fewer when a name holds many. */
const VALUE_LIMIT = 96;
const LEAST_VALUE_LIMIT = 22;
const EXTENSION_LIMIT = 40;
const COUNT_DIGITS = 16;

/** A piece of an object name's template. */
export type NameToken =
  | { kind: 'text'; text: string }
  /** A record's value; `index` is its position among {@link NameTemplate.variables}. */
  | { kind: 'value'; index: number }
  | { kind: 'partition'; pattern: FixedPattern }
  | { kind: 'time'; of: 'first' | 'last'; pattern: FixedPattern }
  | { kind: 'count' | 'batch' | 'instance' | 'extension' };

/** What an object's name tells about its batch. */
export interface BatchName {
  /** Time of its first and last record, ms since the epoch. */
  first: number;
  last: number;
  count: number;
  /** Unique text. */
  batch: string;
  instance: string;
  /** With its dot, such as `.ndjson.gz`; may be empty. */
  extension: string;
}

/** What an object's name takes from its records: their values, encoded, and their partition's name. */
export interface NameSource {
  readonly values: Readonly<Record<string, string>>;
  readonly partition: { readonly name: string };
}

/** A compiled template of object names. */
export class NameTemplate {
  readonly tokens: readonly NameToken[];
  /** The variables that have a value for every record, each once. */
  readonly variables: readonly RecordVariable[];
  /** Bytes up to which a record's value stays whole. */
  readonly valueLimit: number;

  /** @throws S3BatchError LAYOUT_INVALID */
  constructor(settings: LayoutSettings, variables: Variables) {
    const used: RecordVariable[] = [];
    const parsed = withoutEmptyPartition(
      parseTemplate('objectName', settings.objectName),
      settings.partition,
    );
    this.tokens = parsed.map((token) =>
      'text' in token
        ? { kind: 'text', text: checkedText(token.text) }
        : compileVariable(token.variable, settings.partition, variables, used),
    );
    this.variables = used;
    if (!this.tokens.some((token) => token.kind === 'batch')) {
      throw invalidSetting(
        'objectName',
        `"${settings.objectName}" lacks {{batch}}, so a batch could overwrite another`,
        'add {{batch}}',
      );
    }
    this.valueLimit = valueLimit(this.tokens);
    this.#checkSegments(settings);
  }

  /** A record's value as it stands in names. */
  encode(value: string): string {
    return nameValue(value, this.valueLimit);
  }

  render(source: NameSource, batch: BatchName): string {
    return this.tokens
      .map((token) => {
        switch (token.kind) {
          case 'text':
            return token.text;
          case 'value':
            return source.values[this.variables[token.index]?.name ?? ''] ?? '';
          case 'partition':
            return source.partition.name;
          case 'time':
            return token.pattern.write(batch[token.of]);
          case 'count':
            return String(batch.count);
          case 'extension':
            return batch.extension === '' ? '' : nameValue(batch.extension, EXTENSION_LIMIT);
          case 'batch':
          case 'instance':
            return nameValue(batch[token.kind], VALUE_LIMIT);
        }
      })
      .join('');
  }

  /** Values are never empty and no dots, so the template alone decides whether a segment is empty or only dots. */
  #checkSegments({ partition }: LayoutSettings): void {
    const values = Object.fromEntries(this.variables.map((variable) => [variable.name, 'x']));
    const source = { values, partition: partitionAt(partition, 0) };
    for (const extension of ['', '.x']) {
      const batch = { first: 0, last: 0, count: 0, batch: 'x', instance: 'x', extension };
      const name = this.render(source, batch);
      if (name.split('/').some((segment) => /^\.{0,2}$/.test(segment))) {
        throw invalidSetting(
          'objectName',
          `names such as "${name}" have a part between slashes that is empty, "." or ".."`,
          'mind the slashes and dots',
        );
      }
    }
  }
}

/** Without partitions {{partition}} is nothing, and the slash that would part it from the rest goes with it. */
function withoutEmptyPartition(tokens: TemplateToken[], unit: PartitionUnit): TemplateToken[] {
  if (unit !== 'none') return tokens;
  const kept: TemplateToken[] = [];
  let dropSlash = false;
  for (const [index, token] of tokens.entries()) {
    if ('variable' in token) {
      if (token.variable !== 'partition') {
        kept.push(token);
        dropSlash = false;
      } else {
        dropSlash = true;
      }
      continue;
    }
    let text = dropSlash ? token.text.replace(/^\//, '') : token.text;
    const next = tokens[index + 1];
    const endsWithPartition =
      index + 2 === tokens.length &&
      next !== undefined &&
      'variable' in next &&
      next.variable === 'partition';
    if (endsWithPartition) text = text.replace(/\/$/, '');
    dropSlash = false;
    if (text !== '') kept.push({ text });
  }
  return kept;
}

function checkedText(text: string): string {
  if (/[\p{Cc}\p{Cs}\\]/u.test(text)) {
    throw invalidSetting(
      'objectName',
      'it holds a control character, a backslash or half a character',
      'remove it',
    );
  }
  return text;
}

const DEFAULT_TIME = "yyyyMMdd'T'HHmmss'Z'";

function compileVariable(
  written: string,
  unit: PartitionUnit,
  variables: Variables,
  used: RecordVariable[],
): NameToken {
  const time = /^(first|last)(?:\s+(.*))?$/s.exec(written);
  if (time !== null) {
    return { kind: 'time', of: time[1] as 'first' | 'last', pattern: namePattern(time[2] ?? DEFAULT_TIME) };
  }
  switch (written) {
    case 'count':
    case 'batch':
    case 'instance':
    case 'extension':
      return { kind: written };
    case 'partition': {
      const pattern = partitionPattern(unit);
      if (pattern !== undefined) return { kind: 'partition', pattern };
    }
  }
  const variable = variables.find(written);
  if (variable === undefined) {
    throw invalidSetting(
      'objectName',
      `"${written}" is unknown`,
      `use ${variables.known}, partition, first, last, count, batch, instance or extension`,
    );
  }
  const known = used.findIndex(({ name }) => name === variable.name);
  return { kind: 'value', index: known === -1 ? used.push(variable) - 1 : known };
}

function namePattern(text: string): FixedPattern {
  const pattern = FixedPattern.compile(text);
  const isPlain = pattern?.tokens.every(
    (token) => 'unit' in token || /^[A-Za-z0-9_.=@+,:/-]*$/.test(token.text),
  );
  if (pattern === undefined || isPlain !== true) {
    throw invalidSetting(
      'objectName',
      `"${text}" is no time format for names`,
      "use yyyy, MM, dd, HH, mm, ss and SSS, each at most once, and other letters in single quotes, as in yyyyMMdd'T'HHmmss",
    );
  }
  return pattern;
}

function bytesAtMost(token: NameToken): number {
  switch (token.kind) {
    case 'text':
      return Buffer.byteLength(token.text);
    case 'value':
      return 0;
    case 'partition':
    case 'time':
      return token.pattern.length;
    case 'count':
      return COUNT_DIGITS;
    case 'extension':
      return EXTENSION_LIMIT + CUT_MARK_BYTES;
    case 'batch':
    case 'instance':
      return VALUE_LIMIT + CUT_MARK_BYTES;
  }
}

/** The limit that keeps every name within {@link MAX_NAME_BYTES}. */
function valueLimit(tokens: readonly NameToken[]): number {
  const values = tokens.filter((token) => token.kind === 'value').length;
  const left = MAX_NAME_BYTES - tokens.reduce((sum, token) => sum + bytesAtMost(token), 0);
  const limit = values === 0 ? VALUE_LIMIT : Math.floor(left / values) - CUT_MARK_BYTES;
  if (left < 0 || limit < LEAST_VALUE_LIMIT) {
    throw invalidSetting(
      'objectName',
      `its names could be longer than ${MAX_NAME_BYTES} bytes`,
      'shorten the text or use fewer variables',
    );
  }
  return Math.min(limit, VALUE_LIMIT);
}
