/** What the editor scripts use of the editor's global `RED`. The published types know no validators that answer a sentence. */

/** A node as the editor holds it, beside its own properties. */
interface EditorNode {
  readonly id: string;
  readonly type: string;
  /** Id of the flow, or of the subflow; none for a config node that all flows share. */
  readonly z?: string;
  name: string;
  /** Whether it has been edited since it was deployed. */
  changed?: boolean;
  /** Whether it is to be drawn anew. */
  dirty?: boolean;
  /** Of a config node: the nodes that use it. */
  users?: EditorNode[];
  /** How its type is registered. */
  readonly _def: {
    readonly defaults: Readonly<Record<string, Pick<NodeProperty<EditorNode, never>, 'validate' | 'type'>>>;
    readonly credentials?: Readonly<Record<string, Pick<NodeProperty<EditorNode, never>, 'validate'>>>;
  };
  /** What its last validation said. */
  readonly valid?: boolean | null;
  /** A text of the node's own catalogue. */
  _(key: string, values?: Record<string, string | number>): string;
}

interface ValidationOptions {
  /** What the property is called, where its definition says so. */
  label?: string;
}

interface NodeProperty<Node, Value> {
  value: Value;
  /** Type of the node whose id the property holds. */
  type?: string;
  required?: boolean;
  /** Answers true or what is wrong. Node-RED takes a sentence only from a function of two parameters. */
  validate?(this: Node, value: Value, options: ValidationOptions): true | string;
}

interface NodeDefinition<Properties, Credentials> {
  category: string;
  defaults: { [Name in keyof Properties]: NodeProperty<EditorNode & Properties, Properties[Name]> };
  credentials?: {
    [Name in keyof Credentials]: {
      type: 'text' | 'password';
      validate?(this: EditorNode & Properties, value: string, options: ValidationOptions): true | string;
    };
  };
  color?: string;
  icon?: string;
  inputs?: 0 | 1;
  outputs?: number;
  paletteLabel?: string | (() => string);
  label(this: EditorNode & Properties): string;
  labelStyle?(this: EditorNode & Properties): string;
  outputLabels?(this: EditorNode & Properties, output: number): string;
  button?: {
    enabled(this: EditorNode & Properties): boolean;
    onclick(this: EditorNode & Properties): void;
  };
  oneditprepare?(this: EditorNode & Properties): void;
  oneditsave?(this: EditorNode & Properties): void;
  oneditcancel?(this: EditorNode & Properties): void;
  oneditdelete?(this: EditorNode & Properties): void;
}

interface JQuery {
  /** Node-RED's list below a text field; `search` answers what the field's whole text may become. */
  autoComplete(options: {
    search(text: string): { value: string; label: string }[];
    minLength?: number;
  }): this;
}

/** A change of a node as the editor's history keeps it. */
interface EditEvent {
  t: 'edit';
  node: EditorNode;
  /** Values that the properties had. */
  changes: Record<string, unknown>;
  /** Whether the node and the workspace had been edited before. */
  changed: boolean | undefined;
  dirty: boolean;
}

interface EditorPlugin {
  onadd?(): void;
  onremove?(): void;
}

interface SidebarTab {
  id: string;
  name: string;
  label: string;
  iconClass: string;
  /** Action that shows it, so that it can have a shortcut. */
  action: string;
  content: JQuery;
  toolbar?: JQuery;
  /** Whether it can be used while a dialogue is open. */
  enableOnEdit?: boolean;
  /** When the tab comes to the front. */
  onchange?(): void;
}

declare const RED: {
  /** A text of any catalogue: `SET:key`. */
  _(key: string, values?: Record<string, string | number>): string;
  i18n: {
    /** The language that the editor shows: the first one preferred, by the user or the browser, that it has. */
    lang(): string;
  };
  actions: {
    add(name: string, action: (about?: never) => void): void;
    remove(name: string): void;
    list(): { id: string }[];
    invoke(name: string, about?: unknown): void;
  };
  editor: { validateNode(node: EditorNode): boolean };
  events: {
    on(event: string, listener: (event: never) => void): void;
    off(event: string, listener: (event: never) => void): void;
    emit(event: string, about: unknown): void;
  };
  history: { push(event: EditEvent): void };
  plugins: { registerPlugin(id: string, plugin: EditorPlugin): void };
  sidebar: { addTab(tab: SidebarTab): void; removeTab(id: string): void; show(id: string): void };
  workspaces: { isLocked?(id: string): boolean };
  nodes: {
    registerType<Properties, Credentials = object>(
      type: string,
      definition: NodeDefinition<Properties, Credentials>,
    ): void;
    node(id: string): EditorNode | null;
    filterNodes(filter: { type: string }): EditorNode[];
    eachConfig(visit: (node: EditorNode) => void): void;
    /** Tells, or is told, that something has changed since it was deployed. */
    dirty(isDirty?: boolean): boolean;
    workspace(id: string): { label: string } | undefined;
    subflow(id: string): { name: string } | undefined;
  };
  utils: {
    getNodeLabel(node: EditorNode, otherwise: string): string;
    validateTypedProperty(value: string, type: string, options: ValidationOptions): true | string;
  };
  view: {
    calculateTextWidth(text: string, className: string): number;
    redraw(): void;
    reveal(id: string): void;
  };
  popover: { tooltip(target: JQuery, text: string): unknown };
  notify(message: string, options: { type: 'success' | 'error'; timeout?: number }): unknown;
};
