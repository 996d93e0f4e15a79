(() => {
  interface Properties {
    name: string;
    broker: string;
    topic: string;
    qos: '1' | '2';
    clientId: string;
    datatype: string;
    acknowledge: 'journaled' | 'stored';
    window: number | string;
    sessionExpiry: number | string;
    timeLimit: number | string;
  }
  type AckIn = EditorNode & Properties;

  /** The largest number in two bytes, and in four. */
  const MOST_MESSAGES = 0xffff;
  const LONGEST_EXPIRY = 0xffffffff;
  /** The largest delay of a timer, in seconds. */
  const LONGEST = 2_147_483;

  function problemWith(
    node: AckIn,
    property: keyof Properties,
    label: string | undefined,
    text: string,
  ): string {
    return `${label ?? node._(`mqtt-ack-in.label.${property}`)}: ${text}`;
  }

  /** A whole number that may be blank, which stands for its default. */
  function wholeNumber(property: keyof Properties, least: number, most: number) {
    return function (
      this: AckIn,
      value: number | string | undefined,
      { label }: ValidationOptions,
    ): true | string {
      if (value === undefined || value === '') return true;
      const given = Number(value);
      if (Number.isInteger(given) && given >= least && given <= most) return true;
      const text = this._('mqtt-ack-in.invalid.whole', { least, most: most.toLocaleString('en') });
      return problemWith(this, property, label, text);
    };
  }

  function isTopicFilter(filter: string): boolean {
    const own = filter.replace(/^\$share\/[^#+/]+\/(?=.)/, '');
    return (
      own !== '' &&
      !own.startsWith('$share/') &&
      /^(?:#|(?:\+|[^+#/]*)(?:\/(?:\+|[^+#/]*))*(?:\/#)?)$/.test(own)
    );
  }

  function prepareHints(node: AckIn): void {
    const acknowledge = $('#node-input-acknowledge');
    const follow = (): void => {
      $('#mqtt-ack-in-acknowledge-hint').text(node._(`mqtt-ack-in.hint.${String(acknowledge.val())}`));
    };
    acknowledge.on('change', follow);
    follow();
  }

  RED.nodes.registerType<Properties>('mqtt-ack-in', {
    category: 's3 batch',
    color: '#8cc6b8',
    icon: 'mqtt-ack-in.svg',
    inputs: 1,
    outputs: 1,
    paletteLabel: 'mqtt ack in',
    defaults: {
      name: { value: '' },
      broker: {
        value: '',
        type: 'mqtt-broker',
        validate(id: string | undefined, { label }) {
          const chosen = id && id !== '_ADD_' ? RED.nodes.node(id) : undefined;
          if (chosen && chosen.valid !== false) return true;
          const problem = chosen === undefined ? 'blank' : chosen ? 'wrong' : 'gone';
          return problemWith(this, 'broker', label, this._(`mqtt-ack-in.invalid.${problem}`));
        },
      },
      topic: {
        value: '',
        validate(filter: string | undefined, { label }) {
          if (filter !== undefined && isTopicFilter(filter.trim())) return true;
          return problemWith(this, 'topic', label, this._('mqtt-ack-in.invalid.topic'));
        },
      },
      qos: { value: '1' },
      clientId: { value: '' },
      datatype: { value: 'buffer' },
      acknowledge: { value: 'journaled' },
      window: { value: 20, validate: wholeNumber('window', 1, MOST_MESSAGES) },
      sessionExpiry: { value: 86400, validate: wholeNumber('sessionExpiry', 0, LONGEST_EXPIRY) },
      timeLimit: { value: 600, validate: wholeNumber('timeLimit', 1, LONGEST) },
    },
    label() {
      return this.name || this.topic || 'mqtt-ack-in';
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    outputLabels() {
      return this._('mqtt-ack-in.output');
    },
    oneditprepare() {
      for (const [property, first] of [
        ['qos', '1'],
        ['datatype', 'buffer'],
        ['acknowledge', 'journaled'],
      ] as const) {
        const select = $(`#node-input-${property}`);
        if (!select.val()) select.val(first);
      }
      $('#node-input-clientId').attr('placeholder', `s3-batch-${this.id}`);
      prepareHints(this);
    },
  });
})();
