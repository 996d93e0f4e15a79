import { inspect } from 'node:util';

import type { Node, NodeAPI, NodeMessage } from 'node-red';

import type { StoredObject, WriterCounts } from '../../lib/batch';
import type { BackupLedger } from '../../lib/delivery/backup-settings';
import { S3BatchError } from '../../lib/errors';
import type { Layout } from '../../lib/layout';
import type { ObjectStore } from '../../lib/store/object-store';

/** A settings node that gives access to a store; `store` throws what is wrong with its settings. */
export interface ConnectionNode extends Node {
  readonly store: ObjectStore;
  /** As it is deployed; empty for AWS. */
  readonly endpoint: string;
}

/** A settings node that holds a layout; `layout` throws what is wrong with its settings. */
export interface LayoutNode extends Node {
  readonly layout: Layout;
}

/** What other nodes may ask of an s3-batch-out. */
export interface BatchOutNode extends Node {
  /** What it counts; undefined while its settings are wrong. */
  counts?: Readonly<WriterCounts>;
  flush?: (destination?: string) => Promise<StoredObject[]>;
}

/** What other nodes may ask of a batch-backup. */
export interface BackupNode extends Node {
  /** Undefined while its settings are wrong. */
  readonly ledger?: BackupLedger;
}

export type Send = (message: NodeMessage | NodeMessage[]) => void;
export type Done = (error?: Error) => void;

/** The store of a chosen connection. @throws CONNECTION_INVALID */
export function storeOf(RED: NodeAPI, id: string | undefined): ObjectStore {
  const node = id ? (RED.nodes.getNode(id) as ConnectionNode | null) : null;
  if (!node)
    throw new S3BatchError(
      'CONNECTION_INVALID',
      'no S3 connection is chosen: choose one in the dialogue of the node',
    );
  return node.store;
}

/** The chosen layout; undefined when none is chosen. @throws LAYOUT_INVALID */
export function layoutOf(RED: NodeAPI, id: string | undefined): Layout | undefined {
  if (!id) return undefined;
  const node = RED.nodes.getNode(id) as LayoutNode | null;
  if (!node)
    throw new S3BatchError(
      'LAYOUT_INVALID',
      'the chosen archive layout is missing or disabled: choose another',
    );
  return node.layout;
}

/** A number from a dialogue, where it comes as text; `fallback` when it is empty or none. */
export function numberOf(value: unknown, fallback: number): number {
  if (value === '' || value === undefined || value === null) return fallback;
  const number = Number(value);
  return Number.isFinite(number) ? number : fallback;
}

/** Whatever was thrown as an Error: expressions throw plain objects that have a message. */
export function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return new Error(typeof message === 'string' ? message : inspect(message), { cause: error });
}

/** An age for people: `12 s`, `3 min`, `2 h`. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
