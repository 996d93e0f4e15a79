import { TopicFilter } from '../lib/layout/topic-filter';
import { BATCH_DEFAULTS, type BatchProperties, prepareBatchFields } from './common/batch-fields.editor';
import { amount, beginDialogue, checked, paletteName, versionProperty } from './common/dialogue.editor';

interface Properties extends BatchProperties {
  version: number | string;
  name: string;
  controlTopic: string;
  timeout: number | string;
}

/** Longest timeout, in seconds: a message waits a twentieth longer, and a timer must take that. */
const LONGEST = 2_000_000;

RED.nodes.registerType<Properties>('batch-backup', {
  category: 's3 batch',
  color: '#8cc6b8',
  icon: 'batch-backup.svg',
  inputs: 1,
  outputs: 2,
  paletteLabel: paletteName('batch-backup'),
  defaults: {
    version: versionProperty('batch-backup'),
    name: { value: '' },
    connection: BATCH_DEFAULTS.connection,
    layout: BATCH_DEFAULTS.layout,
    count: BATCH_DEFAULTS.count,
    bytes: BATCH_DEFAULTS.bytes,
    age: BATCH_DEFAULTS.age,
    framing: BATCH_DEFAULTS.framing,
    compression: BATCH_DEFAULTS.compression,
    instance: BATCH_DEFAULTS.instance,
    journal: BATCH_DEFAULTS.journal,
    journalFolder: BATCH_DEFAULTS.journalFolder,
    memory: BATCH_DEFAULTS.memory,
    controlTopic: {
      value: 's3-batch/stored',
      validate: checked('controlTopic', (filter: string) =>
        TopicFilter.parse(filter) ? undefined : 'controlTopic',
      ),
    },
    timeout: { value: 600, validate: checked('timeout', amount(1, { most: LONGEST })) },
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
    beginDialogue(this);
    prepareBatchFields(this);
  },
});
