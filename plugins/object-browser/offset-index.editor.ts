/** The query of an offset-index node: set from what is selected in the browser, and read to be looked up there. */

/** What an offset-index can be asked. Times in ms since 1970, both included. */
export interface IndexQuery {
  bucket: string;
  key?: string;
  series?: string;
  from?: number;
  to?: number;
}

export interface OffsetIndex extends EditorNode {
  connection: string;
  layout: string;
  levels: { level: string; value: string; valueType: string }[];
  [property: string]: unknown;
}

type Field = 'bucket' | 'key' | 'from' | 'to' | 'series' | 'keyPrefix';

/** All offset-index nodes of the workspace, those of the flow's order. */
export function offsetIndexes(): OffsetIndex[] {
  return RED.nodes.filterNodes({ type: 'offset-index' }) as OffsetIndex[];
}

/**
 * Puts a query in the place of a node's own, as an edit that can be undone.
 * @param layout stays as it is when none is given
 */
export function setQuery(
  node: OffsetIndex,
  { bucket, key = '', series = '', from, to }: IndexQuery,
  { connection, layout }: { connection: string; layout: string },
): void {
  const time = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString());
  const fields: Record<Field, string> = {
    bucket,
    key,
    series,
    from: time(from),
    to: time(to),
    keyPrefix: '',
  };
  const wanted: Record<string, unknown> = { connection, levels: [] };
  if (layout !== '') wanted.layout = layout;
  for (const [field, value] of Object.entries(fields)) {
    // Node-RED would put the value of an environment variable in the place of such a text, and send it to the store.
    const isVariable = /^\$(?:\{\S+\}|\(\S+\))$/.test(value);
    wanted[field] = isVariable ? JSON.stringify(value) : value;
    wanted[`${field}Type`] = isVariable ? 'jsonata' : 'str';
  }
  const before: Record<string, unknown> = {};
  for (const [property, value] of Object.entries(wanted)) {
    if (JSON.stringify(node[property]) !== JSON.stringify(value)) before[property] = node[property];
  }
  if (Object.keys(before).length === 0) return;

  RED.history.push({ t: 'edit', node, changes: before, changed: node.changed, dirty: RED.nodes.dirty() });
  for (const property of Object.keys(before)) {
    if (property === 'connection' || property === 'layout')
      moveUser(node, node[property], wanted[property] as string);
    node[property] = wanted[property];
  }
  node.changed = true;
  node.dirty = true;
  RED.editor.validateNode(node);
  RED.nodes.dirty(true);
  RED.events.emit('nodes:change', node);
  RED.view.redraw();
}

/** Config nodes know who uses them. */
function moveUser(node: EditorNode, from: string, to: string): void {
  const [old, chosen] = [RED.nodes.node(from), RED.nodes.node(to)];
  const place = old?.users?.indexOf(node) ?? -1;
  if (place >= 0) old?.users?.splice(place, 1);
  chosen?.users?.push(node);
  for (const one of [old, chosen]) if (one) RED.events.emit('nodes:change', one);
}

/** A node's query as far as it stands in the node itself; what a message or a context brings is not known. */
export interface KnownQuery {
  bucket?: string;
  key?: string;
  series?: string;
  /** As they are written: the layout may know the format. */
  from?: string;
  to?: string;
  levels: Record<string, string>;
}

export function queryOf(node: OffsetIndex): KnownQuery {
  const text = (field: Field): string | undefined => {
    const value = node[field];
    const isText = ['str', 'num'].includes(String(node[`${field}Type`]));
    return isText && typeof value === 'string' && value !== '' ? value : undefined;
  };
  const query: KnownQuery = { levels: {} };
  for (const field of ['bucket', 'key', 'series', 'from', 'to'] as const) {
    const value = text(field);
    if (value !== undefined) query[field] = value;
  }
  for (const { level, value, valueType } of node.levels) {
    if (valueType === 'str' && value !== '') query.levels[level] = value;
  }
  return query;
}
