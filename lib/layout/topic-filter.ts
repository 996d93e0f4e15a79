import type { PartialTopic } from './topic-pattern';

/**
 * An MQTT topic filter.
 * Source: MQTT 5.0, section 4.7, "Topic Names and Topic Filters".
 */
export class TopicFilter {
  readonly #levels: readonly string[];
  readonly #open: boolean;

  private constructor(levels: readonly string[], open: boolean) {
    this.#levels = levels;
    this.#open = open;
  }

  /** The filter compiled, or undefined when the text is none. */
  static parse(filter: string): TopicFilter | undefined {
    const levels = filter.split('/');
    const open = levels.at(-1) === '#';
    if (open) levels.pop();
    const wrong = levels.some((level) => level.includes('#') || (level.includes('+') && level !== '+'));
    if (filter === '' || wrong || filter.includes('\0')) return undefined;
    return new TopicFilter(levels, open);
  }

  /** Whether a topic matches. Wildcards in the first level leave out topics that begin with '$'. */
  matches(topic: string): boolean {
    return this.covers({ levels: topic.split('/'), open: false }) === 'all';
  }

  /** Whether all topics of a set match, some may, or none can. */
  covers(topics: PartialTopic): 'all' | 'some' | 'none' {
    const { levels, open } = topics;
    const filter = this.#levels;
    if (levels.length < filter.length ? !open : levels.length > filter.length && !this.#open) return 'none';
    let all = open ? this.#open && levels.length >= filter.length : true;
    // A first level that is not known could begin with '$', but no one asks for such topics by their levels.
    const wildFirst = filter.length === 0 || filter[0] === '+';
    if (wildFirst && levels[0]?.startsWith('$') === true) return 'none';
    for (const [index, wanted] of filter.entries()) {
      if (wanted === '+') continue;
      const level = index < levels.length ? levels[index] : undefined;
      if (level === undefined) all = false;
      else if (level !== wanted) return 'none';
    }
    return all ? 'all' : 'some';
  }
}
