(() => {
  interface BucketRow {
    topic: string;
    bucket: string;
  }
  interface Properties {
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

  const OF_BATCH = ['partition', 'first', 'last', 'count', 'batch', 'instance', 'extension'];
  const LEVEL_NAME = /^[\p{L}\p{N}][\p{L}\p{N}_.-]*$/u;
  const RESERVED_NAMES = ['topic', 'time', 'payload', ...OF_BATCH];
  const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_-]*$/u;
  const FIXED_FORMATS = ['iso', 'epoch-s', 'epoch-ms'];
  const TIME_UNIT =
    /^(?:y|yy|y{4}|y{6}|M{1,4}|L{1,4}|dd?|o|ooo|HH?|hh?|mm?|ss?|S|SSS|u|a|k{4}|WW?|E|EEE|E{4}|c|ccc|c{4}|Z{1,3})$/;
  const PATH =
    /^(?:[^.[\]"'\s{}]+|\[(?:\d+|"(?:[^"\\]|\\.)*")\])(?:\.[^.[\]"'\s{}]+|\[(?:\d+|"(?:[^"\\]|\\.)*")\])*$/;

  /** Id of the layout whose dialogue is open: its other settings are those in the form. */
  let editing = '';

  function setting(layout: Layout, property: keyof Properties): string {
    const value = editing === layout.id ? $(`#node-config-input-${property}`).val() : layout[property];
    return typeof value === 'string' ? value : '';
  }

  /** The names of a pattern's levels, or which text of the catalogue tells what is wrong with it. */
  function readPattern(pattern: string): { names: string[]; problem?: string } {
    const wrong = (problem: string) => ({ names: [], problem });
    const levels = pattern === '' ? [] : pattern.split('/');
    const names: string[] = [];
    const rest = levels[levels.length - 1]?.startsWith('#') ? levels.pop() : undefined;
    const likeMqtt = levels.some((level) => level.startsWith('+'));
    for (const level of levels) {
      if (/^".*"$/.test(level)) continue;
      if (level.includes('#')) return wrong('topicHash');
      if (!likeMqtt) names.push(level);
      else if (level.startsWith('+')) {
        if (level !== '+') names.push(level.slice(1));
      } else if (level.includes('+')) return wrong('topicPlus');
    }
    if (rest !== undefined && rest !== '#') names.push(rest.slice(1));
    if (!names.every((name) => LEVEL_NAME.test(name))) return wrong('topicName');
    if (names.some((name) => RESERVED_NAMES.includes(name) || name.startsWith('payload.'))) {
      return wrong('topicReserved');
    }
    return new Set(names).size === names.length ? { names } : wrong('topicTwice');
  }

  /** What a key calls the time. */
  function timeName(source: string, field: string): string {
    const last = source === 'field' ? (field.split('.').pop() ?? '') : '';
    return PLAIN_NAME.test(last) && last !== 'topic' && last !== 'payload' ? last : 'time';
  }

  function defaultKey(names: string[], compressedLevel: string, time: string): string {
    const parts = names.filter((name) => name !== compressedLevel);
    return [...(parts.length > 0 ? parts : ['topic']), time].join('/');
  }

  function isTopicFilter(filter: string): boolean {
    return /^(?:#|(?:\+|[^+#/]*)(?:\/(?:\+|[^+#/]*))*(?:\/#)?)$/.test(filter) && filter !== '';
  }

  function isBucketName(name: string): boolean {
    const isReserved =
      /^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$|^\d+\.\d+\.\d+\.\d+$/;
    return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !isReserved.test(name);
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

  function isOfRecord(variable: string, names: string[]): boolean {
    return names.includes(variable) || variable === 'topic' || /^payload(?:\.[^.\s]|\[)/.test(variable);
  }

  /** Which text of the catalogue tells what is wrong with a row; undefined when nothing is. */
  function rowProblem({ topic, bucket }: BucketRow, names: string[]): 'rowTopic' | 'rowBucket' | undefined {
    if (!isTopicFilter(topic)) return 'rowTopic';
    const template = readTemplate(bucket);
    if (!template?.variables.every((name) => isOfRecord(name, names))) return 'rowBucket';
    if (template.variables.length === 0) return isBucketName(bucket) ? undefined : 'rowBucket';
    return /^[A-Za-z0-9./-]*$/.test(template.text) ? undefined : 'rowBucket';
  }

  function isTimePattern(pattern: string): boolean {
    const units = pattern.replace(/'[^']*'?/g, ' ').match(/([A-Za-z])\1*/g) ?? [];
    return units.every((unit) => TIME_UNIT.test(unit)) && units.some((unit) => /^[yk]/.test(unit));
  }

  function isTimeZone(zone: string): boolean {
    if (/^utc(?:[+-]\d{1,2}(?::\d\d)?)?$/i.test(zone)) return true;
    try {
      return zone !== '' && Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
    } catch {
      return false;
    }
  }

  /** A validator that answers the text of a problem, if there is one. What a flow file leaves out has its default. */
  function checked<Value>(
    property: keyof Properties,
    find: (value: Value, layout: Layout) => string | undefined,
  ) {
    return function (this: Layout, value: Value | undefined, { label }: ValidationOptions): true | string {
      const problem = value === undefined ? undefined : find(value, this);
      if (problem === undefined) return true;
      return `${label ?? this._(`archive-layout.label.${property}`)}: ${this._(`archive-layout.invalid.${problem}`)}`;
    };
  }

  function ofField(problem: string, isRight: (value: string) => boolean) {
    return (value: string, layout: Layout): string | undefined =>
      setting(layout, 'timeSource') !== 'field' || isRight(value) ? undefined : problem;
  }

  function keyProblem(key: string, layout: Layout): string | undefined {
    const { names } = readPattern(setting(layout, 'topic'));
    const field = setting(layout, 'timeField');
    const times = ['time', timeName(setting(layout, 'timeSource'), field), field, `payload.${field}`];
    // Names in brackets may hold slashes: those are left to the runtime.
    const parts = key === '' || key.includes('[') ? [] : key.split('/');
    const isTime = (part: string): boolean => part !== '' && times.includes(part) && !names.includes(part);
    if (!parts.every((part) => isTime(part) || isOfRecord(part, names))) return 'key';
    const isOnce = (isOne: (part: string) => boolean): boolean => parts.filter(isOne).length <= 1;
    return isOnce(isTime) && isOnce((part) => part === 'topic') ? undefined : 'keyTwice';
  }

  function objectNameProblem(template: string, layout: Layout): string | undefined {
    const { names } = readPattern(setting(layout, 'topic'));
    const read = readTemplate(template);
    if (!read) return 'template';
    if (!read.variables.includes('batch')) return 'objectNameBatch';
    const isKnown = (name: string): boolean =>
      OF_BATCH.includes(name) || /^(?:first|last)\s/.test(name) || isOfRecord(name, names);
    if (!read.variables.every(isKnown)) return 'objectNameVariable';
    return /(?:^|\/)\.{0,2}(?:\/|$)/.test(read.text) ? 'objectNameSlashes' : undefined;
  }

  /** Shows names as code, separated by spaces. */
  function showNames(target: JQuery, names: string[]): void {
    target.empty();
    for (const name of names) target.append($('<code>').text(name), ' ');
  }

  function prepareBuckets(layout: Layout, names: () => string[]): void {
    const list = $('#archive-layout-buckets');
    const check = (row: JQuery): void => {
      const [topic, bucket] = rowInputs(row);
      const value = { topic: String(topic.val()), bucket: String(bucket.val()) };
      const isBlank = value.topic === '' && value.bucket === '';
      const problem = isBlank ? undefined : rowProblem(value, names());
      topic.toggleClass('input-error', problem === 'rowTopic');
      bucket.toggleClass('input-error', problem === 'rowBucket');
      row.attr('title', problem ? layout._(`archive-layout.invalid.${problem}`) : null);
    };
    list.editableList<Partial<BucketRow>>({
      addItem: (row, _index, { topic = '', bucket = '' }) => {
        const input = (kind: 'topic' | 'bucket', value: string): JQuery =>
          $('<input type="text" spellcheck="false">')
            .addClass(`archive-layout-row-${kind}`)
            .attr('placeholder', layout._(`archive-layout.placeholder.${kind}`))
            .attr('aria-label', layout._(`archive-layout.label.row-${kind}`))
            .val(value)
            .on('input', () => {
              check(row);
            });
        row.addClass('s3-batch-row');
        row.append(input('topic', topic), '<i class="fa fa-long-arrow-right"></i>', input('bucket', bucket));
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

  function rowInputs(row: JQuery): [topic: JQuery, bucket: JQuery] {
    return [row.find('.archive-layout-row-topic'), row.find('.archive-layout-row-bucket')];
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
      showNames($('#archive-layout-name-variables'), [...OF_BATCH, ...ofRecord].map(inBraces));
      const time = timeName(setting(layout, 'timeSource'), setting(layout, 'timeField'));
      showNames($('#archive-layout-key-parts'), [...ofRecord, time]);
      $('#node-config-input-key').attr(
        'placeholder',
        defaultKey(names, setting(layout, 'compressedLevel'), time),
      );
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
      name: { value: '' },
      topic: { value: '', validate: checked('topic', (pattern: string) => readPattern(pattern).problem) },
      compressedLevel: { value: 'COMPRESSED' },
      decompress: { value: true },
      decompressLimit: {
        value: 4,
        validate: checked('decompressLimit', (value: number | string) =>
          value === '' || Number(value) > 0 ? undefined : 'decompressLimit',
        ),
      },
      timeSource: { value: 'arrival' },
      timeField: {
        value: '',
        validate: checked(
          'timeField',
          ofField('timeField', (field) => PATH.test(field)),
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
    levelNames: (pattern) => readPattern(pattern).names,
    oneditprepare() {
      editing = this.id;
      for (const [property, first] of [
        ['timeSource', 'arrival'],
        ['partition', 'day'],
      ] as const) {
        const select = $(`#node-config-input-${property}`);
        if (!select.val()) select.val(first);
      }
      prepareTime();
      prepareHints(this);
      prepareBuckets(this, () => readPattern(setting(this, 'topic')).names);
      const decompress = $('#node-config-input-decompress');
      decompress.on('change', () => {
        $('.archive-layout-decompress').toggle(decompress.prop('checked') === true);
      });
    },
    oneditsave() {
      const rows = $('#archive-layout-buckets').editableList('items').toArray();
      this.buckets = rows
        .map((row) => rowInputs($(row)).map((input) => String(input.val()).trim()))
        .map(([topic = '', bucket = '']) => ({ topic, bucket }))
        .filter(({ topic, bucket }) => topic !== '' || bucket !== '');
      editing = '';
    },
    oneditcancel() {
      editing = '';
    },
    oneditdelete() {
      editing = '';
    },
  });
})();
