import { type Archive, SHOW_OBJECT_BROWSER } from '../nodes/common/browse.editor';
import { bytesText } from '../nodes/common/bytes';
import { createDetails } from './object-browser/details.editor';
import {
  bucketItem,
  explain,
  folderItem,
  loadBuckets,
  objectItem,
  type ObjectRow,
  type Place,
  queryAt,
  type Session,
} from './object-browser/items.editor';
import { offsetIndexes, type OffsetIndex, queryOf, setQuery } from './object-browser/offset-index.editor';
import {
  type Asked,
  createRequests,
  type Failure,
  isFailure,
  type Where,
} from './object-browser/requests.editor';
import { type Branch, createTree, type Tree } from './object-browser/tree.editor';

const ID = 's3-batch-object-browser';
const CATALOGUE = 'node-red-contrib-s3-batch/object-browser:object-browser.';
/** Events of the editor after which there may be other nodes to choose from. */
const CHANGES = ['nodes:add', 'nodes:remove', 'nodes:change', 'workspace:clear'];

const text = (key: string, values?: Record<string, string | number>): string =>
  RED._(`${CATALOGUE}${key}`, values);

/** What the runtime does not say in words of its own. */
function withoutWords(status: number): Failure {
  const code = { 0: 'UNREACHABLE', 401: 'FORBIDDEN', 403: 'FORBIDDEN', 404: 'UNAVAILABLE' }[status];
  return { code: code ?? 'FAILED', message: text(`failure.${code ?? 'FAILED'}`, { status }) };
}

/** The parts of the sidebar that are made once. */
interface Browser {
  readonly content: JQuery;
  readonly toolbar: JQuery;
  /** Takes up which nodes there are. */
  refresh(): void;
  /** Offers a node's query first. */
  prefer(id: string): void;
  /** Lists an archive, and gives the keyboard to what is in it. */
  show(archive: Archive): Promise<void>;
}

