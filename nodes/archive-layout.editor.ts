import { isBucketName } from '../lib/layout/bucket-rules';
import { fieldPathText, parseFieldPath } from '../lib/layout/field-path';
import { defaultParts, namesOfTime, splitParts, TIME } from '../lib/layout/key-parts';
import type { LayoutSettings } from '../lib/layout/settings';
import { patternTokens, unknownToken } from '../lib/layout/time-pattern';
import { TopicFilter } from '../lib/layout/topic-filter';
import { patternLevels } from '../lib/layout/topic-pattern';
import { BATCH_VARIABLES, payloadName, Variables } from '../lib/layout/variables';
import { complete } from './common/complete.editor';
import { nameCompletions, partCompletions, templateCompletions } from './common/completions';
import {
  beginDialogue,
  versionProperty,
  checked,
  isInDialogue,
  numberWithin,
  showProblem,
} from './common/dialogue.editor';
import { preparePreview, sampleFields } from './common/preview.editor';

interface BucketRow {
  topic: string;
  bucket: string;
}
interface Properties {
  version: number | string;
  name: string;
  topic: string;
  compressedLevel: string;
  decompress: boolean;
  decompressLimit: number | string;
  timeSource: 'arrival' | 'field';
  timeField: string;
  timeFormat: string;
  timeZone: string;
  key: string;
  buckets: BucketRow[];
  unmatchedBucket: string;
  partition: 'none' | 'hour' | 'day' | 'month';
  objectName: string;
}
type Layout = EditorNode & Properties;
/** What browsers know since 2022. */
interface ZoneList {
  supportedValuesOf?(key: 'timeZone'): string[];
}

const FIXED_FORMATS = ['iso', 'epoch-s', 'epoch-ms'];

function setting(layout: Layout, property: keyof Properties): string {
  const value = isInDialogue(layout) ? $(`#node-config-input-${property}`).val() : layout[property];
  return typeof value === 'string' ? value : '';
}

const TOPIC_PROBLEMS = {
  hash: 'topicHash',
  plus: 'topicPlus',
  name: 'topicName',
  reserved: 'topicReserved',
  twice: 'topicTwice',
} as const;

/** The names of a pattern's levels, or which text of the catalogue tells what is wrong with it. */
function readPattern(pattern: string): { names: readonly string[]; problem?: string } {
  const levels = patternLevels(pattern);
  return 'problem' in levels ? { names: [], problem: TOPIC_PROBLEMS[levels.problem] } : levels;
}

/** What decides how keys call the time. */
function timeSettings(layout: Layout): Pick<LayoutSettings, 'time'> {
  const field = setting(layout, 'timeField');
  const isOfField = setting(layout, 'timeSource') === 'field';
  return { time: isOfField ? { source: 'field', field, format: '', zone: '' } : { source: 'arrival' } };
}

