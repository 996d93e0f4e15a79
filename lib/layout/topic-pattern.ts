import { invalidSetting } from './settings';

type Level = { kind: 'fixed'; text: string } | { kind: 'any'; name: string | undefined };

/** What a level may not be called, because templates and keys give these words a meaning. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'topic',
  'time',
  'payload',
  'partition',
  'first',
  'last',
  'count',
  'batch',
  'instance',
  'extension',
]);
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}_.-]*$/u;

/** A compiled topic pattern: which levels a topic has and what they are called. */
export class TopicPattern {
  /** Names in the order of the topic. */
  readonly names: readonly string[];
  readonly #levels: readonly Level[];
  /** Whether any levels may follow; `#` or `#NAME`. */
  readonly #open: boolean;
  readonly #restName: string | undefined;

  /** @param pattern such as `ROOT/PLANT-ID/DEVICE-ID` or `plants/+PLANT-ID/#`; '' takes any topic */
  constructor(pattern: string) {
    const texts = pattern === '' ? ['#'] : pattern.split('/');
    const rest = texts.at(-1)?.startsWith('#') === true ? texts.pop() : undefined;
    const likeMqtt = texts.some((text) => text.startsWith('+'));
    this.#levels = texts.map((text) => parseLevel(text, likeMqtt, pattern));
    this.#open = rest !== undefined;
    this.#restName = rest === undefined || rest === '#' ? undefined : checkedName(rest.slice(1), pattern);
    const names = this.#levels.map((level) => (level.kind === 'any' ? level.name : undefined));
    this.names = [...names, this.#restName].filter((name) => name !== undefined);
    const twice = this.names.find((name, index) => this.names.indexOf(name) !== index);
    if (twice !== undefined) {
      throw invalidSetting(
        'topic',
        `"${pattern}" names two levels "${twice}"`,
        'give each a name of its own',
      );
    }
  }

  /** The values of the named levels in the order of {@link names}, or undefined when the topic does not fit. */
  match(topic: string): string[] | undefined {
    const texts = topic.split('/');
    const levels = this.#levels;
    if (this.#open ? texts.length < levels.length : texts.length !== levels.length) return undefined;
    const values: string[] = [];
    for (const [index, level] of levels.entries()) {
      const text = texts[index] ?? '';
      if (level.kind === 'fixed') {
        if (text !== level.text) return undefined;
      } else if (level.name !== undefined) {
        values.push(text);
      }
    }
    if (this.#restName !== undefined) values.push(texts.slice(levels.length).join('/'));
    return values;
  }

  /**
   * What is known of the topics whose levels have these values.
   * @param fields values by level name; other names are ignored
   */
  partialTopic(fields: ReadonlyMap<string, string>): PartialTopic {
    const levels: (string | undefined)[] = this.#levels.map((level) => {
      if (level.kind === 'fixed') return level.text;
      return level.name === undefined ? undefined : fields.get(level.name);
    });
    const rest = this.#restName === undefined ? undefined : fields.get(this.#restName);
    if (rest === undefined) return { levels, open: this.#open };
    return { levels: rest === '' ? levels : [...levels, ...rest.split('/')], open: false };
  }
}

/** A set of topics: some levels are known, the others undefined; when open, any levels may follow. */
export interface PartialTopic {
  levels: readonly (string | undefined)[];
  open: boolean;
}

function parseLevel(text: string, likeMqtt: boolean, pattern: string): Level {
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) {
    return { kind: 'fixed', text: text.slice(1, -1) };
  }
  if (text.includes('#')) {
    throw invalidSetting('topic', `in "${pattern}" a # stands before the end`, 'let it be the last level');
  }
  if (!likeMqtt) return { kind: 'any', name: checkedName(text, pattern) };
  if (text === '+') return { kind: 'any', name: undefined };
  if (text.startsWith('+')) return { kind: 'any', name: checkedName(text.slice(1), pattern) };
  if (text.includes('+') || text.includes('\0')) {
    throw invalidSetting(
      'topic',
      `in "${pattern}" the level "${text}" holds what no topic can`,
      'write + before a name, or put the level in double quotes',
    );
  }
  return { kind: 'fixed', text };
}

function checkedName(name: string, pattern: string): string {
  if (!NAME.test(name)) {
    throw invalidSetting(
      'topic',
      `in "${pattern}" the level "${name}" is no name`,
      'use letters, digits, "-", "_" and ".", or put a fixed level in double quotes',
    );
  }
  if (RESERVED_NAMES.has(name) || name.startsWith('payload.')) {
    throw invalidSetting(
      'topic',
      `in "${pattern}" a level is called "${name}", which means something else`,
      'choose another name',
    );
  }
  return name;
}
