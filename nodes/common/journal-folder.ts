import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';

import type { NodeAPI } from 'node-red';

/** Folder under the user directory that holds a folder for each node's journal. */
const PARENT = 's3-batch';

/** Ids of Node-RED are hexadecimal, with `.` or `-` in old flows and in subflows; those of imported flows may be anything. */
const PLAIN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;

/** Folders that nodes of this process have asked for, and those whose lack of a node was told. */
const known = new Set<string>();

/** Where a node keeps its journal. @param folder of the user's choice; '': under the user directory */
export function journalFolder(RED: NodeAPI, folder: string | undefined, id: string): string {
  const name = PLAIN_ID.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 32);
  const own = path.join(parentFolder(RED, folder), name);
  known.add(own);
  return own;
}

function parentFolder(RED: NodeAPI, folder: string | undefined): string {
  const { userDir } = RED.settings as { userDir?: string };
  const base = userDir ?? process.cwd();
  return folder ? path.resolve(base, folder) : path.join(base, PARENT);
}

/** Warns once of each journal under the user directory that no node has: its node was deleted before all was stored. */
export function warnOfOrphanedJournals(RED: NodeAPI): void {
  const parent = parentFolder(RED, undefined);
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return; // There are no journals.
  }
  for (const name of names) {
    const folder = path.join(parent, name);
    if (known.has(folder)) continue;
    known.add(folder);
    RED.log.warn(
      `[s3-batch] the journal in ${folder} belongs to no node that runs; it may hold records that are not stored: ` +
        `enable its node, or import an s3-batch-out with the id ${name}`,
    );
  }
}
