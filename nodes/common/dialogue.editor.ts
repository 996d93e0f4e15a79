/** What the dialogues of several nodes do alike. */
import { currentVersion, isKnownVersion, migrate, type NodeType } from './settings-version';

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
  // By its field a sentence needs no label; see showProblems.
  if (label === '') return text;
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

/** Longest time that a timer of Node.js takes, in seconds. */
export const LONGEST_SECONDS = 2_147_483;

/** A check of an amount that may be blank, which stands for its default. */
export function amount(least: number, limits: { most?: number; whole?: boolean } = {}) {
  return numberWithin([limits.whole ? 'whole' : 'number', { least }], { least, ...limits });
}

/** The property that tells the version of a node's settings. The dialogue writes the version that it knows. */
export function versionProperty(type: NodeType) {
  return {
    value: currentVersion(type) as number | string,
    validate: checked<EditorNode, number | string>('version', (version) =>
      isKnownVersion(type, version)
        ? undefined
        : ['version', { version: String(version), known: currentVersion(type) }],
    ),
  };
}

/**
 * Begins a dialogue: shows settings that an earlier version of the package wrote as this one takes them, and from then on
 * by each field what is wrong with it. To be called when all fields are there.
 * @returns the settings as they are shown
 */
export function beginDialogue<Node extends EditorNode>(node: Node, prefix = 'node-input'): Node {
  formOf(prefix).attr({ 'data-node': node.id, lang: language() });
  const type = node.type as NodeType;
  const { defaults } = node._def;
  const stored = Object.fromEntries(
    ['version', ...Object.keys(defaults)].map((name) => [name, (node as Record<string, unknown>)[name]]),
  );
  let shown = node;
  if (isKnownVersion(type, stored.version)) {
    const settings = migrate(type, stored);
    for (const [name, value] of Object.entries(settings)) {
      if (value !== stored[name]) fill($(`#${prefix}-${name}`), value);
    }
    shown = { ...node, ...settings };
  }
  showProblems(node, prefix);
  makeOperable(node, prefix);
  return shown;
}

/** The language that the texts of the package are in: what it is not translated into, it shows in English. */
function language(): string {
  const shown = RED.i18n.lang();
  return ['de', 'ja', 'zh-CN'].includes(shown) ? shown : 'en-US';
}

function formOf(prefix: string): JQuery {
  return $(`#${prefix}-name`).closest('.s3-batch-form');
}

/** Whether the dialogue of a node is open: its settings are those in the form then. */
export function isInDialogue({ id }: EditorNode): boolean {
  return $('.s3-batch-form')
    .toArray()
    .some((form) => form.dataset.node === id);
}

function fill(field: JQuery, value: unknown): void {
  if (field.attr('type') === 'checkbox') field.prop('checked', value === true);
  else if (typeof value === 'string' || typeof value === 'number') field.val(value);
}

/** Node-RED's buttons beside the choice of a settings node have neither a name nor a place in the order of Tab. */
function makeOperable(node: EditorNode, prefix: string): void {
  for (const [property, { type }] of Object.entries(node._def.defaults)) {
    if (type === undefined) continue;
    const name = (key: string): string => RED._(`editor.${key}`, { type });
    makeButton($(`#${prefix}-btn-${property}-edit`), name('editConfig'));
    makeButton($(`#${prefix}-btn-${property}-add`), name('addNewConfig'));
  }
}

function makeButton(link: JQuery, name: string): void {
  link.attr({ role: 'button', tabindex: '0', 'aria-label': name }).on('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    link.trigger('click');
  });
}

/** Shows by each field what its validator says, whenever something in the dialogue changes. */
function showProblems(node: EditorNode, prefix: string): void {
  const properties = Object.entries({ ...node._def.defaults, ...node._def.credentials });
  const follow = (): void => {
    for (const [name, { validate }] of properties) {
      const field = $(`#${prefix}-${name}`);
      if (!validate || field.length === 0) continue;
      const value: unknown = field.attr('type') === 'checkbox' ? field.prop('checked') : field.val();
      showProblem(field, isEnvironment(value) ? true : validate.call(node, value as never, { label: '' }));
    }
  };
  // Node-RED triggers a change of every field when the dialogue is ready.
  formOf(prefix).on('input change', follow);
}

/** Node-RED takes the name of an environment variable for any value. */
function isEnvironment(value: unknown): boolean {
  return typeof value === 'string' && /^\$(?:\([a-zA-Z_]\w*\)|\{[a-zA-Z_]\w*\})$/.test(value);
}

/** Shows by a field what is wrong with it, and unfolds what it stands in; true: nothing is wrong. */
export function showProblem(field: JQuery, verdictOnField: true | string): void {
  const problem = verdictOnField === true ? '' : verdictOnField;
  const input = shownInput(field);
  // Beside the field, or beside what holds it together with its unit.
  const control = field.parentsUntil('.form-row, .s3-batch-row').last();
  const row = (control.length > 0 ? control : field).parent();
  let place = field.data('s3-batch-problem') as JQuery | undefined;
  if (!place) {
    if (problem === '') return;
    place = $('<div class="s3-batch-problem" aria-live="polite">').attr(
      'id',
      `s3-batch-problem-${++problems}`,
    );
    field.data('s3-batch-problem', place);
    const next = (control.length > 0 ? control : field).nextAll('.s3-batch-hint').first();
    if (next.length > 0) next.before(place);
    else row.append(place);
  }
  // What is read out is not to be read out again.
  if (place.text() !== problem) place.text(problem);
  input.attr('aria-invalid', problem === '' ? null : 'true');
  const hints = (input.attr('aria-describedby') ?? '')
    .split(' ')
    .filter((id) => id !== '' && id !== place.attr('id'));
  if (problem !== '') hints.push(place.attr('id') ?? '');
  input.attr('aria-describedby', hints.length > 0 ? hints.join(' ') : null);
  if (problem !== '') field.parents('details').attr('open', '');
}

/** Problems that have been shown since the editor was loaded: each has an id. */
let problems = 0;

/** The element that takes the text of a field: Node-RED puts another one in the place of a typed input. */
function shownInput(field: JQuery): JQuery {
  const shown = field.next('.red-ui-typedInput-container').find('.red-ui-typedInput-input');
  return shown.length > 0 ? shown : field;
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
