import type { Node, NodeAPI, NodeStatus } from 'node-red';

import type { Backup } from '../../lib/delivery/backup';
import type { BackupLedger } from '../../lib/delivery/backup-settings';
import { bytesText } from './bytes';
import { headline } from './error-status';
import { type Texts, textsOf } from './texts';
import { ageText } from './types';

/** How often status, context and ledger follow, ms. */
const EVERY = 1000;

/** Shows under the node, in its context and in its ledger what a backup holds. */
export class BackupStatus {
  #timer: NodeJS.Timeout | undefined;
  #shown = '';
  #sent = '';
  #stopped = false;
  readonly #text: Texts;

  /** @param send is given the ledger when it has changed */
  constructor(
    private readonly RED: NodeAPI,
    private readonly node: Node,
    private readonly backup: Backup,
    private readonly send: (ledger: BackupLedger) => void,
  ) {
    this.#text = textsOf(RED, 'batch-backup.status');
    this.#show(backup.ledger);
    this.changed();
  }

  /** Something happened: shows it soon, and goes on while messages are held, since their age changes. */
  changed(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#follow();
    }, EVERY).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #follow(): void {
    const { ledger } = this.backup;
    this.#show(ledger);
    const text = JSON.stringify(ledger);
    if (text !== this.#sent) {
      this.#sent = text;
      this.send(ledger);
    }
    if (this.backup.openRecords > 0 || ledger.waiting > 0) this.changed();
  }

  #show(ledger: BackupLedger): void {
    const status = this.#status(ledger);
    const shown = JSON.stringify(status);
    if (shown !== this.#shown) this.node.status(status);
    this.#shown = shown;
    // A store that cannot take it (full, misconfigured) must not stop the backup, which does not live there.
    this.node.context().set('ledger', ledger, undefined, () => undefined);
  }

  #status({ held, heldBytes, uploading, uploaded }: BackupLedger): NodeStatus {
    const text = this.#text;
    const { uploads, journalError, oldestAge } = this.backup;
    const parts: string[] = [];
    if (held > 0) {
      const age = ageText(oldestAge / 1000);
      parts.push(text('held', { held, bytes: bytesText(this.RED, heldBytes), age }));
    }
    if (journalError) parts.push(text('memoryOnly', { error: headline(this.RED, journalError) }));
    if (uploads.error) {
      const error = headline(this.RED, uploads.error);
      parts.push(text('waiting', { count: uploading, error }));
    } else if (uploading > 0) parts.push(text('uploading', { uploading }));
    if (journalError ?? uploads.error) return { fill: 'red', shape: 'ring', text: parts.join(' · ') };
    if (uploaded > 0) parts.push(text('uploaded', { uploaded }));
    if (parts.length === 0) return { fill: 'grey', shape: 'ring', text: text('empty') };
    return {
      fill: uploading > 0 ? 'blue' : 'green',
      shape: held > 0 ? 'dot' : 'ring',
      text: parts.join(' · '),
    };
  }
}
