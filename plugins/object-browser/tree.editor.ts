/** A tree whose branches are fetched when they are opened, for mouse, keyboard and screen reader (ARIA's tree pattern). */

/** What stands in a row of the tree. Texts may be anything: they are shown as text only. */
export interface Item<Data> {
  data: Data;
  icon: string;
  label: string;
  /** Said in less prominent letters below. */
  detail?: string;
  /** Whether the detail is something that went wrong. */
  isWrong?: boolean;
  /** The whole name, where the row has no room for it. */
  title?: string;
  /** Fetches what is in it, or more of it; a leaf has nothing in it. */
  load?: (next: unknown) => Promise<Page<Data>>;
}

export interface Page<Data> {
  items: Item<Data>[];
  /** What `load` takes for the next page; undefined when there is none. */
  next?: unknown;
  /** What is to be said about this page. */
  note?: string;
}

/** A row that is in the tree. */
export interface Branch<Data> {
  readonly item: Item<Data>;
  readonly element: JQuery;
  /** Those that have been fetched. */
  children: Branch<Data>[];
}

export interface TreeOptions<Data> {
  label: string;
  /** Said while something is fetched, in an empty branch, and where there is more. */
  texts: { loading: string; empty: string; more: string };
  onSelect: (branch: Branch<Data>) => void;
  /** A failure as text. */
  explain: (error: unknown) => string;
}

export interface Tree<Data> {
  readonly element: JQuery;
  /** Empties the tree and fills it anew. */
  fill(load: NonNullable<Item<Data>['load']>): Promise<void>;
  roots(): Branch<Data>[];
  /** Opens a branch; answers when its children are there, or have failed to come. */
  open(branch: Branch<Data>): Promise<void>;
  /** Adds what is known to be there, though it has not been listed. Without a branch, at the root. */
  add(item: Item<Data>, to?: Branch<Data>): Branch<Data>;
  select(branch: Branch<Data>): void;
  /** Gives the keyboard to the row that the Tab key reaches. */
  focus(): void;
}

/** What a row does when it is chosen by click or by Enter. */
type Action = (row: JQuery) => void;

