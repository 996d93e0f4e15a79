/** Looks at a form in the page; loaded into the editor by the tests, so it has no imports and no exports. */

interface FaintText {
  text: string;
  contrast: number;
  colours: string;
}

type Colour = [red: number, green: number, blue: number, alpha: number];

/** Of `rgb(214, 97, 95)` or, where colours were mixed, `color(srgb 0.84 0.38 0.37)`. */
function parsedColour(text: string): Colour {
  const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/\d*\.?\d+/g) ?? []).map(Number);
  const most = text.startsWith('color(srgb') ? 255 : 1;
  return [red * most, green * most, blue * most, alpha];
}

function blended(top: Colour, behind: Colour): Colour {
  const mix = (index: 0 | 1 | 2): number => top[index] * top[3] + behind[index] * (1 - top[3]);
  return [mix(0), mix(1), mix(2), 1];
}

function colourBehind(element: Element | null): Colour {
  if (element === null) return [255, 255, 255, 1];
  const own = parsedColour(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own : blended(own, colourBehind(element.parentElement));
}

/** Source: WCAG 2.1, definition of relative luminance. */
function luminance([red, green, blue]: Colour): number {
  const linear = (value: number): number =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function contrastOf(one: Colour, other: Colour): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/**
 * The texts in a form, placeholders included, whose contrast is below that of WCAG 2.1, level AA: 4.5, or 3 for large
 * ones. What is disabled need not have it.
 */
function faintTexts(root: Element): FaintText[] {
  const faint: FaintText[] = [];
  const check = (text: string, style: CSSStyleDeclaration, behind: Colour): void => {
    const colour = parsedColour(style.color);
    colour[3] *= Number(style.opacity);
    const contrast = contrastOf(blended(colour, behind), behind);
    const isLarge = parseFloat(style.fontSize) >= (Number(style.fontWeight) >= 700 ? 18.66 : 24);
    if (contrast < (isLarge ? 3 : 4.5))
      faint.push({ text, contrast, colours: `${style.color} on ${behind.join()}` });
  };
  for (const element of root.querySelectorAll('*')) {
    if (!isShown(element) || element.matches('option')) continue;
    const style = getComputedStyle(element);
    const behind = colourBehind(element);
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = own
      .map(({ nodeValue }) => nodeValue ?? '')
      .join('')
      .trim();
    if (text !== '') check(text, style, behind);
    if (!(element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)) continue;
    // Their value is not shown.
    if (element.matches('[type=checkbox], [type=radio]')) continue;
    if (element.value !== '') check(element.value, style, behind);
    else if (element.placeholder !== '')
      check(element.placeholder, getComputedStyle(element, '::placeholder'), behind);
  }
  return faint;
}

/** Whether it is to be seen and can be used. */
function isShown(element: Element): boolean {
  return element.checkVisibility({ visibilityProperty: true }) && !element.matches(':disabled, .disabled');
}

/** Marks what can be operated in a form and has not had the focus; answers how much that is. */
function markUnfocused(root: Element): number {
  const operable = 'input:not([type=hidden]), select, textarea, button, summary, a.red-ui-button, a[href]';
  const shown = [...root.querySelectorAll<HTMLElement>(operable)].filter(isShown);
  for (const element of shown) element.dataset.testUnfocused = '';
  root.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLElement) delete target.dataset.testUnfocused;
  });
  shown[0]?.focus();
  return shown.length;
}

Object.assign(globalThis, { faintTexts, markUnfocused });
