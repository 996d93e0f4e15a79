import {
  beginDialogue,
  versionProperty,
  checked,
  numberWithin,
  paletteName,
  settingsNode,
} from './common/dialogue.editor';

interface Properties {
  version: number | string;
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

/** The largest number in two bytes, and in four. */
const MOST_MESSAGES = 0xffff;
const LONGEST_EXPIRY = 0xffffffff;
/** The largest delay of a timer, in seconds. */
const LONGEST = 2_147_483;

/** A check of a whole number that may be blank, which stands for its default. */
function wholeNumber(least: number, most: number) {
  return numberWithin(['whole', { least, most: most.toLocaleString('en') }], { least, most, whole: true });
}

function isTopicFilter(filter: string): boolean {
  const own = filter.replace(/^\$share\/[^#+/]+\/(?=.)/, '');
  return (
    own !== '' &&
    !own.startsWith('$share/') &&
    /^(?:#|(?:\+|[^+#/]*)(?:\/(?:\+|[^+#/]*))*(?:\/#)?)$/.test(own)
  );
}

function prepareHints(node: EditorNode): void {
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
  paletteLabel: paletteName('mqtt-ack-in'),
  defaults: {
    version: versionProperty('mqtt-ack-in'),
    name: { value: '' },
    broker: {
      value: '',
      type: 'mqtt-broker',
      validate: settingsNode('broker', { isNeeded: true }),
    },
    topic: {
      value: '',
      validate: checked('topic', (filter: string) => (isTopicFilter(filter.trim()) ? undefined : 'topic')),
    },
    qos: { value: '1' },
    clientId: { value: '' },
    datatype: { value: 'buffer' },
    acknowledge: { value: 'journaled' },
    window: { value: 20, validate: checked('window', wholeNumber(1, MOST_MESSAGES)) },
    sessionExpiry: { value: 86400, validate: checked('sessionExpiry', wholeNumber(0, LONGEST_EXPIRY)) },
    timeLimit: { value: 600, validate: checked('timeLimit', wholeNumber(1, LONGEST)) },
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
    beginDialogue(this);
    $('#node-input-clientId').attr('placeholder', `s3-batch-${this.id}`);
    prepareHints(this);
  },
});
