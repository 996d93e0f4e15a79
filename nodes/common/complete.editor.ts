import type { Completion } from './completions';

/**
 * Offers completions below a text field as one types, in Node-RED's own list: arrow keys choose, Enter and Tab take.
 * @param completions for a text and the place of its caret
 */
export function complete(
  input: JQuery,
  completions: (text: string, caret: number) => readonly Completion[],
): void {
  let offered: readonly Completion[] = [];
  const take = (): void => {
    const taken = offered.find(({ text }) => text === input.val());
    if (!taken) return;
    offered = [];
    const [field] = input.toArray();
    if (field instanceof HTMLInputElement) field.setSelectionRange(taken.caret, taken.caret);
    input.trigger('input').trigger('change');
  };
  input.autoComplete({
    search: (text) => {
      const [field] = input.toArray();
      const caret = field instanceof HTMLInputElement ? field.selectionStart : null;
      offered = completions(text, caret ?? text.length);
      return offered.map(({ text: value, label }) => ({ value, label }));
    },
  });
  // The list puts in what was chosen, by a key without an event; then the caret is at the end.
  input.on('change', take).on('keydown', ({ key }) => {
    if (key === 'Enter' || key === 'Tab') take();
  });
}
