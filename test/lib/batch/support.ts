import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';

import {
  BatchWriter,
  type BatchWriterSettings,
  type SealedBatch,
  type StoredObject,
  type Upload,
} from '../../../lib/batch';
import { type ErrorCode, S3BatchError } from '../../../lib/errors';
import { Layout, type LayoutSettings } from '../../../lib/layout';
import { FakeClock, until } from '../../support/fake-clock';
import { MemoryStore } from '../../support/memory-store';

export const MIB = 1024 * 1024;

export interface Failure {
  error: S3BatchError;
  upload: Upload;
  pause: number;
}

type Overrides = Partial<Omit<BatchWriterSettings, 'layout' | 'limits'>> & {
  limits?: Partial<BatchWriterSettings['limits']>;
  layout?: Partial<LayoutSettings>;
};

/** Topics are `bucket/device`; the record time is `t` in the payload, else the time of arrival. */
export const LAYOUT: Partial<LayoutSettings> = {
  topic: 'BUCKET/DEVICE',
  time: { source: 'field', field: 't', format: 'epoch-ms', zone: 'UTC' },
  buckets: [{ topic: '#', bucket: '{{BUCKET}}' }],
};

/** A writer with all limits off, its clock and its store, and what it has told. */
export class TestWriter {
  readonly clock = new FakeClock();
  readonly store: MemoryStore;
  readonly stored: StoredObject[] = [];
  readonly failures: Failure[] = [];
  readonly writer: BatchWriter;
  readonly settings: BatchWriterSettings;

  constructor(given: Overrides = {}, store = new MemoryStore()) {
    this.store = store;
    this.settings = this.settingsWith(given);
    this.writer = new BatchWriter(
      this.settings,
      {
        stored: (object) => this.stored.push(object),
        failed: (error, upload, pause) => this.failures.push({ error, upload, pause }),
      },
      this.clock,
    );
  }

  settingsWith({ limits, layout, ...rest }: Overrides): BatchWriterSettings {
    return {
      layout: new Layout({ ...LAYOUT, ...layout }),
      store: this.store,
      limits: { count: 0, bytes: 0, age: 0, idle: 0, ...limits },
      framing: 'newline',
      compression: 'gzip',
      blockSize: 128 * 1024,
      uploads: 4,
      memory: 64 * MIB,
      instance: 'test',
      ...rest,
    };
  }

  append(topic: string, payload: string | Buffer = '{}', settled?: (error?: Error) => void): void {
    this.writer.append(topic, Buffer.from(payload), this.clock.now(), settled);
  }

  get triggers(): string[] {
    return this.stored.map(({ trigger }) => trigger);
  }

  async untilStored(objects: number): Promise<void> {
    await until(`${objects} stored objects`, () => this.stored.length >= objects);
    assert.equal(this.stored.length, objects);
  }

  /** Lines of all objects that are in the store, by object name. */
  get lines(): Map<string, string[]> {
    return new Map(this.store.names.map((name) => [name, this.linesOf(name)]));
  }

  get allLines(): string[] {
    return [...this.lines.values()].flat();
  }

  linesOf(name: string): string[] {
    const [bucket = '', ...key] = name.split('/');
    return linesOf(this.store.body(bucket, key.join('/')));
  }
}

export function linesOf(body: Buffer): string[] {
  const text = gunzipSync(body).toString();
  return text.split('\n').slice(0, -1);
}

/** The error that a call throws. */
export function thrownBy(code: ErrorCode, work: () => void): S3BatchError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof S3BatchError, String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`nothing was thrown instead of ${code}`);
}

export function countOf(batches: readonly Pick<SealedBatch, 'count'>[]): number {
  return batches.reduce((sum, { count }) => sum + count, 0);
}

export { until };
