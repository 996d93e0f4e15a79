import { S3BatchError } from '../errors';

/** Where a record's time comes from. */
export type TimeSettings =
  | { source: 'arrival' }
  | {
      source: 'field';
      /** Path of the payload field, such as `weldspot.Timestamp`. */
      field: string;
      /** `iso`, `epoch-s`, `epoch-ms`, or a pattern of luxon's tokens such as `yyyyMMdd HHmmss`. */
      format: string;
      /** IANA name or `UTC+3`: where the clock stands whose texts have no offset. */
      zone: string;
    };

/** How a time partition is cut. */
export type PartitionUnit = 'none' | 'hour' | 'day' | 'month';

/** One row of the bucket table: an MQTT topic filter and the Mustache template of the bucket's name. */
export interface BucketRow {
  topic: string;
  bucket: string;
}

/** What a user decides about names: which topic levels and payload fields lead where. */
export interface LayoutSettings {
  /** Topic pattern; '' takes any topic and names no level. */
  topic: string;
  /** Name of the level that tells the compression (`GZIP`, `ZLIB`, `NONE`); '' for none. */
  compressedLevel: string;
  /** Whether compressed payloads are decompressed. */
  decompress: boolean;
  /** Largest decompressed payload in bytes. */
  decompressLimit: number;
  time: TimeSettings;
  /** Parts of the offset key, separated by '/'; '' for all named levels and the time. */
  key: string;
  /** The first row whose filter matches decides; without one the topic itself becomes the bucket's name. */
  buckets: BucketRow[];
  /** Bucket of records whose topic does not fit, where the bucket's template needs a level. */
  unmatchedBucket: string;
  partition: PartitionUnit;
  /** Mustache template of the object's name. */
  objectName: string;
}

export const DEFAULT_LAYOUT: LayoutSettings = {
  topic: '',
  compressedLevel: 'COMPRESSED',
  decompress: true,
  decompressLimit: 4 * 1024 * 1024,
  time: { source: 'arrival' },
  key: '',
  buckets: [],
  unmatchedBucket: 'unmatched',
  partition: 'day',
  objectName: '{{partition}}/{{first}}-{{last}}-{{batch}}{{extension}}',
};

/**
 * The error for a setting that cannot work.
 * @param setting name of the setting, as in {@link LayoutSettings}
 * @param wrong what is wrong, a clause without its full stop
 * @param remedy what to do, a clause without its full stop
 */
export function invalidSetting(
  setting: string,
  wrong: string,
  remedy: string,
  cause?: unknown,
): S3BatchError {
  return new S3BatchError(
    'LAYOUT_INVALID',
    `The layout's setting "${setting}" does not work: ${wrong}; ${remedy}.`,
    cause === undefined ? undefined : { cause },
  );
}

/** The settings with the defaults filled in. Settings come from flow files, so their types are checked here. */
export function completeSettings(given: Partial<LayoutSettings>): LayoutSettings {
  const settings: LayoutSettings = {
    topic: text('topic', given.topic ?? DEFAULT_LAYOUT.topic),
    compressedLevel: text('compressedLevel', given.compressedLevel ?? DEFAULT_LAYOUT.compressedLevel),
    decompress: given.decompress ?? DEFAULT_LAYOUT.decompress,
    decompressLimit: given.decompressLimit ?? DEFAULT_LAYOUT.decompressLimit,
    time: completeTime(given.time ?? DEFAULT_LAYOUT.time),
    key: text('key', given.key ?? DEFAULT_LAYOUT.key),
    buckets: completeRows(given.buckets ?? DEFAULT_LAYOUT.buckets),
    unmatchedBucket: text('unmatchedBucket', given.unmatchedBucket ?? DEFAULT_LAYOUT.unmatchedBucket),
    partition: given.partition ?? DEFAULT_LAYOUT.partition,
    objectName: text('objectName', given.objectName ?? DEFAULT_LAYOUT.objectName),
  };
  if (typeof settings.decompress !== 'boolean') {
    throw invalidSetting('decompress', 'it is neither true nor false', 'use one of them');
  }
  if (!Number.isSafeInteger(settings.decompressLimit) || settings.decompressLimit < 1) {
    throw invalidSetting('decompressLimit', 'it is no number of bytes', 'use a whole number from 1 on');
  }
  if (!['none', 'hour', 'day', 'month'].includes(settings.partition)) {
    throw invalidSetting('partition', `"${settings.partition}" is unknown`, 'use none, hour, day or month');
  }
  return settings;
}

function text(setting: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidSetting(setting, 'it is no text', 'write a text');
  return value;
}

function completeTime(given: TimeSettings): TimeSettings {
  const time = given as unknown as Record<string, unknown> | undefined;
  if (time?.source === 'arrival') return { source: 'arrival' };
  if (time?.source !== 'field') {
    throw invalidSetting('time.source', 'it is unknown', 'use arrival or field');
  }
  return {
    source: 'field',
    field: text('time.field', time.field),
    format: text('time.format', time.format ?? 'iso'),
    zone: text('time.zone', time.zone ?? 'UTC'),
  };
}

function completeRows(given: unknown): BucketRow[] {
  if (!Array.isArray(given)) throw invalidSetting('buckets', 'it is no list', 'write a list of rows');
  return given.map((row: unknown, index) => {
    const { topic, bucket } = (row ?? {}) as Record<string, unknown>;
    return {
      topic: text(`buckets, row ${index + 1}, topic`, topic),
      bucket: text(`buckets, row ${index + 1}, bucket`, bucket),
    };
  });
}
