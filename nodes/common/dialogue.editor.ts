/** What the dialogues of several nodes do alike. */

/** Name of a text under `invalid` in the node's catalogue, with the values that stand in it. */
export type Problem = string | readonly [name: string, values: Record<string, string | number>];

/** What a validator answers: a problem as a sentence about its property. */
export function verdict(
  node: EditorNode,
  property: string,
  { label }: ValidationOptions,
  problem: Problem | undefined,
): true | string {
  if (problem === undefined) return true;
  const [name, values] = typeof problem === 'string' ? [problem] : problem;
  const text = node._(`${node.type}.invalid.${name}`, values);
  return `${label ?? node._(`${node.type}.label.${property}`)}: ${text}`;
}

/** A validator of a property. What a flow file leaves out has its default. */
export function checked<Node extends EditorNode, Value>(
  property: string,
  find: (value: Value, node: Node) => Problem | undefined,
) {
  // Node-RED takes a sentence only from a function of two parameters.
  return function (this: Node, value: Value | undefined, options: ValidationOptions): true | string {
    return verdict(this, property, options, value === undefined ? undefined : find(value, this));
  };
}

/** A validator of a chosen settings node: it must be there and right itself. */
export function settingsNode(property: string, { isNeeded }: { isNeeded: boolean }) {
  return function (this: EditorNode, id: string | undefined, options: ValidationOptions): true | string {
    const chosen = id && id !== '_ADD_' ? RED.nodes.node(id) : undefined;
    if (chosen === undefined ? !isNeeded : chosen && chosen.valid !== false) return true;
    return verdict(this, property, options, chosen === undefined ? 'blank' : chosen ? 'wrong' : 'gone');
  };
}

/** A check of text that may be blank. */
export function unlessBlank(problem: string, isRight: (text: string) => boolean) {
  return (text: string): string | undefined => (text === '' || isRight(text) ? undefined : problem);
}

/** A check of a number that may be blank, which stands for its default. */
export function numberWithin(
  problem: Problem,
  { least, most = Number.MAX_VALUE, whole = false }: { least: number; most?: number; whole?: boolean },
) {
  return (value: number | string): Problem | undefined => {
    if (value === '') return undefined;
    const given = Number(value);
    return given >= least && given <= most && (!whole || Number.isInteger(given)) ? undefined : problem;
  };
}

/** Chooses what stands first where a flow file left a choice out. */
export function chooseFirst(choices: Record<string, string>, prefix = 'node-input'): void {
  for (const [property, first] of Object.entries(choices)) {
    const select = $(`#${prefix}-${property}`);
    if (!select.val()) select.val(first);
  }
}

/** Makes a click on a typed input's label go to the field that is shown in its place. */
export function bindLabel(input: JQuery): void {
  const shown = `${input.attr('id') ?? ''}-shown`;
  input.next('.red-ui-typedInput-container').find('.red-ui-typedInput-input').attr('id', shown);
  $(`label[for="${input.attr('id') ?? ''}"]`).attr('for', shown);
}

/** What labels in the palette may be wide, in pixels, and the widest of this package's. */
const PALETTE_WIDTH = 82;
const WIDEST = 'batch\u2011backup';

/**
 * A type's name for the palette, where Node-RED takes a label apart at its hyphens and sets it with spaces around them.
 * It has hyphens that do not break, unless the editor's font is so wide that names would be broken anywhere: then it has
 * spaces, as Node-RED's own names.
 */
export function paletteName(type: string): () => string {
  return () => {
    const fits = RED.view.calculateTextWidth(WIDEST, 'red-ui-palette-label') < PALETTE_WIDTH;
    return type.replaceAll('-', fits ? '\u2011' : ' ');
  };
}
