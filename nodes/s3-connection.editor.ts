import { checkEndpoint, isRegion, isRoleArn, isSecret, LONGEST_TIMEOUT_MS } from '../lib/store/s3-rules';
import {
  beginDialogue,
  versionProperty,
  checked,
  numberWithin,
  unlessBlank,
  verdict,
} from './common/dialogue.editor';
import { prepareDoctor } from './common/doctor.editor';

interface Properties {
  version: number | string;
  name: string;
  endpoint: string;
  region: string;
  pathStyle: boolean;
  tls: string;
  auth: 'keys' | 'chain';
  profile: string;
  roleArn: string;
  roleExternalId: string;
  connectTimeout: number | string;
  requestTimeout: number | string;
}
interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

function isEndpoint(text: string): boolean {
  try {
    return Boolean(checkEndpoint(text));
  } catch {
    return false;
  }
}

const seconds = numberWithin('seconds', { least: 0.001, most: LONGEST_TIMEOUT_MS / 1000 });

/** What the form says: credentials are checked only there. */
function usesKeys(): boolean {
  return $('#node-config-input-auth').val() !== 'chain';
}

function secret(property: keyof Credentials, isNeeded: () => boolean) {
  return function (this: EditorNode, value: string, options: ValidationOptions): true | string {
    const isRight = value === '' ? !isNeeded() : isSecret(value);
    const problem = value === '' ? 'secretMissing' : 'secret';
    return verdict(this, property, options, isRight || !usesKeys() ? undefined : problem);
  };
}

/** Ends the examination that is going on in the dialogue, if there is one. */
let endDoctor = (): void => undefined;

RED.nodes.registerType<Properties, Credentials>('s3-connection', {
  category: 'config',
  defaults: {
    version: versionProperty('s3-connection'),
    name: { value: '' },
    endpoint: { value: '', validate: checked('endpoint', unlessBlank('endpoint', isEndpoint)) },
    region: {
      value: 'us-east-1',
      validate: checked('region', unlessBlank('region', isRegion)),
    },
    pathStyle: { value: false },
    tls: { value: '', type: 'tls-config', required: false },
    auth: { value: 'keys' },
    profile: { value: '' },
    roleArn: {
      value: '',
      validate: checked('roleArn', unlessBlank('roleArn', isRoleArn)),
    },
    roleExternalId: { value: '' },
    connectTimeout: { value: 5, validate: checked('connectTimeout', seconds) },
    requestTimeout: { value: 30, validate: checked('requestTimeout', seconds) },
  },
  credentials: {
    accessKeyId: { type: 'text', validate: secret('accessKeyId', usesKeys) },
    secretAccessKey: { type: 'password', validate: secret('secretAccessKey', usesKeys) },
    sessionToken: { type: 'password', validate: secret('sessionToken', () => false) },
  },
  label() {
    if (this.name) return this.name;
    if (this.endpoint) return this.endpoint.replace(/^https?:\/\//, '');
    return this._('s3-connection.aws', { region: this.region || 'us-east-1' });
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const { endpoint: stored, pathStyle: isPathStyle } = beginDialogue(this, 'node-config-input');
    const auth = $('#node-config-input-auth');
    auth.on('change', () => {
      $('.s3-connection-keys').toggle(usesKeys());
      $('.s3-connection-chain').toggle(!usesKeys());
    });

    // A store of one's own nearly always wants path style, AWS never: the box follows until it is clicked.
    const endpoint = $('#node-config-input-endpoint');
    const pathStyle = $('#node-config-input-pathStyle');
    let follows = !stored === !isPathStyle;
    pathStyle.on('click', () => {
      follows = false;
    });
    endpoint.on('input', () => {
      if (follows) pathStyle.prop('checked', endpoint.val() !== '');
    });
    endDoctor = prepareDoctor(this);
  },
  oneditsave() {
    endDoctor();
  },
  oneditcancel() {
    endDoctor();
  },
  oneditdelete() {
    endDoctor();
  },
});
