import path from 'node:path';
import type { Locator, Page } from 'playwright-core';

const REPOSITORY = path.resolve(__dirname, '../../..');
const IN_BROWSER = path.join(REPOSITORY, 'dist', 'editor', 'test', 'editor', 'form.browser.js');

/** A text that is hard to read: what it says, its contrast, and the colours. */
export interface FaintText {
  text: string;
  contrast: number;
  colours: string;
}

/** What a user can operate, by the roles that browsers tell assistive technology. */
const OPERABLE = ['textbox', 'combobox', 'checkbox', 'button', 'spinbutton', 'searchbox', 'link', 'listbox'];

/** Runs a function of form.browser.ts on a form in the page. */
async function inBrowser(form: Locator, name: 'faintTexts' | 'markUnfocused'): Promise<unknown> {
  await form.page().addScriptTag({ path: IN_BROWSER });
  return form.evaluate(
    (root, call) => (globalThis as unknown as Record<string, (root: unknown) => unknown>)[call]?.(root),
    name,
  );
}

/** The texts in a form whose contrast is below that of WCAG 2.1, level AA. */
export async function faintTexts(form: Locator): Promise<FaintText[]> {
  return (await inBrowser(form, 'faintTexts')) as FaintText[];
}

/** Fields and buttons of a form that have no name for assistive technology, by their HTML. */
export async function unnamed(form: Locator): Promise<string[]> {
  const page = form.page();
  await form.evaluate((element) => {
    element.setAttribute('data-test-root', '');
  });
  const session = await page.context().newCDPSession(page);
  try {
    const { result } = await session.send('Runtime.evaluate', {
      expression: "document.querySelector('[data-test-root]')",
    });
    const { nodes } = await session.send('Accessibility.queryAXTree', { objectId: result.objectId ?? '' });
    const nameless = nodes.filter(
      ({ ignored, role, name }) =>
        !ignored && OPERABLE.includes(String(role?.value)) && String(name?.value ?? '').trim() === '',
    );
    const found: string[] = [];
    for (const { backendDOMNodeId } of nameless) {
      if (backendDOMNodeId === undefined) continue;
      const { outerHTML } = await session.send('DOM.getOuterHTML', { backendNodeId: backendDOMNodeId });
      found.push(outerHTML.slice(0, 200));
    }
    return found;
  } finally {
    await session.detach();
    await form.evaluate((element) => {
      element.removeAttribute('data-test-root');
    });
  }
}

/** What can be operated in a form but is not reached by Tab from its first field on, by its HTML. */
export async function unreachable(form: Locator): Promise<string[]> {
  const page: Page = form.page();
  const total = (await inBrowser(form, 'markUnfocused')) as number;
  const left = form.locator('[data-test-unfocused]');
  for (let step = 0; step < total * 2 && (await left.count()) > 0; step++) await page.keyboard.press('Tab');
  return left.evaluateAll((elements) => elements.map(({ outerHTML }) => outerHTML.slice(0, 200)));
}
