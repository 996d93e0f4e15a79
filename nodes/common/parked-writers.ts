import type { NodeAPI } from 'node-red';

import type { StoredObject, Upload } from '../../lib/batch';
import { messageOf, type S3BatchError } from '../../lib/errors';
import { whenNotStarted } from './deploy-watch';

/** What is asked of a writer whose node is gone. */
export interface Parkable {
  /** Records taken and not stored yet. */
  readonly openRecords: number;
  /** Of these, the ones that a crash would lose. */
  readonly unsafeRecords: number;
  /** Resolves when its journal is open, or will not be soon. */
  readonly opened: Promise<void>;
  sealAll(trigger: 'close'): void;
  close(ms: number): Promise<unknown>;
}

/** Who hears of a writer's uploads: the node that has it at the time. `Recovery` is what its journal held. */
export interface WriterListener<Recovery> {
  /** Something was stored: `untold` has it. */
  stored(): void;
  failed(error: S3BatchError, upload: Upload, pauseMs: number): void;
  journalFailed?(error: S3BatchError, pauseMs: number): void;
  journalRestored?(): void;
  recovered?(recovery: Recovery): void;
  refused?(error: S3BatchError): void;
}

/** A stored object, with the digests of its records where they are to be announced. */
export interface Untold {
  object: StoredObject;
  digests: Buffer | undefined;
}

/** A writer and the node that has it; a writer outlives its node when the node is deployed anew. */
export interface WriterSlot<Writer extends Parkable, Recovery> {
  writer: Writer;
  listener: WriterListener<Recovery> | undefined;
  /** What was stored and is not told yet: no node was there, or those behind it were not. */
  untold: Untold[];
}

/** How long an unclaimed writer waits when no flows start at all, ms. */
const UNCLAIMED_AFTER = 60_000;

interface FlowsStopping {
  diff?: object | null;
}

/**
 * Writers between two deploys. A node that closes parks its writer with all its batches; the node of the same id that
 * is started next takes it up. What nobody takes up is uploaded.
 */
export class ParkedWriters<Writer extends Parkable, Recovery> {
  readonly #slots = new Map<string, WriterSlot<Writer, Recovery>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Those of nodes that are gone, until everything of theirs is stored, with the nodes' ids. */
  readonly #finishing = new Map<WriterSlot<Writer, Recovery>, string>();
  #starting: (() => void)[] = [];
  #deploying = false;
  #areStopped = false;

  /** @param type of the nodes, for the log */
  constructor(
    private readonly RED: NodeAPI,
    private readonly type: string,
  ) {
    // A deploy tells what it changes, with more in it than the empty diff of a stop of the process. Where that cannot
    // be told, the node takes it for a stop and uploads: also safe, only with smaller objects.
    RED.events.on('flows:stopping', ({ diff }: FlowsStopping) => {
      this.#deploying = diff !== undefined && diff !== null && 'globalConfigChanged' in diff;
      this.#areStopped = true;
      if (!this.#deploying) this.#tellUnstored();
    });
    whenNotStarted(RED, () => {
      this.#started();
    });
    RED.events.on('flows:started', () => {
      this.#started();
      for (const id of [...this.#slots.keys()]) this.#abandon(id);
    });
  }

  /** True while flows stop for a deploy, so that a node of the same id may follow. */
  get deploying(): boolean {
    return this.#deploying;
  }

  /** A deploy has stopped nodes, and they are not there again: what is sent now may find nobody. */
  get areStopped(): boolean {
    return this.#areStopped;
  }

  #started(): void {
    this.#areStopped = false;
    for (const started of this.#starting.splice(0)) started();
  }

  /** Calls back once all nodes of the flows are there: what a node sends before that may find nobody. */
  whenStarted(callback: () => void): void {
    this.#starting.push(callback);
  }

  park(id: string, slot: WriterSlot<Writer, Recovery>): void {
    slot.listener = undefined;
    this.#slots.set(id, slot);
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#abandon(id);
      }, UNCLAIMED_AFTER).unref(),
    );
  }

  /**
   * What the node's predecessor left, or one before that, which may still wait for settings that work: between them
   * may have been a node whose settings did not.
   */
  take(id: string): WriterSlot<Writer, Recovery> | undefined {
    const slot = this.#slots.get(id) ?? this.#finishingOf(id);
    this.#slots.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (slot) this.#finishing.delete(slot);
    return slot;
  }

  /** Seals and uploads everything of a writer whose node is gone, for as long as it takes; the log tells how it goes. */
  finish(id: string, slot: WriterSlot<Writer, Recovery>): void {
    const { writer } = slot;
    const { log } = this.RED;
    slot.listener = {
      stored: () => {
        for (const { object } of slot.untold.splice(0))
          log.info(`[${this.type}:${id}] stored ${object.bucket}/${object.key} of the node that is gone`);
        if (writer.openRecords === 0) this.#end(slot);
      },
      failed: (error, { batch }) => {
        log.warn(
          `[${this.type}:${id}] ${batch.count} records of the node that is gone still wait: ${error.message}`,
        );
      },
    };
    this.#finishing.set(slot, id);
    // Its journal may hold more than the writer knows by now.
    void writer.opened.then(() => {
      // A node of the same id may have taken it up since.
      if (!this.#finishing.has(slot)) return;
      writer.sealAll('close');
      if (writer.openRecords === 0) this.#end(slot);
    });
  }

  #end(slot: WriterSlot<Writer, Recovery>): void {
    this.#finishing.delete(slot);
    slot.writer.close(0).catch((error: unknown) => {
      this.RED.log.warn(`[${this.type}] ${messageOf(error)}`);
    });
  }

  #abandon(id: string): void {
    const slot = this.take(id);
    if (slot) this.finish(id, slot);
  }

  #finishingOf(id: string): WriterSlot<Writer, Recovery> | undefined {
    for (const [slot, own] of this.#finishing) if (own === id) return slot;
    return undefined;
  }

  /** No node is left that could wait for these when the process stops. */
  #tellUnstored(): void {
    const slots = [...this.#slots.values(), ...this.#finishing.keys()];
    const records = slots.reduce((sum, { writer }) => sum + writer.unsafeRecords, 0);
    if (records === 0) return;
    this.RED.log.error(
      `[${this.type}] ${records} records of nodes that are gone are not stored yet: if Node-RED ends now, they are lost`,
    );
  }
}
