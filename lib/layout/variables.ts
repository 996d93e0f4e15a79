import { type FieldPath, fieldPathText, parseFieldPath } from './field-path';

/** Variables of object names that have a value for a batch, not for a record. */
export const BATCH_VARIABLES: readonly string[] = [
  'partition',
  'first',
  'last',
  'count',
  'batch',
  'instance',
  'extension',
];

/** A variable that has a value for every record. */
export interface RecordVariable {
  kind: 'level' | 'payload' | 'topic';
  /** The one spelling of its name, such as `PLANT-ID`, `payload.line` or `topic`. */
  name: string;
  /** The level's position among the named ones, or the payload field's slot. */
  index: number;
}

/** Where the values of one record's variables come from. */
export interface RecordValues {
  readonly topic: string;
  /** Values of the named levels, or undefined when the topic does not fit the pattern. */
  readonly levelValues: readonly string[] | undefined;
  /** A payload field's text by slot, or undefined when it is missing. */
  field(slot: number): string | undefined;
}

/** The variables that a layout knows; hands out a slot for each payload field that it is asked for. */
export class Variables {
  /** Wanted payload fields; their position is their slot. */
  readonly paths: FieldPath[] = [];
  readonly #names: readonly string[];

  /** @param levels names of the topic's levels */
  constructor(levels: readonly string[]) {
    this.#names = levels;
  }

  slotOf(path: FieldPath): number {
    const text = fieldPathText(path);
    const slot = this.paths.findIndex((known) => fieldPathText(known) === text);
    return slot === -1 ? this.paths.push(path) - 1 : slot;
  }

  /** The variable of this name, or undefined when there is none. */
  find(name: string): RecordVariable | undefined {
    const index = this.#names.indexOf(name);
    if (index !== -1) return { kind: 'level', name, index };
    if (name === 'topic') return { kind: 'topic', name, index: -1 };
    const path = payloadPath(name);
    if (path === undefined) return undefined;
    return { kind: 'payload', name: payloadName(path), index: this.slotOf(path) };
  }

  /** For messages: what may be written. */
  get known(): string {
    return [...this.#names, 'topic', 'payload.<field>'].join(', ');
  }
}

/** The path that `payload.a.b` or `payload["a b"]` names, or undefined. */
export function payloadPath(name: string): FieldPath | undefined {
  if (name.startsWith('payload.')) return parseFieldPath(name.slice('payload.'.length));
  return name.startsWith('payload[') ? parseFieldPath(name.slice('payload'.length)) : undefined;
}

export function payloadName(path: FieldPath): string {
  const text = fieldPathText(path);
  return text.startsWith('[') ? `payload${text}` : `payload.${text}`;
}

/** The value of a variable; undefined for a missing payload field and for a level of a topic that does not fit. */
export function valueOf(variable: RecordVariable, record: RecordValues): string | undefined {
  if (variable.kind === 'topic') return record.topic;
  return variable.kind === 'level' ? record.levelValues?.[variable.index] : record.field(variable.index);
}
