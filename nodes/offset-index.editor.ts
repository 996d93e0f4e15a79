import { patternLevels } from '../lib/layout/topic-pattern';
import { prepareBrowse } from './common/browse.editor';
import {
  beginDialogue,
  versionProperty,
  checked,
  paletteName,
  settingsNode,
  showProblem,
} from './common/dialogue.editor';
import { TIME_TYPES, typed, typeFields, TYPES } from './common/typed-fields.editor';

interface LevelRow {
  level: string;
  value: string;
  valueType: string;
}
interface Properties {
  version: number | string;
  name: string;
  connection: string;
  layout: string;
  bucket: string;
  bucketType: string;
  key: string;
  keyType: string;
  levels: LevelRow[];
  from: string;
  fromType: string;
  to: string;
  toType: string;
  series: string;
  seriesType: string;
  keyPrefix: string;
  keyPrefixType: string;
  planOnly: boolean;
  dropDuplicates: boolean;
  output: 'message' | 'objects';
}
type OffsetIndex = EditorNode & Properties;

/** Names of the levels in the topic pattern of a layout. */
function levelNames(layout: string): readonly string[] {
  const chosen = RED.nodes.node(layout) as { topic?: string } | null;
  const levels = patternLevels(chosen?.topic ?? '');
  return 'names' in levels ? levels.names : [];
}

/** Marks the levels that the chosen layout does not have. */
function checkLevels(node: OffsetIndex): void {
  const names = levelNames(String($('#node-input-layout').val()));
  $('#offset-index-levels .offset-index-level').each((_index, element) => {
    const input = $(element);
    const isRight = input.val() === '' || names.includes(String(input.val()).trim());
    input.toggleClass('input-error', !isRight);
    showProblem(input, isRight ? true : node._('offset-index.invalid.levels'));
  });
}

function prepareLevels(node: OffsetIndex): void {
  const list = $('#offset-index-levels');
  list.editableList<Partial<LevelRow>>({
    addItem: (row, _index, { level = '', value = '', valueType = 'str' }) => {
      const name = $('<input type="text" class="offset-index-level" list="offset-index-level-names">')
        .attr('spellcheck', 'false')
        .attr('placeholder', node._('offset-index.placeholder.level'))
        .attr('aria-label', node._('offset-index.label.level'))
        .val(level)
        .on('input', () => {
          checkLevels(node);
        });
      const wanted = $('<input type="text" class="offset-index-value" style="width: 100%">');
      row.addClass('s3-batch-row').append(name, '<span>=</span>', wanted);
      wanted.typedInput({ default: 'str', types: [...TYPES] });
      wanted.typedInput('type', valueType);
      wanted.typedInput('value', value);
      const shown = row.find('.red-ui-typedInput-input');
      shown.attr('aria-label', node._('offset-index.label.value'));
    },
    removable: true,
    height: 'auto',
  });
  for (const row of Array.isArray(node.levels) ? node.levels : []) list.editableList('addItem', row);
}

/** Offers the level names of the layout that is chosen. */
function followLayout(node: OffsetIndex): void {
  const names = levelNames(String($('#node-input-layout').val()));
  checkLevels(node);
  const options = $('#offset-index-level-names').empty();
  const hint = $('#offset-index-levels-hint').empty();
  if (names.length === 0) {
    hint.text(node._('offset-index.hint.noLevels'));
    return;
  }
  hint.text(`${node._('offset-index.hint.levels')} `);
  for (const name of names) {
    $('<option>').val(name).appendTo(options);
    hint.append($('<code>').text(name), ' ');
  }
}

function readLevels(): LevelRow[] {
  const rows = $('#offset-index-levels').editableList('items').toArray();
  return rows
    .map((element) => {
      const value = $(element).find('.offset-index-value');
      return {
        level: String($(element).find('.offset-index-level').val()).trim(),
        value: value.typedInput('value'),
        valueType: value.typedInput('type'),
      };
    })
    .filter(({ level }) => level !== '');
}

RED.nodes.registerType<Properties>('offset-index', {
  category: 's3 batch',
  color: '#a9d8cd',
  icon: 'offset-index.svg',
  inputs: 1,
  outputs: 1,
  paletteLabel: paletteName('offset-index'),
  defaults: {
    version: versionProperty('offset-index'),
    name: { value: '' },
    connection: {
      value: '',
      type: 's3-connection',
      validate: settingsNode('connection', { isNeeded: true }),
    },
    layout: { value: '', type: 'archive-layout', validate: settingsNode('layout', { isNeeded: false }) },
    bucket: { value: 'bucket', validate: typed('bucket') },
    bucketType: { value: 'msg' },
    key: { value: 'key', validate: typed('key') },
    keyType: { value: 'msg' },
    levels: {
      value: [],
      validate: checked('levels', (rows: LevelRow[], { layout }: OffsetIndex) => {
        const names = levelNames(layout);
        return rows.every(({ level }) => names.includes(level)) ? undefined : 'levels';
      }),
    },
    from: { value: 'from', validate: typed('from') },
    fromType: { value: 'msg' },
    to: { value: 'to', validate: typed('to') },
    toType: { value: 'msg' },
    series: { value: '', validate: typed('series') },
    seriesType: { value: 'str' },
    keyPrefix: { value: '', validate: typed('keyPrefix') },
    keyPrefixType: { value: 'str' },
    planOnly: { value: false },
    dropDuplicates: { value: false },
    output: { value: 'message' },
  },
  label() {
    return this.name || 'offset-index';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels() {
    return this._('offset-index.output');
  },
  oneditprepare() {
    const { series, keyPrefix } = beginDialogue(this);
    typeFields(['bucket', 'key', 'series', 'keyPrefix']);
    typeFields(['from', 'to'], TIME_TYPES);
    prepareBrowse();
    // What is asked for must not be out of sight.
    if (series !== '' || keyPrefix !== '') $('#node-input-series').parents('details').attr('open', '');
    prepareLevels(this);
    $('#node-input-layout').on('change', () => {
      followLayout(this);
    });
    followLayout(this);
    const planOnly = $('#node-input-planOnly');
    planOnly.on('change', () => {
      $('.offset-index-output').toggle(planOnly.prop('checked') !== true);
    });
  },
  oneditsave() {
    this.levels = readLevels();
  },
});
