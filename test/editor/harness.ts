import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { until } from '../support/fake-clock';
import type { NodeRedProcess } from '../support/node-red-process';

const REPOSITORY = path.resolve(__dirname, '../../..');
const SCREENSHOTS = path.join(REPOSITORY, 'test-output', 'editor');
/** Debian's; a browser elsewhere is named by CHROMIUM. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What covers the editor, or turns in it, while it deploys. */
const BUSY = ['#red-ui-header-shade', '#red-ui-editor-shade', '.red-ui-deploy-button-spinner']
  .map((selector) => `${selector}:visible`)
  .join(', ');

/** A node as the editor knows it. */
export interface EditorNode {
  id: string;
  type: string;
  name?: string;
  /** Id of its flow; config nodes have none. */
  z?: string;
}

interface TypeDefinition {
  category: string;
  icon?: string | (() => string);
}

/** What the tests use of the editor's global `RED`. */
interface EditorApi {
  actions: { invoke(action: string): void };
  workspaces: { show(id: string): void };
  editor: { edit(node: EditorNode): void; editConfig(name: string, type: string, id: string): void };
  nodes: {
    node(id: string): EditorNode | null;
    eachNode(visit: (node: EditorNode) => void): void;
    eachConfig(visit: (node: EditorNode) => void): void;
    getType(type: string): TypeDefinition | undefined;
    getNodeHelp(type: string): string | undefined;
    clear(): void;
    dirty(is: boolean): void;
  };
}

/** Opens a browser; one serves many editors. */
export async function launchBrowser(): Promise<Browser> {
  // Playwright gives each launch a fresh profile, and `headless` brings `--headless`.
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS });
}

/** The editor of a running Node-RED in a page of its own, as a user sees it. */
export class Editor {
  readonly page: Page;
  /** Errors on the browser's console, uncaught ones, and requests that were refused. */
  readonly errors: string[] = [];
  readonly #nodeRed: NodeRedProcess;

  private constructor(page: Page, nodeRed: NodeRedProcess) {
    this.page = page;
    this.#nodeRed = nodeRed;
    page.on('pageerror', (error) => this.errors.push(error.stack ?? error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`${message.text()} (${message.location().url})`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.errors.push(`${response.status()} for ${response.url()}`);
    });
  }

