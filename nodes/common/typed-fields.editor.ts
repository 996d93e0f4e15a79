/** Fields of Node-RED's typed inputs: a property PROPERTY with its type in PROPERTYType. */
import { isInDialogue } from './dialogue.editor';

/** Where a value may come from. */
export const TYPES = ['str', 'msg', 'flow', 'global', 'env', 'jsonata'] as const;
export const TIME_TYPES = ['str', 'num', 'msg', 'flow', 'global', 'env', 'jsonata'] as const;

/** Makes typed inputs of the fields of these properties. */
export function typeFields(properties: readonly string[], types: readonly string[] = TYPES): void {
  for (const property of properties) {
    const input = $(`#node-input-${property}`);
    input.typedInput({
      default: 'str',
      types: [...types] as (typeof TIME_TYPES)[number][],
      typeField: $(`#node-input-${property}Type`),
    });
    bindLabel(input);
  }
}

/** Makes a click on a typed input's label go to the field that is shown in its place. */
function bindLabel(input: JQuery): void {
  const id = input.attr('id') ?? '';
  const shown = `${id}-shown`;
  const hints = input.nextAll('.s3-batch-hint').toArray();
  for (const [index, hint] of hints.entries()) hint.id ||= `${shown}-hint-${index}`;
  input
    .next('.red-ui-typedInput-container')
    .find('.red-ui-typedInput-input')
    .attr('id', shown)
    .attr('aria-describedby', hints.length > 0 ? hints.map((hint) => hint.id).join(' ') : null);
  $(`label[for="${id}"]`).attr('for', shown);
}

/** A validator of a typed property; blank is right. */
export function typed(property: string) {
  return function (this: EditorNode, value: string | undefined, { label }: ValidationOptions): true | string {
    if (value === undefined || value === '') return true;
    const inForm = isInDialogue(this) ? $(`#node-input-${property}Type`).val() : undefined;
    const type = inForm ?? (this as EditorNode & Record<string, unknown>)[`${property}Type`];
    return RED.utils.validateTypedProperty(value, String(type), {
      label: label ?? this._(`${this.type}.label.${property}`),
    });
  };
}