export function createTree<Data>({ label, texts, onSelect, explain }: TreeOptions<Data>): Tree<Data> {
  const element = $('<ul role="tree" class="s3-browser-tree">').attr('aria-label', label);
  const actions = new WeakMap<HTMLElement, Action>();
  const branches = new WeakMap<HTMLElement, Branch<Data>>();
  const loadings = new WeakMap<Branch<Data>, Promise<void>>();
  let roots: Branch<Data>[] = [];
  let filling = 0;

  const rows = (): JQuery => element.find('[role="treeitem"]').filter(':visible');

  function focus(row: JQuery): void {
    if (row.length === 0) return;
    element.find('[role="treeitem"]').attr('tabindex', -1);
    row.attr('tabindex', 0).trigger('focus');
  }

  /** The one row that the Tab key reaches. */
  function keepReachable(): void {
    if (element.find('[role="treeitem"][tabindex="0"]').length > 0) return;
    element.find('[role="treeitem"]').first().attr('tabindex', 0);
  }

  function rowOf(list: JQuery, className: string, act: Action): JQuery {
    const level = list.parents('[role="treeitem"]').length;
    const row = $('<li role="treeitem" tabindex="-1">').addClass(className);
    row.attr('aria-level', level + 1);
    // The whole width of a row can be clicked, so each is indented by itself.
    $('<div class="s3-browser-row">')
      .css('padding-left', `${6 + level * 14}px`)
      .appendTo(row);
    const [node] = row;
    if (node) actions.set(node, act);
    return row;
  }

  function branchRow(item: Item<Data>, list: JQuery): Branch<Data> {
    const row = rowOf(list, 's3-browser-branch', () => {
      select(branch);
      if (item.load && !isOpen(branch)) void open(branch);
    });
    const branch: Branch<Data> = { item, element: row, children: [] };
    const [node] = row;
    if (node) branches.set(node, branch);
    const shown = row.children('.s3-browser-row');
    if (item.title !== undefined) shown.attr('title', item.title);
    const twisty = $('<span class="s3-browser-twisty" aria-hidden="true">').appendTo(shown);
    if (item.load) {
      row.attr('aria-expanded', 'false');
      $('<i class="fa fa-angle-right">').appendTo(twisty);
    }
    $('<i aria-hidden="true">').addClass(`s3-browser-icon ${item.icon}`).appendTo(shown);
    const words = $('<span class="s3-browser-words">').appendTo(shown);
    $('<span class="s3-browser-label">').text(item.label).appendTo(words);
    if (item.detail !== undefined) {
      $('<span class="s3-browser-detail">')
        .toggleClass('s3-browser-wrong', item.isWrong === true)
        .text(item.detail)
        .appendTo(words);
    }
    return branch;
  }

  function hintRow(list: JQuery, className: string, text: string, act: Action = () => undefined): JQuery {
    const row = rowOf(list, className, act);
    row.children('.s3-browser-row').text(text);
    return row.appendTo(list);
  }

  /** Fetches a page into a list. Never fails: what went wrong is a row, which tries again. */
  async function fetchInto(
    list: JQuery,
    children: Branch<Data>[],
    load: NonNullable<Item<Data>['load']>,
    next: unknown,
    isCurrent: () => boolean,
  ): Promise<void> {
    const loading = hintRow(list, 's3-browser-loading', texts.loading);
    const again = (row: JQuery, following: unknown): void => {
      const before = children.length;
      row.remove();
      void fetchInto(list, children, load, following, isCurrent).then(() => {
        // The row that had the focus is gone: what came in its place gets it.
        focus(list.children().eq(before));
      });
    };
    try {
      const page = await load(next);
      if (!isCurrent()) return;
      for (const item of page.items) {
        const branch = branchRow(item, list);
        branch.element.insertBefore(loading);
        children.push(branch);
      }
      if (page.note !== undefined) hintRow(list, 's3-browser-note', page.note);
      if (page.next !== undefined)
        hintRow(list, 's3-browser-more', texts.more, (row) => again(row, page.next));
      else if (children.length === 0) hintRow(list, 's3-browser-note', texts.empty);
    } catch (error) {
      if (isCurrent()) hintRow(list, 's3-browser-failure', explain(error), (row) => again(row, next));
    } finally {
      loading.remove();
      keepReachable();
    }
  }

  async function fill(load: NonNullable<Item<Data>['load']>): Promise<void> {
    const own = ++filling;
    element.empty();
    roots = [];
    await fetchInto(element, roots, load, undefined, () => own === filling);
  }

  function isOpen({ element: row }: Branch<Data>): boolean {
    return row.attr('aria-expanded') === 'true';
  }

  function setOpen({ element: row }: Branch<Data>, shows: boolean): void {
    row.attr('aria-expanded', String(shows));
    row.children('[role="group"]').toggle(shows);
    row
      .children('.s3-browser-row')
      .find('.s3-browser-twisty i')
      .toggleClass('fa-angle-right', !shows)
      .toggleClass('fa-angle-down', shows);
  }

  async function open(branch: Branch<Data>): Promise<void> {
    const { load } = branch.item;
    if (!load) return;
    setOpen(branch, true);
    const under = loadings.get(branch);
    if (under) return under;
    const list = groupOf(branch);
    const own = filling;
    const loading = fetchInto(list, branch.children, load, undefined, () => own === filling);
    loadings.set(branch, loading);
    return loading;
  }

  function groupOf({ element: row }: Branch<Data>): JQuery {
    const list = row.children('[role="group"]');
    return list.length > 0 ? list : $('<ul role="group">').appendTo(row);
  }

  function select(branch: Branch<Data>): void {
    element.find('[aria-selected]').removeAttr('aria-selected');
    branch.element.attr('aria-selected', 'true');
    focus(branch.element);
    onSelect(branch);
  }

  function add(item: Item<Data>, to?: Branch<Data>): Branch<Data> {
    const list = to ? groupOf(to) : element;
    const children = to ? to.children : roots;
    const branch = branchRow(item, list);
    // Before what was not fetched yet.
    const after = children.at(-1);
    if (after) branch.element.insertAfter(after.element);
    else branch.element.prependTo(list);
    list.children('.s3-browser-note').remove();
    children.push(branch);
    keepReachable();
    return branch;
  }

  function act(row: JQuery): void {
    const [node] = row;
    if (node) actions.get(node)?.(row);
  }

  function toggle(row: JQuery): void {
    const branch = branchOf(row);
    if (!branch?.item.load) act(row);
    else if (isOpen(branch)) setOpen(branch, false);
    else void open(branch);
  }

  function branchOf(row: JQuery): Branch<Data> | undefined {
    const [node] = row;
    return node && branches.get(node);
  }

  element.on('click', '.s3-browser-row', (event) => {
    const row = $(event.currentTarget as HTMLElement).parent();
    if ($(event.target).closest('.s3-browser-twisty').length > 0) {
      focus(row);
      toggle(row);
    } else act(row);
  });

  const keys: Record<string, (row: JQuery) => void> = {
    ArrowDown: (row) => focus(rows().eq(rows().index(row) + 1)),
    ArrowUp: (row) => focus(rows().eq(Math.max(0, rows().index(row) - 1))),
    Home: () => focus(rows().first()),
    End: () => focus(rows().last()),
    ArrowRight: (row) => {
      const branch = branchOf(row);
      if (branch && isOpen(branch)) focus(row.find('[role="treeitem"]').first());
      else if (branch) void open(branch);
    },
    ArrowLeft: (row) => {
      const branch = branchOf(row);
      if (branch && isOpen(branch)) setOpen(branch, false);
      else focus(row.parent().closest('[role="treeitem"]'));
    },
    Enter: act,
    ' ': act,
  };
  element.on('keydown', (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // The editor has shortcuts of its own for these keys.
    event.stopPropagation();
    act($(event.target).closest('[role="treeitem"]'));
  });

  return {
    element,
    fill,
    roots: () => roots,
    open,
    add,
    select,
    focus: () => focus(element.find('[role="treeitem"][tabindex="0"]')),
  };
}
