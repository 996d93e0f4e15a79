(() => {
  interface Properties {
    name: string;
    connection: string;
    payload: 'auto' | 'buffer' | 'string' | 'json';
    output: 'messages' | 'array';
    dropDuplicates: boolean;
    gap: number | string;
    parallel: number | string;
  }
  type RangeIn = EditorNode & Properties;

  /** A number that may be blank, which stands for its default. */
  function number(property: 'gap' | 'parallel', { least, whole }: { least: number; whole: boolean }) {
    return function (
      this: RangeIn,
      value: number | string | undefined,
      { label }: ValidationOptions,
    ): true | string {
      const given = Number(value);
      if (value === undefined || value === '') return true;
      if (given >= least && given < Infinity && (!whole || Number.isInteger(given))) return true;
      return `${label ?? this._(`s3-range-in.label.${property}`)}: ${this._(`s3-range-in.invalid.${property}`)}`;
    };
  }

  /** Which text of the catalogue tells what is wrong with the chosen connection. */
  function checkConnection(
    this: RangeIn,
    id: string | undefined,
    { label }: ValidationOptions,
  ): true | string {
    const chosen = id && id !== '_ADD_' ? RED.nodes.node(id) : undefined;
    if (chosen && chosen.valid !== false) return true;
    const problem = chosen === undefined ? 'blank' : chosen ? 'wrong' : 'gone';
    return `${label ?? this._('s3-range-in.label.connection')}: ${this._(`s3-range-in.invalid.${problem}`)}`;
  }

  RED.nodes.registerType<Properties>('s3-range-in', {
    category: 's3 batch',
    color: '#a9d8cd',
    icon: 's3-range-in.svg',
    inputs: 1,
    outputs: 1,
    paletteLabel: 's3 range in',
    defaults: {
      name: { value: '' },
      connection: { value: '', type: 's3-connection', validate: checkConnection },
      payload: { value: 'auto' },
      output: { value: 'messages' },
      dropDuplicates: { value: false },
      gap: { value: 1024, validate: number('gap', { least: 0, whole: false }) },
      parallel: { value: 8, validate: number('parallel', { least: 1, whole: true }) },
    },
    label() {
      return this.name || 's3-range-in';
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    outputLabels() {
      return this._(`s3-range-in.output.${this.output === 'array' ? 'array' : 'messages'}`);
    },
    oneditprepare() {
      for (const [property, first] of [
        ['payload', 'auto'],
        ['output', 'messages'],
      ] as const) {
        const select = $(`#node-input-${property}`);
        if (!select.val()) select.val(first);
      }
      const output = $('#node-input-output');
      output.on('change', () => {
        $('#s3-range-in-output-hint').text(this._(`s3-range-in.hint.${String(output.val())}`));
      });
    },
  });
})();