function createBrowser(): Browser {
  const connection = $('<select id="s3-browser-connection">');
  const layout = $('<select id="s3-browser-layout">');
  const bucket = $('<input type="text" id="s3-browser-bucket" spellcheck="false" autocomplete="off">');
  const target = $('<select id="s3-browser-target">');
  const cost = $('<span class="s3-browser-cost">');
  let total: Asked = { requests: 0, bytes: 0 };
  let selected: Branch<Place> | undefined;

  const where = (): Where => ({
    connection: String(connection.val() ?? ''),
    layout: String(layout.val() ?? ''),
  });
  const requests = createRequests((asked) => {
    total = { requests: total.requests + asked.requests, bytes: total.bytes + asked.bytes };
    const words = ({ requests: count, bytes }: Asked): string =>
      text('cost.asked', { count, bytes: bytesText(RED, bytes) });
    cost.text(text('cost.all', { last: words(asked), total: words(total) }));
  }, withoutWords);
  const session: Session = {
    text,
    ask: (question, parameters) => requests.ask(where(), question, parameters),
  };

  const details = createDetails(session);
  const tree: Tree<Place> = createTree<Place>({
    label: text('label.tree'),
    texts: { loading: text('note.loading'), empty: text('note.empty'), more: text('note.more') },
    explain: (error) => (isFailure(error) ? explain(session, error) : String(error)),
    onSelect: (branch) => {
      selected = branch;
      details.show(branch.item.data);
      showButtons();
    },
  });

  function start(): Promise<void> {
    selected = undefined;
    details.show(undefined);
    showButtons();
    hint.hide();
    tree.element.show();
    return tree.fill(() => loadBuckets(session));
  }

  function button(icon: string, label: string, act: () => void): JQuery {
    const made = $('<button type="button" class="red-ui-button red-ui-button-small">');
    $('<i aria-hidden="true">').addClass(icon).appendTo(made);
    made.append(' ', document.createTextNode(label)).on('click', act);
    return made;
  }

  function row(label: string, field: JQuery, ...others: JQuery[]): JQuery {
    const bound = $('<label>')
      .attr('for', field.attr('id') ?? '')
      .text(text(`label.${label}`));
    return $('<div class="s3-browser-field">').append(bound, field, ...others);
  }

  // Buckets that are not listed can be typed in.
  const openBucket = (): void => {
    const name = String(bucket.val()).trim();
    if (name === '' || where().connection === '') return;
    const branch = bucketBranch(name);
    tree.select(branch);
    void tree.open(branch);
  };
  bucket.on('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    openBucket();
  });
  const list = button('fa fa-refresh', text('button.list'), () => void start());
  const openTyped = button('fa fa-folder-open-o', text('button.open'), openBucket);
  connection.on('change', () => {
    showButtons();
    if (where().connection !== '') void start();
  });
  layout.on('change', () => {
    if (where().connection !== '' && tree.roots().length > 0) void start();
  });

  const set = button('fa fa-sign-in', text('button.set'), () => {
    const node = chosenIndex();
    if (!node || !selected) return;
    const name = RED.utils.getNodeLabel(node, node.type);
    const isLocked = node.z !== undefined && RED.workspaces.isLocked?.(node.z) === true;
    if (isLocked || isDialogueOpen()) {
      const why = isLocked ? 'notify.locked' : 'notify.editing';
      RED.notify(escaped(text(why, { name })), { type: 'error' });
      return;
    }
    setQuery(node, queryAt(selected.item.data), where());
    RED.view.reveal(node.id);
    RED.notify(escaped(text('notify.set', { name })), { type: 'success', timeout: 4000 });
  });
  const lookUp = button('fa fa-search', text('button.lookUp'), () => {
    const node = chosenIndex();
    if (node) void find(node).catch(tell);
  });
  set.attr('title', text('title.set'));
  lookUp.attr('title', text('title.lookUp'));

  function tell(error: unknown): void {
    const words = isFailure(error) ? explain(session, error) : String(error);
    RED.notify(escaped(words), { type: 'error', timeout: 10_000 });
  }

  function chosenIndex(): OffsetIndex | undefined {
    return offsetIndexes().find(({ id }) => id === target.val());
  }

  function showButtons(): void {
    const hasConnection = where().connection !== '';
    const hasTarget = chosenIndex() !== undefined;
    list.prop('disabled', !hasConnection);
    openTyped.prop('disabled', !hasConnection);
    set.prop('disabled', !hasTarget || selected === undefined);
    lookUp.prop('disabled', !hasTarget);
  }
  target.on('change', showButtons);

  function bucketBranch(name: string): Branch<Place> {
    hint.hide();
    tree.element.show();
    const isIt = ({ item }: Branch<Place>): boolean =>
      item.data.kind === 'bucket' && item.data.bucket === name;
    return tree.roots().find(isIt) ?? tree.add(bucketItem(session, name));
  }

  /** Opens what a node's query asks for, as far as the node itself tells it. */
  async function find(node: OffsetIndex): Promise<void> {
    const { key, series, levels, ...query } = queryOf(node);
    connection.val(node.connection);
    layout.val(node.layout);
    showButtons();
    const asked = await session.ask<{ buckets: string[]; from?: number }>('places', {
      ...query,
      levels: JSON.stringify(levels),
    });
    const [name, ...others] = asked.buckets;
    if (name === undefined) return;
    await start();
    const found = bucketBranch(name);
    await tree.open(found);
    const branch =
      key === undefined ? await dayOf(found, asked.from) : await objectOf(found, name, key, series);
    tree.select(branch);
    if (others.length > 0) {
      RED.notify(escaped(text('notify.others', { buckets: others.join(', ') })), {
        type: 'success',
        timeout: 8000,
      });
    }
  }

  /** The innermost partition that holds a time. */
  async function dayOf(bucketFound: Branch<Place>, time: number | undefined): Promise<Branch<Place>> {
    let branch = bucketFound;
    while (time !== undefined) {
      const inside = branch.children.find(({ item: { data } }) => {
        return (
          data.kind === 'folder' && data.from !== undefined && data.from <= time && time <= (data.to ?? 0)
        );
      });
      if (!inside) break;
      await tree.open((branch = inside));
    }
    return branch;
  }

  async function objectOf(
    bucketFound: Branch<Place>,
    name: string,
    key: string,
    series: string | undefined,
  ): Promise<Branch<Place>> {
    let branch = bucketFound;
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const prefix = key.slice(0, slash + 1);
      const known = branch.children.find(
        ({ item: { data } }) => data.kind === 'folder' && data.prefix === prefix,
      );
      branch = known ?? tree.add(folderItem(session, name, { prefix }), branch);
      await tree.open(branch);
    }
    const known = branch.children.find(
      ({ item: { data } }) => data.kind === 'object' && data.object.key === key,
    );
    const object =
      known ??
      tree.add(
        objectItem(session, name, await session.ask<ObjectRow>('object', { bucket: name, key })),
        branch,
      );
    if (series === undefined) return object;
    await tree.open(object);
    const isIt = ({ item: { data } }: Branch<Place>): boolean =>
      data.kind === 'series' && data.series.series === series;
    return object.children.find(isIt) ?? object;
  }

  async function show(archive: Archive): Promise<void> {
    refresh();
    connection.val(archive.connection);
    layout.val(archive.layout);
    bucket.val(archive.bucket);
    showButtons();
    if (where().connection === '') {
      connection.trigger('focus');
      return;
    }
    await start();
    if (archive.bucket === '') tree.focus();
    else openBucket();
  }

  function fillSelect(select: JQuery, nodes: readonly EditorNode[], none: string | undefined): void {
    const before = String(select.val() ?? '');
    select.empty();
    if (none !== undefined) $('<option value="">').text(none).appendTo(select);
    for (const node of nodes) {
      $('<option>').val(node.id).text(RED.utils.getNodeLabel(node, node.type)).appendTo(select);
    }
    const isThere = nodes.some(({ id }) => id === before);
    select.val(isThere || none === undefined ? (isThere ? before : (nodes[0]?.id ?? '')) : '');
  }

  function refresh(): void {
    const configs: EditorNode[] = [];
    RED.nodes.eachConfig((node) => {
      configs.push(node);
      return true;
    });
    const ofType = (type: string): EditorNode[] => configs.filter((node) => node.type === type);
    const connections = ofType('s3-connection');
    fillSelect(connection, connections, connections.length === 0 ? text('none.connection') : undefined);
    fillSelect(layout, ofType('archive-layout'), text('none.layout'));
    const indexes = offsetIndexes();
    fillSelect(target, indexes, indexes.length === 0 ? text('none.target') : undefined);
    hint.text(text(connections.length === 0 ? 'note.noConnection' : 'note.start'));
    showButtons();
  }

  const hint = $('<p class="s3-browser-hint">');
  tree.element.hide();
  const content = $('<div class="s3-browser">').append(
    $('<div class="s3-browser-where">').append(
      row('connection', connection, list),
      row('layout', layout),
      row('bucket', bucket, openTyped),
    ),
    $('<div class="s3-browser-shelves">').append(hint, tree.element),
    details.element,
    $('<div class="s3-browser-query">').append(
      row('target', target),
      $('<div class="s3-browser-buttons">').append(set, lookUp),
    ),
  );
  refresh();
  return {
    content,
    toolbar: $('<div>').append(cost),
    refresh,
    prefer: (id) => {
      target.val(id);
      showButtons();
    },
    show,
  };
}

