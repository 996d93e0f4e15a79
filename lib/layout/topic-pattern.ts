import { invalidSetting } from './settings';
import { BATCH_VARIABLES } from './variables';

type Level = { kind: 'fixed'; text: string } | { kind: 'any'; name: string | undefined };

/** The parts of a topic pattern. */
export interface PatternLevels {
  /** Names in the order of the topic. */
  readonly names: readonly string[];
  readonly levels: readonly Level[];
  /** Whether any levels may follow; `#` or `#NAME`. */
  readonly open: boolean;
  readonly restName: string | undefined;
}

/** Why a text is no topic pattern, and the level that is at fault. */
export interface PatternProblem {
  readonly problem: 'hash' | 'plus' | 'name' | 'reserved' | 'twice';
  readonly level: string;
}

/** What a level may not be called, because templates and keys give these words a meaning. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['topic', 'time', 'payload', ...BATCH_VARIABLES]);
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}_.-]*$/u;

/** @param pattern such as `ROOT/PLANT-ID/DEVICE-ID` or `plants/+PLANT-ID/#`; '' takes any topic */
export function patternLevels(pattern: string): PatternLevels | PatternProblem {
  const texts = pattern === '' ? ['#'] : pattern.split('/');
  const rest = texts.at(-1)?.startsWith('#') === true ? texts.pop() : undefined;
  const likeMqtt = texts.some((text) => text.startsWith('+'));
  const levels: Level[] = [];
  for (const text of texts) {
    const level = parseLevel(text, likeMqtt);
    if ('problem' in level) return level;
    levels.push(level);
  }
  const restName = rest === undefined || rest === '#' ? undefined : rest.slice(1);
  const names = [...levels.map((level) => (level.kind === 'any' ? level.name : undefined)), restName].filter(
    (name) => name !== undefined,
  );
  for (const [index, name] of names.entries()) {
    if (!NAME.test(name)) return { problem: 'name', level: name };
    if (RESERVED_NAMES.has(name) || name.startsWith('payload.')) return { problem: 'reserved', level: name };
    if (names.indexOf(name) < index) return { problem: 'twice', level: name };
  }
  return { names, levels, open: rest !== undefined, restName };
}

function parseLevel(text: string, likeMqtt: boolean): Level | PatternProblem {
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) {
    return { kind: 'fixed', text: text.slice(1, -1) };
  }
  if (text.includes('#')) return { problem: 'hash', level: text };
  if (!likeMqtt) return { kind: 'any', name: text };
  if (text === '+') return { kind: 'any', name: undefined };
  if (text.startsWith('+')) return { kind: 'any', name: text.slice(1) };
  if (text.includes('+') || text.includes('\0')) return { problem: 'plus', level: text };
  return { kind: 'fixed', text };
}

type Texts = readonly [wrong: string, remedy: string];
const PROBLEMS: Record<PatternProblem['problem'], (pattern: string, level: string) => Texts> = {
  hash: (pattern) => [`in "${pattern}" a # stands before the end`, 'let it be the last level'],
  plus: (pattern, level) => [
    `in "${pattern}" the level "${level}" holds what no topic can`,
    'write + before a name, or put the level in double quotes',
  ],
  name: (pattern, level) => [
    `in "${pattern}" the level "${level}" is no name`,
    'use letters, digits, "-", "_" and ".", or put a fixed level in double quotes',
  ],
  reserved: (pattern, level) => [
    `in "${pattern}" a level is called "${level}", which means something else`,
    'choose another name',
  ],
  twice: (pattern, level) => [`"${pattern}" names two levels "${level}"`, 'give each a name of its own'],
};

/** A compiled topic pattern: which levels a topic has and what they are called. */
export class TopicPattern {
  /** Names in the order of the topic. */
  readonly names: readonly string[];
  readonly #levels: readonly Level[];
  readonly #open: boolean;
  readonly #restName: string | undefined;

  /**
   * @param pattern see {@link patternLevels}
   * @throws S3BatchError LAYOUT_INVALID
   */
  constructor(pattern: string) {
    const parsed = patternLevels(pattern);
    if ('problem' in parsed) {
      throw invalidSetting('topic', ...PROBLEMS[parsed.problem](pattern, parsed.level));
    }
    this.names = parsed.names;
    this.#levels = parsed.levels;
    this.#open = parsed.open;
    this.#restName = parsed.restName;
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
