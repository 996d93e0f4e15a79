import { messageOf, S3BatchError } from '../errors';
import { BoundedCache } from './bounded-cache';
import { decodedKeyPart, keyPart, keyTopic } from './encoding';
import { defaultParts, namesOfTime, splitParts, TIME } from './key-parts';
import { invalidSetting, type LayoutSettings } from './settings';
import { timeFormat, type TimeFormat } from './time-format';
import { type RecordValues, type RecordVariable, valueOf, type Variables } from './variables';

/**
 * All that it takes to make a record's offset key from its series and its time. Objects carry it, so that a reader
 * needs no layout.
 */
export interface KeyShape {
  /** Names of the key's parts, joined by '/'; '%' and '/' in a name are percent-encoded. */
  readonly template: string;
  /**
   * Where the time stands among the parts of a key, from 0 on, or counted from the end, -1 being the last (as
   * `Array.prototype.at` counts); undefined when keys have no time. A key with fewer parts has it at the nearer end.
   */
  readonly timePosition: number | undefined;
  /** `iso`, `epoch-s`, `epoch-ms` or a pattern of luxon's tokens. */
  readonly timeFormat: string;
  readonly timeZone: string;
}

/** A series with the text of a time put in its place; the inverse of {@link withoutTime}. */
export function withTime(shape: KeyShape, series: string, timeText: string): string {
  const position = shape.timePosition;
  if (position === undefined) return series;
  if (series === '' && isTimeOnly(shape)) return timeText;
  if (position === -1) return `${series}/${timeText}`;
  if (split.position !== position || split.series !== series) split = splitSeries(series, position);
  // Both pieces are shared by all keys of the series, whose memory would otherwise be that of as many copies.
  return split.before + timeText + split.after;
}

/** The series that a time was put into last: an object has its records series by series, and a hostile one long series. */
let split = { series: '', position: NaN, before: '', after: '' };

function splitSeries(series: string, position: number): typeof split {
  const parts = series.split('/');
  const at = position >= 0 ? Math.min(position, parts.length) : Math.max(0, parts.length + 1 + position);
  const before = parts.slice(0, at).map((part) => `${part}/`);
  const after = parts.slice(at).map((part) => `/${part}`);
  return { series, position, before: before.join(''), after: after.join('') };
}

/** A key taken apart: its series and the text of its time; undefined when it has too few parts. */
export function withoutTime(shape: KeyShape, key: string): { series: string; timeText: string } | undefined {
  const position = shape.timePosition;
  if (position === undefined) return { series: key, timeText: '' };
  const parts = key.split('/');
  if (parts.length === 1 && !isTimeOnly(shape)) return undefined;
  const at = position >= 0 ? Math.min(position, parts.length - 1) : Math.max(0, parts.length + position);
  const [timeText] = parts.splice(at, 1);
  return { series: parts.join('/'), timeText: timeText ?? '' };
}

function isTimeOnly(shape: KeyShape): boolean {
  return !shape.template.includes('/');
}

const formats = new BoundedCache<string, TimeFormat>(100);

/**
 * The offset key of a record, rebuilt from what its object says.
 * @param shape from the object; untrusted
 * @param time ms since the epoch
 * @throws S3BatchError OBJECT_CORRUPT when the shape's time format or zone is unknown
 */
export function offsetKey(shape: KeyShape, series: string, time: number): string {
  if (shape.timePosition === undefined) return series;
  const id = `${shape.timeFormat}\n${shape.timeZone}`;
  let format = formats.get(id);
  if (format === undefined) {
    try {
      format = timeFormat(shape.timeFormat, shape.timeZone);
    } catch (error) {
      throw new S3BatchError(
        'OBJECT_CORRUPT',
        `The object says how the time of its keys is written, but that is unknown here (${messageOf(error)}). Write the object again.`,
        { cause: error },
      );
    }
    formats.set(id, format);
  }
  return withTime(shape, series, keyPart(format.write(time)));
}

/** The offset key's template of a layout, compiled. */
export class KeyTemplate {
  readonly shape: KeyShape;
  readonly #parts: readonly RecordVariable[];
  readonly #format: TimeFormat;

  /**
   * @param settings complete settings
   * @param levels names of the topic's levels
   * @throws S3BatchError LAYOUT_INVALID
   */
  constructor(settings: LayoutSettings, levels: readonly string[], variables: Variables, format: TimeFormat) {
    const time = settings.time;
    const timeNames = namesOfTime(settings);
    const names = settings.key === '' ? defaultParts(settings, levels) : splitParts(settings.key);
    const parts = names.map((name): RecordVariable | typeof TIME => {
      if (!levels.includes(name) && timeNames.includes(name)) return TIME;
      const variable = variables.find(name);
      if (variable !== undefined) return variable;
      const known = `${variables.known}, ${timeNames.join(', ')}`;
      throw invalidSetting('key', `"${name}" is unknown`, `use ${known}`);
    });
    const timeAt = parts.indexOf(TIME);
    this.#parts = parts.filter((part) => part !== TIME);
    const topics = this.#parts.filter((part) => part.kind === 'topic').length;
    if (timeAt !== parts.lastIndexOf(TIME) || topics > 1) {
      const twice = topics > 1 ? 'topic' : TIME;
      throw invalidSetting('key', `it has the ${twice} twice`, 'let it occur once');
    }
    const topicAt = parts.findIndex((part) => part !== TIME && part.kind === 'topic');
    const countedFromEnd = timeAt === parts.length - 1 || (topicAt !== -1 && topicAt < timeAt);
    const timeName = timeNames.find((name) => !levels.includes(name)) ?? TIME;
    const isUtc = time.source === 'arrival' || ['iso', 'epoch-s', 'epoch-ms'].includes(time.format);
    this.#format = format;
    this.shape = {
      template: parts.map((part) => keyPart(part === TIME ? timeName : part.name)).join('/'),
      timePosition: timeAt === -1 ? undefined : countedFromEnd ? timeAt - parts.length : timeAt,
      timeFormat: time.source === 'arrival' ? 'iso' : time.format,
      timeZone: isUtc ? 'UTC' : time.zone,
    };
  }

  /** The series of a record; that of a record whose topic does not fit is its topic. */
  series(record: RecordValues): string {
    if (record.levelValues === undefined) return keyTopic(record.topic);
    return this.#parts
      .map((part) => (part.kind === 'topic' ? keyTopic(record.topic) : keyPart(valueOf(part, record) ?? '')))
      .join('/');
  }

  /** What the series of records with these level values begin with, as far as they tell. */
  seriesPrefix(levels: Readonly<Record<string, string>>): string {
    let prefix = '';
    for (const [index, part] of this.#parts.entries()) {
      if (index > 0) prefix += '/';
      const value = part.kind === 'level' ? levels[part.name] : undefined;
      if (value === undefined) return prefix;
      prefix += keyPart(value);
    }
    return prefix;
  }

  /** Slots of the payload fields in series. */
  get slots(): number[] {
    return this.#parts.filter((part) => part.kind === 'payload').map((part) => part.index);
  }

  keyOf(series: string, time: number): string {
    return withTime(this.shape, series, keyPart(this.#format.write(time)));
  }

  /** A key's series and the decoded text of its time. */
  split(key: string): { series: string; timeText: string } | undefined {
    const parts = withoutTime(this.shape, key);
    return parts && { series: parts.series, timeText: decodedKeyPart(parts.timeText) };
  }
}