  /**
   * @param height of the window, pixels: a high one shows whole dialogues
   * @param username who logs in, where that is needed; the password is the same
   */
  static async open(
    browser: Browser,
    nodeRed: NodeRedProcess,
    height = 900,
    username?: string,
  ): Promise<Editor> {
    const context = await browser.newContext({ viewport: { width: 1400, height }, locale: 'en-US' });
    const editor = new Editor(await context.newPage(), nodeRed);
    await editor.page.goto(nodeRed.url);
    if (username !== undefined) {
      await editor.page.locator('#node-dialog-login-username').fill(username);
      await editor.page.locator('#node-dialog-login-password').fill(username);
      await editor.page.locator('#node-dialog-login-submit').click();
    }
    await editor.page.locator('#red-ui-palette-container .red-ui-palette-node').first().waitFor();
    await editor.page
      .locator('#red-ui-loading-progress, #red-ui-full-shade')
      .first()
      .waitFor({ state: 'hidden' });
    return editor;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** Header text of the palette category that shows this type; undefined when the palette does not show it. */
  async paletteCategory(type: string): Promise<string | undefined> {
    const category = this.page.locator('.red-ui-palette-category', {
      has: this.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`),
    });
    if ((await category.count()) === 0) return undefined;
    return (await category.locator('.red-ui-palette-header').innerText()).trim();
  }

  /** How a type is registered in the editor, its help as HTML, and its icon; undefined when it is not. */
  async type(type: string): Promise<{ category: string; help: string; icon: string } | undefined> {
    return this.page.evaluate((name) => {
      const { nodes } = (globalThis as unknown as { RED: EditorApi }).RED;
      const definition = nodes.getType(name);
      if (definition === undefined) return undefined;
      const icon = typeof definition.icon === 'function' ? definition.icon() : (definition.icon ?? '');
      return { category: definition.category, help: nodes.getNodeHelp(name) ?? '', icon };
    }, type);
  }

  /** All nodes in the editor, config nodes included. */
  async nodes(): Promise<EditorNode[]> {
    return this.page.evaluate(() => {
      const { nodes } = (globalThis as unknown as { RED: EditorApi }).RED;
      const all: EditorNode[] = [];
      const add = ({ id, type, name = '', z }: EditorNode): void => {
        all.push(z === undefined ? { id, type, name } : { id, type, name, z });
      };
      nodes.eachNode(add);
      nodes.eachConfig(add);
      return all;
    });
  }

  /**
   * Imports an example of a package by the Import menu and shows its flow. Answers the nodes that came.
   * @param name as the menu shows it: the file's name without `.json`
   */
  async importExample(packageName: string, name: string): Promise<EditorNode[]> {
    const before = new Set((await this.nodes()).map(({ id }) => id));
    await this.page.evaluate(() => {
      (globalThis as unknown as { RED: EditorApi }).RED.actions.invoke('core:show-examples-import-dialog');
    });
    const examples = this.page.locator('#red-ui-clipboard-dialog-import-tab-examples');
    await examples.getByText(packageName, { exact: true }).click();
    await examples.getByText(name, { exact: true }).click();
    await this.page.locator('#red-ui-clipboard-dialog-ok').click();
    await this.page.locator('#red-ui-clipboard-dialog-ok').waitFor({ state: 'hidden' });
    let imported: EditorNode[] = [];
    // The flow is fetched once the dialogue is gone.
    await until(`nodes of the example "${name}"`, async () => {
      imported = (await this.nodes()).filter(({ id }) => !before.has(id));
      return imported.length > 0;
    });
    await this.page.evaluate((flow) => {
      (globalThis as unknown as { RED: EditorApi }).RED.workspaces.show(flow);
    }, imported[0]?.z ?? '');
    return imported;
  }

  /**
   * Presses Deploy and waits until the editor says that it is done and the flows have started. Fails with the editor's
   * question when it asks one, such as whether to deploy nodes that are not properly configured.
   */
  async deploy(): Promise<void> {
    const from = this.#nodeRed.log.length;
    const question = this.page.locator('.red-ui-notification', {
      has: this.page.locator('.ui-dialog-buttonset'),
    });
    const success = this.page.locator('.red-ui-notification-success');
    await this.page.locator('#red-ui-header-button-deploy').click();
    await question.or(success).first().waitFor();
    if (await question.isVisible()) throw new Error(`the editor asks: ${await question.innerText()}`);
    await this.page.locator(BUSY).first().waitFor({ state: 'hidden' });
    await this.#nodeRed.waitForLog(/Started (?:modified )?(?:flows|nodes)/, { from });
  }

  /** Deletes all flows; what is deployed next takes their place. */
  async clear(): Promise<void> {
    await this.page.evaluate(() => {
      const { nodes } = (globalThis as unknown as { RED: EditorApi }).RED;
      nodes.clear();
      nodes.dirty(true);
    });
  }

  /** Opens the dialogue of a node or config node. Answers its form once it is in place. */
  async openDialog(id: string): Promise<Locator> {
    await this.page.evaluate((nodeId) => {
      const { editor, nodes } = (globalThis as unknown as { RED: EditorApi }).RED;
      const node = nodes.node(nodeId);
      if (node === null) throw new Error(`the editor has no node ${nodeId}`);
      if (nodes.getType(node.type)?.category === 'config') editor.editConfig('', node.type, node.id);
      else editor.edit(node);
    }, id);
    const form = this.page.locator('.red-ui-tray').last().locator('form').first();
    await form.waitFor();
    await this.trayAtRest();
    return form;
  }

  /** Closes the dialogue that is on top; its changes are kept only with `keep`. */
  async closeDialog({ keep = false } = {}): Promise<void> {
    const trays = this.page.locator('.red-ui-tray');
    const open = await trays.count();
    const button = keep ? 'ok' : 'cancel';
    await trays.last().locator(`#node-dialog-${button}, #node-config-dialog-${button}`).click();
    await this.page.waitForFunction(
      (count) =>
        (globalThis as unknown as { $: (selector: string) => { length: number } }).$('.red-ui-tray').length <
        count,
      open,
    );
  }

  /** Closes whatever dialogues are open, so that a test that failed in one does not fail the next. */
  async closeDialogs(): Promise<void> {
    while ((await this.page.locator('.red-ui-tray').count()) > 0) await this.closeDialog();
  }

  /** Changes between the editor's themes; only Node-RED 5 has a dark one of its own. */
  async theme(name: 'light' | 'dark'): Promise<void> {
    await this.page.evaluate((isDark) => {
      const { documentElement } = (
        globalThis as unknown as {
          document: { documentElement: { classList: { toggle(name: string, on: boolean): void } } };
        }
      ).document;
      documentElement.classList.toggle('nr-theme-dark', isDark);
    }, name === 'dark');
  }

  /** Puts style sheets on top of the editor's own, as a theme that is configured does. Answers what takes them off. */
  async style(files: readonly string[]): Promise<() => Promise<void>> {
    const tags = await Promise.all(files.map((path) => this.page.addStyleTag({ path })));
    return async () => {
      for (const tag of tags)
        await tag.evaluate((style) => (style as unknown as { remove(): void }).remove());
    };
  }

  /** Saves what is to be seen, but for passing notifications, as test-output/editor/NAME.png. */
  async screenshot(name: string): Promise<string> {
    await mkdir(SCREENSHOTS, { recursive: true });
    const file = path.join(SCREENSHOTS, `${name}.png`);
    await this.page.screenshot({ path: file, style: '#red-ui-notifications { visibility: hidden }' });
    return file;
  }

  /** A tray slides in; what is measured or photographed before it has come to rest is somewhere else. */
  async trayAtRest(): Promise<void> {
    const tray = this.page.locator('.red-ui-tray').last();
    let before: string;
    let now = JSON.stringify(await tray.boundingBox());
    do {
      before = now;
      await this.page.waitForTimeout(150);
      now = JSON.stringify(await tray.boundingBox());
    } while (now !== before);
  }
}

/**
 * The catalogue keys that a dialogue shows untranslated: an element with `data-i18n` whose text, or attribute, is
 * empty or still the key.
 */
export async function untranslated(form: Locator): Promise<string[]> {
  const found: string[] = [];
  for (const element of await form.locator('[data-i18n]').all()) {
    const keys = (await element.getAttribute('data-i18n')) ?? '';
    for (const part of keys.split(';')) {
      const [, attribute = 'text', key = ''] = /^(?:\[(\w+)\])?(.+)$/.exec(part.trim()) ?? [];
      const isText = ['text', 'html', 'append', 'prepend'].includes(attribute);
      const shown = (isText ? await element.textContent() : await element.getAttribute(attribute)) ?? '';
      const withoutNamespace = key.slice(key.indexOf(':') + 1);
      if (shown.trim() === '' || shown.includes(withoutNamespace)) found.push(key);
    }
  }
  return found;
}
