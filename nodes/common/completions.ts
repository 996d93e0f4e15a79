import { type FieldPath, fieldPathText } from '../../lib/layout/field-path';

/** What a text may become by a choice of the user, and where the caret stands then. */
export interface Completion {
  text: string;
  caret: number;
  /** What the list shows. */
  label: string;
}

/** Levels of a payload that are looked into, elements of an array, and fields in all. */
const DEEPEST = 6;
const ELEMENTS = 3;
const MOST_FIELDS = 100;

/** Completions of the variable in which the caret of a template stands; none where it stands in no `{{`. */
export function templateCompletions(text: string, caret: number, names: readonly string[]): Completion[] {
  const before = /\{\{\s*([^{}]*)$/.exec(text.slice(0, caret));
  if (before === null) return [];
  const after = text.slice(caret).replace(/^[^{}/]*\}\}/, '');
  return matching(names, before[1] ?? '').flatMap((name) => {
    const completed = `${text.slice(0, before.index)}{{${name}}}`;
    const whole = completed + after;
    return whole === text ? [] : [{ text: whole, caret: completed.length, label: `{{${name}}}` }];
  });
}

/** Completions of the part between slashes in which the caret stands. */
export function partCompletions(text: string, caret: number, names: readonly string[]): Completion[] {
  const start = text.lastIndexOf('/', caret - 1) + 1;
  const after = text.slice(caret).replace(/^[^/]*/, '');
  return matching(names, text.slice(start, caret)).flatMap((name) => {
    const completed = text.slice(0, start) + name;
    const whole = completed + after;
    return whole === text ? [] : [{ text: whole, caret: completed.length, label: name }];
  });
}

/** Completions of a text that is one name. */
export function nameCompletions(text: string, names: readonly string[]): Completion[] {
  return matching(names, text).flatMap((name) =>
    name === text ? [] : [{ text: name, caret: name.length, label: name }],
  );
}

/** The names that hold what has been written; first those that begin with it. */
function matching(names: readonly string[], written: string): string[] {
  const wanted = written.trim().toLowerCase();
  const found = names.filter((name) => name.toLowerCase().includes(wanted));
  const begins = (name: string): boolean => name.toLowerCase().startsWith(wanted);
  return [...found.filter(begins), ...found.filter((name) => !begins(name))];
}

/** Paths to the fields of a JSON payload that hold a text, a number or a truth value; none when it is no JSON. */
export function payloadFields(payload: string): FieldPath[] {
  const fields: FieldPath[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    if (fields.length >= MOST_FIELDS || path.length > DEEPEST) return;
    if (typeof value !== 'object') {
      if (path.length > 0) fields.push(path);
      return;
    }
    if (value === null) return;
    const members = Object.entries(value);
    for (const [name, member] of Array.isArray(value) ? members.slice(0, ELEMENTS) : members)
      visit(member, [...path, name]);
  };
  try {
    visit(JSON.parse(payload), []);
  } catch {
    return [];
  }
  return fields.filter((path) => fieldPathText(path).length <= 100);
}
