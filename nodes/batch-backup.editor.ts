import { TopicFilter } from '../lib/layout/topic-filter';
import { checked, chooseFirst, numberWithin, paletteName, settingsNode } from './common/dialogue.editor';

interface Properties {
  name: string;
  connection: string;
  layout: string;
  controlTopic: string;
  timeout: number | string;
  count: number | string;
  bytes: number | string;
  age: number | string;
  framing: 'newline' | 'length' | 'none';
  compression: 'gzip' | 'none';
  memory: number | string;
  journal: boolean;
  journalFolder: string;
  instance: string;
}

/** Longest time that a timer takes, in seconds; a message waits a twentieth longer. */
const LONGEST = 2_000_000;

/** A check of an amount that may be blank. */
function amount(least: number, limits: { most?: number; whole?: boolean } = {}) {
  return numberWithin([limits.whole ? 'whole' : 'number', { least }], { least, ...limits });
}

function prepareHints(node: EditorNode): void {
  const framing = $('#node-input-framing');
  const followFraming = (): void => {
    $('#batch-backup-framing-hint').text(node._(`batch-backup.hint.framing.${String(framing.val())}`));
  };
  framing.on('change', followFraming);
  followFraming();

  const journal = $('#node-input-journal');
  const followJournal = (): void => {
    const isOn = journal.is(':checked');
    $('.batch-backup-journal').toggle(isOn);
    $('#batch-backup-journal-hint').text(node._(`batch-backup.hint.journal.${isOn ? 'on' : 'off'}`));
  };
  journal.on('change', followJournal);
  followJournal();
}

RED.nodes.registerType<Properties>('batch-backup', {
  category: 's3 batch',
  color: '#8cc6b8',
  icon: 'batch-backup.svg',
  inputs: 1,
  outputs: 2,
  paletteLabel: paletteName('batch-backup'),
  defaults: {
    name: { value: '' },
    connection: {
      value: '',
      type: 's3-connection',
      validate: settingsNode('connection', { isNeeded: true }),
    },
    layout: { value: '', type: 'archive-layout', validate: settingsNode('layout', { isNeeded: false }) },
    controlTopic: {
      value: 's3-batch/stored',
      validate: checked('controlTopic', (filter: string) =>
        TopicFilter.parse(filter) ? undefined : 'controlTopic',
      ),
    },
    timeout: { value: 600, validate: checked('timeout', amount(1, { most: LONGEST })) },
    count: { value: 10000, validate: checked('count', amount(0, { whole: true })) },
    bytes: { value: 32, validate: checked('bytes', amount(0)) },
    age: { value: 300, validate: checked('age', amount(0, { most: LONGEST })) },
    framing: { value: 'newline' },
    compression: { value: 'gzip' },
    memory: { value: 256, validate: checked('memory', amount(1)) },
    journal: { value: true },
    journalFolder: { value: '' },
    instance: { value: '' },
  },
  label() {
    return this.name || 'batch-backup';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(output) {
    return this._(`batch-backup.output.${output === 0 ? 'stored' : 'ledger'}`);
  },
  oneditprepare() {
    chooseFirst({ framing: 'newline', compression: 'gzip' });
    prepareHints(this);
  },
});
