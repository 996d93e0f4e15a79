import { bucketName, type BucketNamePart } from './bucket-name';
import { isBucketName } from './bucket-rules';
import { type BucketRow, invalidSetting } from './settings';
import { parseTemplate } from './template';
import { TopicFilter } from './topic-filter';
import { type RecordValues, type RecordVariable, valueOf, type Variables } from './variables';

/** How a bucket is named: a row's template, or without a row the topic. */
export class BucketTemplate {
  readonly variables: readonly RecordVariable[];
  readonly #pieces: readonly (string | RecordVariable)[];

  constructor(pieces: readonly (string | RecordVariable)[]) {
    this.#pieces = pieces;
    this.variables = pieces.filter((piece) => typeof piece !== 'string');
  }

  uses(kind: RecordVariable['kind']): boolean {
    return this.variables.some((variable) => variable.kind === kind);
  }

  /** A valid bucket name for any values; a missing payload field counts as empty. */
  render(record: RecordValues): string {
    return bucketName(this.#parts(record));
  }

  /** The text that {@link render} makes a valid name of. */
  text(record: RecordValues): string {
    return this.#parts(record)
      .map(({ text }) => text)
      .join('');
  }

  #parts(record: RecordValues): BucketNamePart[] {
    return this.#pieces.map((piece) =>
      typeof piece === 'string'
        ? { text: piece, fromTemplate: true }
        : { text: valueOf(piece, record) ?? '', fromTemplate: false },
    );
  }
}

export interface BucketRule {
  filter: TopicFilter;
  template: BucketTemplate;
}

const BY_TOPIC = new BucketTemplate([{ kind: 'topic', name: 'topic', index: -1 }]);

/** The bucket table: the first row whose filter matches the topic decides. */
export class BucketTable {
  readonly rules: readonly BucketRule[];
  /** For topics that no row matches. */
  readonly byTopic = BY_TOPIC;

  constructor(rows: readonly BucketRow[], variables: Variables) {
    this.rules = rows.map((row, index) => compileRow(row, index, variables));
  }

  templateFor(topic: string): BucketTemplate {
    return this.rules[this.rowFor(topic)]?.template ?? this.byTopic;
  }

  /** Position of the row that decides; -1 when none matches. */
  rowFor(topic: string): number {
    return this.rules.findIndex((rule) => rule.filter.matches(topic));
  }
}

function compileRow(row: BucketRow, index: number, variables: Variables): BucketRule {
  const setting = `buckets, row ${index + 1}`;
  const filter = TopicFilter.parse(row.topic);
  if (filter === undefined) {
    throw invalidSetting(
      setting,
      `"${row.topic}" is no MQTT topic filter`,
      'write one such as plants/+/weld/#',
    );
  }
  const pieces = parseTemplate(setting, row.bucket).map((token) => {
    if ('text' in token) return token.text;
    const variable = variables.find(token.variable);
    if (variable !== undefined) return variable;
    throw invalidSetting(
      setting,
      `"${token.variable}" in "${row.bucket}" is unknown`,
      `use ${variables.known}`,
    );
  });
  const isFixed = pieces.every((piece) => typeof piece === 'string');
  const fits = isFixed
    ? isBucketName(pieces.join(''))
    : pieces.every((piece) => typeof piece !== 'string' || /^[A-Za-z0-9./-]*$/.test(piece));
  if (!fits) {
    throw invalidSetting(
      setting,
      `"${row.bucket}" makes no valid bucket name`,
      'use 3 to 63 lower-case letters, digits and hyphens',
    );
  }
  return { filter, template: new BucketTemplate(pieces) };
}
