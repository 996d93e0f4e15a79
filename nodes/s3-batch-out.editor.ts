import {
  checked,
  chooseFirst,
  numberWithin,
  paletteName,
  settingsNode,
  unlessBlank,
} from './common/dialogue.editor';

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

/** A check of an amount that may be blank, which stands for its default. */
function amount(least: number, limits: { most?: number; whole?: boolean } = {}) {
  return numberWithin([limits.whole ? 'whole' : 'number', { least }], { least, ...limits });
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

RED.nodes.registerType<Properties>('s3-batch-out', {
  category: 's3 batch',
  color: '#8cc6b8',
  icon: 's3-batch-out.svg',
  inputs: 1,
  outputs: 3,
  paletteLabel: paletteName('s3-batch-out'),
  defaults: {
    name: { value: '' },
    connection: {
      value: '',
      type: 's3-connection',
      validate: settingsNode('connection', { isNeeded: true }),
    },
    layout: { value: '', type: 'archive-layout', validate: settingsNode('layout', { isNeeded: false }) },
    count: { value: 10000, validate: checked('count', amount(0, { whole: true })) },
    bytes: { value: 32, validate: checked('bytes', amount(0)) },
    age: { value: 300, validate: checked('age', amount(0, { most: LONGEST })) },
    idle: { value: 0, validate: checked('idle', amount(0, { most: LONGEST })) },
    framing: { value: 'newline' },
    compression: { value: 'gzip' },
    flushTopic: {
      value: '',
      validate: checked('flushTopic', unlessBlank('flushTopic', isTopicFilter)),
    },
    completion: { value: 'batched' },
    journal: { value: true },
    journalFolder: { value: '' },
    commitMs: { value: 20, validate: checked('commitMs', amount(0, { most: 60_000 })) },
    commitRecords: { value: 1000, validate: checked('commitRecords', amount(1, { whole: true })) },
    controlTopic: {
      value: '',
      validate: checked(
        'controlTopic',
        unlessBlank('controlTopic', (topic) => !/[+#]/.test(topic)),
      ),
    },
    uploads: { value: 4, validate: checked('uploads', amount(1, { whole: true })) },
    memory: { value: 256, validate: checked('memory', amount(1)) },
    instance: { value: '' },
    blockSize: { value: 128, validate: checked('blockSize', amount(1)) },
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
    chooseFirst({ framing: 'newline', compression: 'gzip', completion: 'batched' });
    prepareHints(this);
  },
});
