import type { NodeAPI } from 'node-red';

/** What stands in a text; `count` also chooses between `KEY` and, for other numbers than one, `KEY_plural`. */
export type TextValues = Readonly<Record<string, string | number | undefined>>;

export type Texts = (key: string, values?: TextValues) => string;

/** The texts below `prefix` in a catalogue, in the language of the runtime, which writes numbers, too. */
export function textsOf(RED: NodeAPI, prefix: string): Texts {
  // Node-RED's types know texts only, but what is behind it takes numbers, and needs one to count by.
  return (key, values = {}) => RED._(`${prefix}.${key}`, values as Record<string, string>);
}
