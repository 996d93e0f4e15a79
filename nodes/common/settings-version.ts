import { S3BatchError } from '../../lib/errors';

/** Settings of a node as a flow file has them. */
export type Settings = Readonly<Record<string, unknown>>;

/** Makes settings of one version those of the next; takes what it is given as it is, and changes nothing of it. */
type Migration = (settings: Settings) => Settings;

/** What the flow file left out has the value that it was taken for before settings had a version. */
function filled(whatWasTaken: (settings: Settings) => Settings): Migration {
  return (settings) => {
    const given = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
    return { ...whatWasTaken(settings), ...Object.fromEntries(given) };
  };
}

const BLANK = { bucket: '', bucketType: 'str', key: '', keyType: 'str' };
const BATCHES = {
  layout: '',
  count: 10_000,
  bytes: 32,
  age: 300,
  framing: 'newline',
  compression: 'gzip',
  memory: 256,
  journalFolder: '',
  instance: '',
};

/** By type of node, what leads from version 0 to 1, from 1 to 2, and so on; version 0 are settings that tell none. */
const MIGRATIONS = {
  's3-connection': [
    filled(({ endpoint }) => ({
      endpoint: '',
      region: 'us-east-1',
      pathStyle: Boolean(endpoint),
      tls: '',
      auth: 'keys',
      profile: '',
      roleArn: '',
      roleExternalId: '',
      connectTimeout: 5,
      requestTimeout: 30,
    })),
  ],
  'archive-layout': [
    filled(() => ({
      topic: '',
      compressedLevel: 'COMPRESSED',
      decompress: true,
      decompressLimit: 4,
      timeSource: 'arrival',
      timeField: '',
      timeFormat: 'iso',
      timeZone: 'UTC',
      key: '',
      buckets: [],
      unmatchedBucket: 'unmatched',
      partition: 'day',
      objectName: '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
    })),
  ],
  's3-batch-out': [
    filled(() => ({
      ...BATCHES,
      idle: 0,
      flushTopic: '',
      completion: 'batched',
      // Not as for new nodes: flows from before there was a journal work without one.
      journal: false,
      commitMs: 20,
      commitRecords: 1000,
      controlTopic: '',
      uploads: 4,
      blockSize: 128,
    })),
  ],
  'batch-backup': [filled(() => ({ ...BATCHES, controlTopic: '', timeout: 600, journal: true }))],
  'batch-flush': [filled(() => ({ target: '', destination: '', destinationType: 'str' }))],
  'mqtt-ack-in': [
    filled(() => ({
      topic: '',
      qos: '1',
      clientId: '',
      datatype: 'buffer',
      acknowledge: 'journaled',
      window: 20,
      sessionExpiry: 86_400,
      timeLimit: 600,
    })),
  ],
  'offset-index': [
    filled(() => ({
      ...BLANK,
      layout: '',
      levels: [],
      from: '',
      fromType: 'str',
      to: '',
      toType: 'str',
      series: '',
      seriesType: 'str',
      keyPrefix: '',
      keyPrefixType: 'str',
      planOnly: false,
      dropDuplicates: false,
      output: 'message',
    })),
  ],
  's3-range-in': [
    filled(() => ({
      ...BLANK,
      payload: 'auto',
      output: 'messages',
      dropDuplicates: false,
      gap: 1024,
      parallel: 8,
      ahead: 1000,
    })),
  ],
} satisfies Record<string, readonly Migration[]>;

export type NodeType = keyof typeof MIGRATIONS;

/** The version of the settings that this version of the package writes. */
export function currentVersion(type: NodeType): number {
  return MIGRATIONS[type].length;
}

/** Whether settings of this version can be read: text, as a dialogue gives it, or a number; undefined is the first. */
export function isKnownVersion(type: NodeType, version: unknown): boolean {
  return versionOf(version) <= currentVersion(type);
}

/** NaN for what is no version. */
function versionOf(version: unknown): number {
  if (version === undefined || version === null || version === '') return 0;
  const number = typeof version === 'string' || typeof version === 'number' ? Number(version) : NaN;
  return Number.isInteger(number) && number >= 0 ? number : NaN;
}

/**
 * Settings of whatever version as this version of the package has them, complete but for what must be chosen. Runtime and
 * dialogue both read settings by this, so that a flow runs before its dialogues are opened, and they show how it runs.
 * @throws S3BatchError SETTINGS_INVALID when they are of a version that only a later version of the package knows
 */
export function migrate<Stored extends object>(type: NodeType, stored: Stored): Stored {
  const migrations: readonly Migration[] = MIGRATIONS[type];
  const { version } = stored as Settings;
  const from = versionOf(version);
  if (!isKnownVersion(type, version)) {
    throw new S3BatchError(
      'SETTINGS_INVALID',
      `the settings have version ${String(version)}, and this version of node-red-contrib-s3-batch knows them up to version ${migrations.length}: ` +
        'update it by Menu → Manage palette, or make the node anew',
    );
  }
  const settings = migrations
    .slice(from)
    .reduce<Settings>((before, next) => next(before), stored as Settings);
  return { ...settings, version: migrations.length } as unknown as Stored;
}
