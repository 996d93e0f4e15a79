import { prepareBrowse } from './common/browse.editor';
import {
  beginDialogue,
  versionProperty,
  checked,
  numberWithin,
  paletteName,
  settingsNode,
} from './common/dialogue.editor';
import { typed, typeFields } from './common/typed-fields.editor';

interface Properties {
  version: number | string;
  name: string;
  connection: string;
  bucket: string;
  bucketType: string;
  key: string;
  keyType: string;
  payload: 'auto' | 'buffer' | 'string' | 'json';
  output: 'messages' | 'array';
  dropDuplicates: boolean;
  gap: number | string;
  parallel: number | string;
  ahead: number | string;
}
RED.nodes.registerType<Properties>('s3-range-in', {
  category: 's3 batch',
  color: '#a9d8cd',
  icon: 's3-range-in.svg',
  inputs: 1,
  outputs: 1,
  paletteLabel: paletteName('s3-range-in'),
  defaults: {
    version: versionProperty('s3-range-in'),
    name: { value: '' },
    connection: {
      value: '',
      type: 's3-connection',
      validate: settingsNode('connection', { isNeeded: true }),
    },
    bucket: { value: '', validate: typed('bucket') },
    bucketType: { value: 'str' },
    key: { value: '', validate: typed('key') },
    keyType: { value: 'str' },
    payload: { value: 'auto' },
    output: { value: 'messages' },
    dropDuplicates: { value: false },
    gap: { value: 1024, validate: checked('gap', numberWithin('gap', { least: 0 })) },
    parallel: {
      value: 8,
      validate: checked('parallel', numberWithin('parallel', { least: 1, whole: true })),
    },
    ahead: { value: 1000, validate: checked('ahead', numberWithin('ahead', { least: 0, whole: true })) },
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
    beginDialogue(this);
    typeFields(['bucket', 'key']);
    prepareBrowse();
    const output = $('#node-input-output');
    output.on('change', () => {
      $('.s3-range-in-ahead').toggle(output.val() !== 'array');
      $('#s3-range-in-output-hint').text(this._(`s3-range-in.hint.${String(output.val())}`));
    });
  },
});
