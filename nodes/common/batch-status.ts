import type { Node, NodeAPI, NodeStatus } from 'node-red';

import type { BatchWriter } from '../../lib/batch';
import { bytesText } from './bytes';
import { headline } from './error-status';
import { type Texts, textsOf } from './texts';
import { ageText } from './types';

/** How often the status and the node's context follow, ms. */
const EVERY = 1000;

/** Shows under the node, and in its context, what a writer holds. */
export class BatchStatus {
  #timer: NodeJS.Timeout | undefined;
  #shown = '';
  #stopped = false;
  readonly #text: Texts;

  constructor(
    private readonly RED: NodeAPI,
    private readonly node: Node,
    private readonly writer: BatchWriter,
  ) {
    this.#text = textsOf(RED, 's3-batch-out.status');
    // A node that takes over open batches shows their age from its start on.
    this.#follow();
  }

  /** Something happened: shows it soon, and goes on while batches are open, since their age changes. */
  changed(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#follow();
    }, EVERY);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #follow(): void {
    this.#show();
    if (this.writer.openRecords > 0) this.changed();
  }

  #show(): void {
    const batches = this.writer.openBatches;
    const status = this.#status(batches);
    const shown = JSON.stringify(status);
    if (shown !== this.#shown) this.node.status(status);
    this.#shown = shown;
    // A store that cannot take it (full, misconfigured) must not stop the batches: they do not live there.
    const ignore = (): void => undefined;
    const { counts, uploads, journal } = this.writer;
    const values = [batches, { ...counts }, (journal?.error ?? uploads.error)?.message];
    this.node.context().set(['batches', 'counts', 'error'], values, undefined, ignore);
  }

  #status(batches: BatchWriter['openBatches']): NodeStatus {
    const text = this.#text;
    const { pending, active, error } = this.writer.uploads;
    const { storedObjects } = this.writer.counts;
    const parts: string[] = [];
    if (batches.length > 0) {
      const count = batches.reduce((sum, batch) => sum + batch.count, 0);
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
      const age = Math.max(...batches.map((batch) => batch.ageSeconds));
      parts.push(text('open', { count, bytes: bytesText(this.RED, bytes), age: ageText(age) }));
    }
    const { error: journalError } = this.writer.journal ?? {};
    if (journalError) parts.push(text('memoryOnly', { error: headline(this.RED, journalError) }));
    if (error) parts.push(text('waiting', { count: pending, error: headline(this.RED, error) }));
    if (error || journalError) return { fill: 'red', shape: 'ring', text: parts.join(' · ') };
    if (active > 0) parts.push(text('uploading', { active }));
    if (storedObjects > 0) parts.push(text('stored', { objects: storedObjects }));
    if (parts.length === 0) return { fill: 'grey', shape: 'ring', text: text('empty') };
    return {
      fill: active > 0 ? 'blue' : 'green',
      shape: batches.length > 0 ? 'dot' : 'ring',
      text: parts.join(' · '),
    };
  }
}
