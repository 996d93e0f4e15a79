import { TopicFilter } from '../lib/layout/topic-filter';
import { BATCH_DEFAULTS, type BatchProperties, prepareBatchFields } from './common/batch-fields.editor';
import {
  amount,
  beginDialogue,
  checked,
  LONGEST_SECONDS,
  paletteName,
  unlessBlank,
  versionProperty,
} from './common/dialogue.editor';
import { preparePreview } from './common/preview.editor';
import type { PreviewRequest } from './common/preview-messages';

interface Properties extends BatchProperties {
  version: number | string;
  name: string;
  idle: number | string;
  flushTopic: string;
  completion: 'batched' | 'journaled' | 'stored';
  commitMs: number | string;
  commitRecords: number | string;
  controlTopic: string;
  uploads: number | string;
  blockSize: number | string;
}
type BatchOut = EditorNode & Properties;

const OUTPUTS = ['stored', 'ledger', 'announcements'];
const DEFAULT_COUNT = 10000;
/** Keeps what is said of messages that are done in step with what is chosen. */
function prepareCompletion(node: BatchOut): void {
  const completion = $('#node-input-completion');
  const count = $('#node-input-count');
  const journal = $('#node-input-journal');
  const follow = (): void => {
    const isOn = journal.is(':checked');
    completion.find('option[value=journaled]').prop('disabled', !isOn);
    if (!isOn && completion.val() === 'journaled') completion.val('stored');
    const limit = count.val() === '' ? DEFAULT_COUNT : Number(count.val());
    const cost =
      limit === 0
        ? node._('s3-batch-out.hint.storedUncounted')
        : node._('s3-batch-out.hint.storedCount', { count: limit });
    const isKept = completion.val() === 'batched' && isOn;
    const text = node._(`s3-batch-out.hint.${isKept ? 'batchedKept' : String(completion.val())}`);
    $('#s3-batch-out-completion-hint').text(
      completion.val() === 'stored' && limit >= 0 ? `${text} ${cost}` : text,
    );
  };
  journal.add(completion).on('change', follow);
  count.on('input', follow);
  follow();
}

/** Shows where messages go by the layout that is chosen, as it is saved. */
function prepareDestination(): void {
  const chosen = (): EditorNode | null => RED.nodes.node(String($('#node-input-layout').val()));
  preparePreview('s3-batch-out', {
    layout: () => chosen()?.id ?? '',
    settings: () => {
      const layout = chosen();
      const properties = Object.keys(layout?._def.defaults ?? {});
      return Object.fromEntries(
        properties.map((name) => [name, (layout as Record<string, unknown> | null)?.[name]]),
      );
    },
    writer: () => ({
      framing: $('#node-input-framing').val() as PreviewRequest['framing'],
      compression: $('#node-input-compression').val() as PreviewRequest['compression'],
      instance: String($('#node-input-instance').val()),
    }),
  });
}

RED.nodes.registerType<Properties>('s3-batch-out', {
  category: 's3 batch',
  color: '#8cc6b8',
  icon: 's3-batch-out.svg',
  inputs: 1,
  outputs: 3,
  paletteLabel: paletteName('s3-batch-out'),
  defaults: {
    version: versionProperty('s3-batch-out'),
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
    idle: { value: 0, validate: checked('idle', amount(0, { most: LONGEST_SECONDS })) },
    flushTopic: {
      value: '',
      validate: checked(
        'flushTopic',
        unlessBlank('flushTopic', (filter) => TopicFilter.parse(filter) !== undefined),
      ),
    },
    completion: { value: 'batched' },
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
    beginDialogue(this);
    prepareBatchFields(this);
    prepareCompletion(this);
    prepareDestination();
  },
});
