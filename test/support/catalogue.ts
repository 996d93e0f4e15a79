/** A value that is put into a text: `__bytes__`, or `__count, number__`, which is written as the language does. */
const VALUE = /__\w+(?:, number)?__/g;

/** The values in a text, sorted. */
export function valuesIn(text: string): string[] {
  return (text.match(VALUE) ?? []).sort();
}

/** A text with something else in place of each value. */
export function withValues(text: string, value: string): string {
  return text.split(VALUE).join(value);
}

/** Texts that fit this one, whatever the values are. */
export function shapeOf(text: string): RegExp {
  const literally = (part: string): string => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${text.split(VALUE).map(literally).join('.+')}$`);
}

/** Texts that a reader needs to know: what is said of one thing is said of several, too. */
export function textsToExplain(texts: Readonly<Record<string, string>>): string[] {
  return Object.entries(texts)
    .filter(([key]) => !(`${key}_plural` in texts))
    .map(([, text]) => text);
}