/** A dialogue would write over the query when it is closed. */
function isDialogueOpen(): boolean {
  return $('.red-ui-tray').length > 0;
}

/** Notifications are taken for HTML. */
function escaped(words: string): string {
  return $('<span>').text(words).html();
}

let refreshing: ReturnType<typeof setTimeout> | undefined;
let browser: Browser | undefined;

/** Many nodes may come at a time. */
const refreshSoon = (): void => {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => browser?.refresh(), 100);
};

const followSelection = ({ nodes = [] }: { nodes?: EditorNode[] }): void => {
  const [node, ...others] = nodes;
  if (node?.type === 'offset-index' && others.length === 0) browser?.prefer(node.id);
};

RED.plugins.registerPlugin(ID, {
  onadd() {
    browser = createBrowser();
    RED.actions.add(SHOW_OBJECT_BROWSER, (archive?: Archive) => {
      RED.sidebar.show(ID);
      if (archive) void browser?.show(archive);
    });
    RED.sidebar.addTab({
      id: ID,
      name: text('name'),
      label: text('label.tab'),
      iconClass: 'fa fa-archive',
      action: SHOW_OBJECT_BROWSER,
      content: browser.content,
      toolbar: browser.toolbar,
      // Dialogues open it.
      enableOnEdit: true,
      onchange: refreshSoon,
    });
    for (const event of CHANGES) RED.events.on(event, refreshSoon);
    RED.events.on('view:selection-changed', followSelection);
  },
  onremove() {
    for (const event of CHANGES) RED.events.off(event, refreshSoon);
    RED.events.off('view:selection-changed', followSelection);
    RED.actions.remove(SHOW_OBJECT_BROWSER);
    RED.sidebar.removeTab(ID);
  },
});
