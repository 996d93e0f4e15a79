(() => {
  interface Properties {
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
  type Connection = EditorNode & Properties;

  /** Longest time that a timer takes, in seconds. */
  const LONGEST = 2_147_483;

  function isEndpoint(text: string): boolean {
    try {
      const url = new URL(text);
      const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
      return bare && url.pathname === '/' && (url.protocol === 'http:' || url.protocol === 'https:');
    } catch {
      return false;
    }
  }

  /** A setting that may be blank. */
  function optional(property: keyof Properties, isRight: (text: string) => boolean) {
    return function (
      this: Connection,
      value: string | undefined,
      { label }: ValidationOptions,
    ): true | string {
      if (value === undefined || value === '' || isRight(value)) return true;
      return `${label ?? this._(`s3-connection.label.${property}`)}: ${this._(`s3-connection.invalid.${property}`)}`;
    };
  }

  function seconds(property: 'connectTimeout' | 'requestTimeout') {
    return function (
      this: Connection,
      value: number | string | undefined,
      { label }: ValidationOptions,
    ): true | string {
      const number = Number(value ?? '');
      if (value === undefined || value === '' || (number >= 0.001 && number <= LONGEST)) return true;
      return `${label ?? this._(`s3-connection.label.${property}`)}: ${this._('s3-connection.invalid.seconds')}`;
    };
  }

  /** What the form says: credentials are checked only there. */
  function usesKeys(): boolean {
    return $('#node-config-input-auth').val() !== 'chain';
  }

  function secret(property: keyof Credentials, isNeeded: () => boolean) {
    return function (this: Connection, value: string, { label }: ValidationOptions): true | string {
      const isRight = value === '' ? !isNeeded() : /^[\x21-\x7e]+$/.test(value);
      if (isRight || !usesKeys()) return true;
      const problem = value === '' ? 'secretMissing' : 'secret';
      return `${label ?? this._(`s3-connection.label.${property}`)}: ${this._(`s3-connection.invalid.${problem}`)}`;
    };
  }

  RED.nodes.registerType<Properties, Credentials>('s3-connection', {
    category: 'config',
    defaults: {
      name: { value: '' },
      endpoint: { value: '', validate: optional('endpoint', isEndpoint) },
      region: {
        value: 'us-east-1',
        validate: optional('region', (text) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text)),
      },
      pathStyle: { value: false },
      tls: { value: '', type: 'tls-config', required: false },
      auth: { value: 'keys' },
      profile: { value: '' },
      roleArn: {
        value: '',
        validate: optional('roleArn', (text) => /^arn:[^:\s]+:iam:[^:\s]*:[^:\s]*:role\/\S+$/.test(text)),
      },
      roleExternalId: { value: '' },
      connectTimeout: { value: 5, validate: seconds('connectTimeout') },
      requestTimeout: { value: 30, validate: seconds('requestTimeout') },
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
      const auth = $('#node-config-input-auth');
      if (!auth.val()) auth.val('keys');
      auth.on('change', () => {
        $('.s3-connection-keys').toggle(usesKeys());
        $('.s3-connection-chain').toggle(!usesKeys());
      });

      // A store of one's own nearly always wants path style, AWS never: the box follows until it is clicked.
      const endpoint = $('#node-config-input-endpoint');
      const pathStyle = $('#node-config-input-pathStyle');
      let follows = !this.endpoint === !this.pathStyle;
      pathStyle.on('click', () => {
        follows = false;
      });
      endpoint.on('input', () => {
        if (follows) pathStyle.prop('checked', endpoint.val() !== '');
      });
    },
  });
})();
