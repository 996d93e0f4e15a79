/** What the dialogues of s3-batch-out and batch-backup have alike: how batches are written and kept. */
import { amount, checked, LONGEST_SECONDS, settingsNode } from './dialogue.editor';

/** Properties of both, with their defaults. */
export interface BatchProperties {
  connection: string;
  layout: string;
  count: number | string;
  bytes: number | string;
  age: number | string;
  framing: 'newline' | 'length' | 'none';
  compression: 'gzip' | 'none';
  instance: string;
  journal: boolean;
  journalFolder: string;
  memory: number | string;
}

/** Each node names them one by one: who reads definitions without running them, as catalogues of nodes do, follows no spread. */
export const BATCH_DEFAULTS = {
  connection: {
    value: '',
    type: 's3-connection',
    validate: settingsNode('connection', { isNeeded: true }),
  },
  layout: { value: '', type: 'archive-layout', validate: settingsNode('layout', { isNeeded: false }) },
  count: { value: 10000, validate: checked('count', amount(0, { whole: true })) },
  bytes: { value: 32, validate: checked('bytes', amount(0)) },
  age: { value: 300, validate: checked('age', amount(0, { most: LONGEST_SECONDS })) },
  framing: { value: 'newline' as const },
  compression: { value: 'gzip' as const },
  instance: { value: '' },
  journal: { value: true },
  journalFolder: { value: '' },
  memory: { value: 256, validate: checked('memory', amount(1)) },
};

/** Keeps the hints on framing and journal in step with what is chosen. */
export function prepareBatchFields(node: EditorNode): void {
  const framing = $('#node-input-framing');
  const followFraming = (): void => {
    const text = node._(`${node.type}.hint.framing.${String(framing.val())}`);
    $(`#${node.type}-framing-hint`).text(text);
  };
  framing.on('change', followFraming);
  followFraming();

  const journal = $('#node-input-journal');
  const followJournal = (): void => {
    const isOn = journal.is(':checked');
    $('.s3-batch-journal').toggle(isOn);
    $(`#${node.type}-journal-hint`).text(node._(`${node.type}.hint.journal.${isOn ? 'on' : 'off'}`));
  };
  journal.on('change', followJournal);
  followJournal();
}
