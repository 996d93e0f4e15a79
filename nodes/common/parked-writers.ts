import type { NodeAPI } from 'node-red';

import type { BatchWriter, StoredObject, Upload } from '../../lib/batch';
import type { S3BatchError } from '../../lib/errors';

/** Who hears of a writer's uploads: the node that has it at the time. */
export interface WriterListener {
  stored(object: StoredObject): void;
  failed(error: S3BatchError, upload: Upload, pauseMs: number): void;
}

/** A writer and the node that has it; a writer outlives its node when the node is deployed anew. */
export interface WriterSlot {
  writer: BatchWriter;
  listener: WriterListener | undefined;
  /** What was stored while no node listened, for the next one to tell. */
  untold: StoredObject[];
}

/** How long an unclaimed writer waits when no flows start at all, ms. */
const UNCLAIMED_AFTER = 60_000;

interface FlowsStopping {
  diff?: object | null;
}

/**
 * Writers between two deploys. A node that closes for a deploy parks its writer with all its batches; the node of
 * the same id that the deploy makes takes it up. What nobody takes up is uploaded.
 */
export class ParkedWriters {
  readonly #slots = new Map<string, WriterSlot>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #deploying = false;

  constructor(private readonly RED: NodeAPI) {
    // A deploy tells what it changes, with more in it than the empty diff of a stop of the process. Where that cannot
    // be told, the node takes it for a stop and uploads: also safe, only with smaller objects.
    RED.events.on('flows:stopping', ({ diff }: FlowsStopping) => {
      this.#deploying = diff !== undefined && diff !== null && 'globalConfigChanged' in diff;
    });
    RED.events.on('flows:started', () => {
      for (const id of [...this.#slots.keys()]) this.#abandon(id);
    });
  }

  /** True while flows stop for a deploy, so that a node of the same id may follow. */
  get deploying(): boolean {
    return this.#deploying;
  }

  park(id: string, slot: WriterSlot): void {
    slot.listener = undefined;
    this.#slots.set(id, slot);
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#abandon(id);
      }, UNCLAIMED_AFTER).unref(),
    );
  }

  take(id: string): WriterSlot | undefined {
    const slot = this.#slots.get(id);
    this.#slots.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    return slot;
  }

  /** Uploads what nobody took up, for as long as it takes. */
  #abandon(id: string): void {
    const slot = this.take(id);
    if (slot) finishWithoutNode(this.RED, id, slot);
  }
}

/** Seals and uploads everything of a writer whose node is gone; the log tells how it goes. */
export function finishWithoutNode(RED: NodeAPI, id: string, slot: WriterSlot): void {
  const { writer } = slot;
  if (writer.openRecords === 0) return;
  slot.listener = {
    stored: (object) => {
      RED.log.info(`[s3-batch-out:${id}] stored ${object.bucket}/${object.key} of the node that is gone`);
    },
    failed: (error, { batch }) => {
      RED.log.warn(
        `[s3-batch-out:${id}] ${batch.count} records of the node that is gone still wait: ${error.message}`,
      );
    },
  };
  writer.sealAll('close');
}