/** The variables of a template and its text with x for each; undefined when it is none of plain variables. */
function readTemplate(template: string): { variables: string[]; text: string } | undefined {
  const variables: string[] = [];
  const text = template.replace(/\{\{\{([^{}]+)\}\}\}|\{\{([^{}]+)\}\}/g, (_tag, ...groups: string[]) => {
    variables.push((groups[0] ?? groups[1] ?? '').replace(/^&/, '').trim());
    return 'x';
  });
  const isPlain = variables.every((name) => name !== '' && !/^[#^/!>=]/.test(name));
  return isPlain && !text.includes('{{') ? { variables, text } : undefined;
}

function isOfRecord(variable: string, names: readonly string[]): boolean {
  return new Variables(names).find(variable) !== undefined;
}

/** Which text of the catalogue tells what is wrong with a row; undefined when nothing is. */
function rowProblem(
  { topic, bucket }: BucketRow,
  names: readonly string[],
): 'rowTopic' | 'rowBucket' | undefined {
  if (TopicFilter.parse(topic) === undefined) return 'rowTopic';
  const template = readTemplate(bucket);
  if (!template?.variables.every((name) => isOfRecord(name, names))) return 'rowBucket';
  if (template.variables.length === 0) return isBucketName(bucket) ? undefined : 'rowBucket';
  return /^[A-Za-z0-9./-]*$/.test(template.text) ? undefined : 'rowBucket';
}

function isTimePattern(pattern: string): boolean {
  const tokens = patternTokens(pattern);
  const tellsYear = tokens.some(({ text, literal }) => !literal && /^[yk]/.test(text));
  return tellsYear && unknownToken(tokens) === undefined;
}

function isTimeZone(zone: string): boolean {
  if (/^utc(?:[+-]\d{1,2}(?::\d\d)?)?$/i.test(zone)) return true;
  try {
    return zone !== '' && Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}

function ofField(problem: string, isRight: (value: string) => boolean) {
  return (value: string, layout: Layout): string | undefined =>
    setting(layout, 'timeSource') !== 'field' || isRight(value) ? undefined : problem;
}

function keyProblem(key: string, layout: Layout): string | undefined {
  const { names } = readPattern(setting(layout, 'topic'));
  const times = namesOfTime(timeSettings(layout)).filter((name) => !names.includes(name));
  const parts = key === '' ? [] : splitParts(key);
  if (!parts.every((part) => times.includes(part) || isOfRecord(part, names))) return 'key';
  const isTwice = (wanted: readonly string[]): boolean =>
    parts.filter((part) => wanted.includes(part)).length > 1;
  return isTwice(times) || isTwice(['topic']) ? 'keyTwice' : undefined;
}

function objectNameProblem(template: string, layout: Layout): string | undefined {
  const { names } = readPattern(setting(layout, 'topic'));
  const read = readTemplate(template);
  if (!read) return 'template';
  if (!read.variables.includes('batch')) return 'objectNameBatch';
  const isKnown = (name: string): boolean =>
    BATCH_VARIABLES.includes(name) || /^(?:first|last)\s/.test(name) || isOfRecord(name, names);
  if (!read.variables.every(isKnown)) return 'objectNameVariable';
  return /(?:^|\/)\.{0,2}(?:\/|$)/.test(read.text) ? 'objectNameSlashes' : undefined;
}

/** Shows names as code, separated by spaces. */
function showNames(target: JQuery, names: readonly string[]): void {
  target.empty();
  for (const name of names) target.append($('<code>').text(name), ' ');
}

function prepareBuckets(layout: Layout, names: () => readonly string[]): void {
  const list = $('#archive-layout-buckets');
  const check = (row: JQuery): void => {
    const [topic, bucket] = rowInputs(row);
    const value = { topic: String(topic.val()), bucket: String(bucket.val()) };
    const isBlank = value.topic === '' && value.bucket === '';
    const problem = isBlank ? undefined : rowProblem(value, names());
    for (const [input, own] of [
      [topic, 'rowTopic'],
      [bucket, 'rowBucket'],
    ] as const) {
      input.toggleClass('input-error', problem === own);
      showProblem(input, problem === own ? layout._(`archive-layout.invalid.${problem}`) : true);
    }
  };
  list.editableList<Partial<BucketRow>>({
    addItem: (row, _index, { topic = '', bucket = '' }) => {
      const input = (kind: 'topic' | 'bucket', value: string): JQuery =>
        $('<input type="text" spellcheck="false">')
          .addClass(`archive-layout-row-${kind}`)
          .attr('placeholder', layout._(`archive-layout.placeholder.${kind}`))
          .attr('aria-label', layout._(`archive-layout.label.row.${kind}`))
          .val(value)
          .on('input', () => {
            check(row);
          });
      row.addClass('s3-batch-row');
      const bucketInput = input('bucket', bucket);
      row.append(input('topic', topic), '<i class="fa fa-long-arrow-right"></i>', bucketInput);
      complete(bucketInput, (text, caret) => templateCompletions(text, caret, recordVariables(layout)));
      check(row);
    },
    sortable: true,
    removable: true,
    height: 'auto',
  });
  for (const row of Array.isArray(layout.buckets) ? layout.buckets : []) list.editableList('addItem', row);
  $('#node-config-input-topic').on('input', () => {
    list.editableList('items').each((_index, row) => {
      check($(row));
    });
  });
}

function readBuckets(): BucketRow[] {
  const rows = $('#archive-layout-buckets').editableList('items').toArray();
  return rows
    .map((row) => rowInputs($(row)).map((input) => String(input.val()).trim()))
    .map(([topic = '', bucket = '']) => ({ topic, bucket }))
    .filter(({ topic, bucket }) => topic !== '' || bucket !== '');
}

function rowInputs(row: JQuery): [topic: JQuery, bucket: JQuery] {
  return [row.find('.archive-layout-row-topic'), row.find('.archive-layout-row-bucket')];
}

/** Variables with a value for every record, as far as topic pattern and sample tell them. */
function recordVariables(layout: Layout): string[] {
  const { names } = readPattern(setting(layout, 'topic'));
  return [...names, 'topic', ...sampleFields().map(payloadName)];
}

/** Lets templates, key and time field complete what is typed. */
function prepareCompletions(layout: Layout): void {
  const field = (property: keyof Properties): JQuery => $(`#node-config-input-${property}`);
  complete(field('objectName'), (text, caret) =>
    templateCompletions(text, caret, [...BATCH_VARIABLES, ...recordVariables(layout)]),
  );
  complete(field('key'), (text, caret) => {
    const [time = TIME] = namesOfTime(timeSettings(layout));
    return partCompletions(text, caret, [...recordVariables(layout), time]);
  });
  complete(field('timeField'), (text) => nameCompletions(text, sampleFields().map(fieldPathText)));
}

/** All settings as the form has them, saved or not. */
function formSettings(layout: Layout): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(layout._def.defaults)) {
    const field = $(`#node-config-input-${name}`);
    settings[name] = field.attr('type') === 'checkbox' ? field.prop('checked') : field.val();
  }
  return { ...settings, buckets: readBuckets() };
}

/** Keeps the hints in step with what is written. */
function prepareHints(layout: Layout): void {
  const follow = (): void => {
    const { names, problem } = readPattern(setting(layout, 'topic'));
    const levels = $('#archive-layout-levels');
    if (problem) levels.text(layout._(`archive-layout.invalid.${problem}`));
    else if (names.length === 0) levels.text(layout._('archive-layout.hint.noLevels'));
    else {
      showNames(levels, names);
      levels.prepend(document.createTextNode(`${layout._('archive-layout.hint.levels')} `));
    }

    const ofRecord = [...names, 'topic', 'payload.FIELD'];
    const inBraces = (name: string): string => `{{${name}}}`;
    showNames($('#archive-layout-bucket-variables'), ofRecord.map(inBraces));
    showNames($('#archive-layout-name-variables'), [...BATCH_VARIABLES, ...ofRecord].map(inBraces));
    const [time = TIME] = namesOfTime(timeSettings(layout));
    showNames($('#archive-layout-key-parts'), [...ofRecord, time]);
    const parts = defaultParts({ compressedLevel: setting(layout, 'compressedLevel') }, names);
    $('#node-config-input-key').attr('placeholder', [...parts.slice(0, -1), time].join('/'));
  };
  const sources = ['topic', 'timeSource', 'timeField', 'compressedLevel'] as const;
  $(sources.map((property) => `#node-config-input-${property}`).join()).on('input change', follow);
  follow();
}

function prepareTime(): void {
  const source = $('#node-config-input-timeSource');
  const format = $('#node-config-input-timeFormat');
  const kind = $('#archive-layout-timeFormat');
  const written = String(format.val());
  kind.val(written === '' ? 'iso' : FIXED_FORMATS.includes(written) ? written : 'pattern');
  const follow = (): void => {
    const ofField = source.val() === 'field';
    $('.archive-layout-field').toggle(ofField);
    $('.archive-layout-pattern').toggle(ofField && kind.val() === 'pattern');
    $('.archive-layout-zone').toggle(ofField && !String(kind.val()).startsWith('epoch'));
  };
  source.on('change', follow);
  kind.on('change', () => {
    const chosen = String(kind.val());
    if (chosen !== 'pattern') format.val(chosen);
    else if (FIXED_FORMATS.includes(String(format.val()))) format.val('');
    format.trigger('change');
    follow();
  });
  if (written === '') format.val('iso');
  const zones = (Intl as ZoneList).supportedValuesOf?.('timeZone') ?? [];
  for (const zone of ['UTC', ...zones]) {
    $('<option>').val(zone).appendTo('#archive-layout-zones');
  }
  follow();
}

RED.nodes.registerType<Properties>('archive-layout', {
  category: 'config',
  defaults: {
    version: versionProperty('archive-layout'),
    name: { value: '' },
    topic: { value: '', validate: checked('topic', (pattern: string) => readPattern(pattern).problem) },
    compressedLevel: { value: 'COMPRESSED' },
    decompress: { value: true },
    decompressLimit: {
      value: 4,
      validate: checked('decompressLimit', numberWithin('decompressLimit', { least: 0.001 })),
    },
    timeSource: { value: 'arrival' },
    timeField: {
      value: '',
      validate: checked(
        'timeField',
        ofField('timeField', (field) => parseFieldPath(field) !== undefined),
      ),
    },
    timeFormat: {
      value: 'iso',
      validate: checked(
        'timeFormat',
        ofField('timePattern', (format) => FIXED_FORMATS.includes(format) || isTimePattern(format)),
      ),
    },
    timeZone: { value: 'UTC', validate: checked('timeZone', ofField('timeZone', isTimeZone)) },
    key: { value: '', validate: checked('key', keyProblem) },
    buckets: {
      value: [],
      validate: checked('buckets', (rows: BucketRow[], layout: Layout) => {
        const { names } = readPattern(setting(layout, 'topic'));
        return rows.map((row) => rowProblem(row, names)).find((problem) => problem !== undefined);
      }),
    },
    unmatchedBucket: {
      value: 'unmatched',
      validate: checked('unmatchedBucket', (name: string) =>
        isBucketName(name) ? undefined : 'unmatchedBucket',
      ),
    },
    partition: { value: 'day' },
    objectName: {
      value: '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
      validate: checked('objectName', objectNameProblem),
    },
  },
  label() {
    return this.name || this.topic || this._('archive-layout.unnamed');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const shown = beginDialogue(this, 'node-config-input');
    prepareTime();
    prepareHints(this);
    prepareBuckets(shown, () => readPattern(setting(this, 'topic')).names);
    prepareCompletions(this);
    preparePreview('archive-layout', { layout: () => this.id, settings: () => formSettings(this) });
    const decompress = $('#node-config-input-decompress');
    decompress.on('change', () => {
      $('.archive-layout-decompress').toggle(decompress.prop('checked') === true);
    });
  },
  oneditsave() {
    this.buckets = readBuckets();
  },
});
