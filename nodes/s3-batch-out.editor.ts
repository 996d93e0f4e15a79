(() => {
  interface Properties {
    name: string;
    connection: string;
    layout: string;
    count: number | string;
    bytes: number | string;
    age: number | string;
    idle: number | string;
    framing: 'newline' | 'length' | 'none';
    compression: 'gzip' | 'none';
    flushTopic: string;
    completion: 'batched' | 'journaled' | 'stored';
    journal: boolean;
    journalFolder: string;
    commitMs: number | string;
    commitRecords: number | string;
    controlTopic: string;
    uploads: number | string;
    memory: number | string;
    instance: string;
    blockSize: number | string;
  }
  type BatchOut = EditorNode & Properties;

  const OUTPUTS = ['stored', 'ledger', 'announcements'];
  const DEFAULT_COUNT = 10000;
  /** Longest age and idle time that a timer takes, in seconds. */
  const LONGEST = 2_147_483;

  function problemWith(
    node: BatchOut,
    property: keyof Properties,
    label: string | undefined,
    text: string,
  ): string {
    return `${label ?? node._(`s3-batch-out.label.${property}`)}: ${text}`;
  }

  /** A number that may be blank, which stands for its default. */
  function number(
    property: keyof Properties,
    { least, most = Infinity, whole = false }: { least: number; most?: number; whole?: boolean },
  ) {
    return function (
      this: BatchOut,
      value: number | string | undefined,
      { label }: ValidationOptions,
    ): true | string {
      if (value === undefined || value === '') return true;
      const given = Number(value);
      if (given >= least && given <= most && (!whole || Number.isInteger(given))) return true;
      const text = this._(`s3-batch-out.invalid.${whole ? 'whole' : 'number'}`, { least });
      return problemWith(this, property, label, text);
    };
  }

  function isTopicFilter(filter: string): boolean {
    return /^(?:#|(?:\+|[^+#/]*)(?:\/(?:\+|[^+#/]*))*(?:\/#)?)$/.test(filter);
  }

  function prepareHints(node: BatchOut): void {
    const completion = $('#node-input-completion');
    const framing = $('#node-input-framing');
    const count = $('#node-input-count');
    const follow = (): void => {
      const limit = count.val() === '' ? DEFAULT_COUNT : Number(count.val());
      const cost =
        limit === 0
          ? node._('s3-batch-out.hint.storedUncounted')
          : node._('s3-batch-out.hint.storedCount', { count: limit > 0 ? limit.toLocaleString('en') : '…' });
      const isKept = completion.val() === 'batched' && $('#node-input-journal').is(':checked');
      const text = node._(`s3-batch-out.hint.${isKept ? 'batchedKept' : String(completion.val())}`);
      $('#s3-batch-out-completion-hint').text(completion.val() === 'stored' ? `${text} ${cost}` : text);
      $('#s3-batch-out-framing-hint').text(node._(`s3-batch-out.hint.${String(framing.val())}`));
    };
    const journal = $('#node-input-journal');
    const followJournal = (): void => {
      const isOn = journal.is(':checked');
      $('.s3-batch-out-journal').toggle(isOn);
      completion.find('option[value=journaled]').prop('disabled', !isOn);
      if (!isOn && completion.val() === 'journaled') completion.val('stored');
      follow();
    };
    journal.on('change', followJournal);
    followJournal();
    completion.add(framing).on('change', follow);
    count.on('input', follow);
    follow();
  }

  /** A chosen connection or layout must be there and right itself. */
  function settingsNode(property: 'connection' | 'layout', { isNeeded }: { isNeeded: boolean }) {
    return function (this: BatchOut, id: string | undefined, { label }: ValidationOptions): true | string {
      const chosen = id && id !== '_ADD_' ? RED.nodes.node(id) : undefined;
      if (chosen === undefined ? !isNeeded : chosen && chosen.valid !== false) return true;
      const problem = chosen === undefined ? 'blank' : chosen ? 'wrong' : 'gone';
      return problemWith(this, property, label, this._(`s3-batch-out.invalid.${problem}`));
    };
  }

  RED.nodes.registerType<Properties>('s3-batch-out', {
    category: 's3 batch',
    color: '#8cc6b8',
    icon: 's3-batch-out.svg',
    inputs: 1,
    outputs: 3,
    paletteLabel: 's3 batch out',
    defaults: {
      name: { value: '' },
      connection: {
        value: '',
        type: 's3-connection',
        validate: settingsNode('connection', { isNeeded: true }),
      },
      layout: { value: '', type: 'archive-layout', validate: settingsNode('layout', { isNeeded: false }) },
      count: { value: 10000, validate: number('count', { least: 0, whole: true }) },
      bytes: { value: 32, validate: number('bytes', { least: 0 }) },
      age: { value: 300, validate: number('age', { least: 0, most: LONGEST }) },
      idle: { value: 0, validate: number('idle', { least: 0, most: LONGEST }) },
      framing: { value: 'newline' },
      compression: { value: 'gzip' },
      flushTopic: {
        value: '',
        validate(value: string | undefined, { label }) {
          if (value === undefined || isTopicFilter(value)) return true;
          return problemWith(this, 'flushTopic', label, this._('s3-batch-out.invalid.flushTopic'));
        },
      },
      completion: { value: 'batched' },
      journal: { value: true },
      journalFolder: { value: '' },
      commitMs: { value: 20, validate: number('commitMs', { least: 0, most: 60_000 }) },
      commitRecords: { value: 1000, validate: number('commitRecords', { least: 1, whole: true }) },
      controlTopic: {
        value: '',
        validate(value: string | undefined, { label }) {
          if (value === undefined || !/[+#]/.test(value)) return true;
          return problemWith(this, 'controlTopic', label, this._('s3-batch-out.invalid.controlTopic'));
        },
      },
      uploads: { value: 4, validate: number('uploads', { least: 1, whole: true }) },
      memory: { value: 256, validate: number('memory', { least: 1 }) },
      instance: { value: '' },
      blockSize: { value: 128, validate: number('blockSize', { least: 1 }) },
    },
    label() {
      return this.name || 's3-batch-out';
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    outputLabels(output) {
      return this._(`s3-batch-out.output.${OUTPUTS[output] ?? ''}`);
    },
    oneditprepare() {
      for (const [property, first] of [
        ['framing', 'newline'],
        ['compression', 'gzip'],
        ['completion', 'batched'],
      ] as const) {
        const select = $(`#node-input-${property}`);
        if (!select.val()) select.val(first);
      }
      prepareHints(this);
    },
  });
})();
