import type { Page } from 'playwright-core';

/** What is drawn: the series of the ECharts instance that the Dashboard's chart has. */
export interface Drawn {
  useUTC: boolean;
  series: { name: string; data: [number, number][] }[];
}

/** A component, or an element, as Vue has drawn it. */
interface VNode {
  component?: {
    proxy?: { $options?: { name?: string }; chart?: { getOption(): Drawn } };
    subTree?: VNode;
  } | null;
  suspense?: { activeBranch?: VNode } | null;
  children?: unknown;
}

/** Runs in the page. The Dashboard gives no way to its chart: it is looked for in the components that Vue has drawn. */
export function chartInPage(): Drawn | undefined {
  const root = (document.querySelector('#app') as unknown as { _vnode?: VNode } | null)?._vnode;
  const left: unknown[] = [root];
  while (left.length > 0) {
    const node = left.pop();
    if (typeof node !== 'object' || node === null) continue;
    const { component, suspense, children } = node as VNode;
    const proxy = component?.proxy;
    if (proxy?.$options?.name === 'DBUIChart' && proxy.chart) {
      const { useUTC, series } = proxy.chart.getOption();
      return {
        useUTC,
        series: series.map(({ name, data }) => ({ name, data: data.map(([x, y]) => [x, y]) })),
      };
    }
    left.push(
      component?.subTree,
      suspense?.activeBranch,
      ...(Array.isArray(children) ? (children as unknown[]) : []),
    );
  }
  return undefined;
}

/** Strong colours, other than grey, that many pixels of the chart have. */
export async function colours(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector('canvas');
    const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const counts = new Map<string, number>();
    for (let i = 0; i < pixels.length; i += 4) {
      const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.slice(i, i + 4);
      if (alpha < 255 || Math.max(red, green, blue) - Math.min(red, green, blue) < 60) continue;
      const colour = `${red},${green},${blue}`;
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    return [...counts.values()].filter((count) => count > 50).length;
  });
}

/** The contrast of a text with what is behind it, as WCAG 2 reckons it. */
export async function contrast(page: Page, selector: string): Promise<number> {
  return page.evaluate((where) => {
    const parts = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (rgb: number[]): number => {
      const [r = 0, g = 0, b = 0] = rgb.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const element = document.querySelector(where);
    if (element === null) throw new Error(`no ${where}`);
    let behind: number[] = [255, 255, 255];
    for (let one: Element | null = element; one; one = one.parentElement) {
      const ground = parts(getComputedStyle(one).backgroundColor);
      if (ground[3] === 0) continue;
      behind = ground;
      break;
    }
    const [r = 0, g = 0, b = 0, alpha = 1] = parts(getComputedStyle(element).color);
    const text = [r, g, b].map((part, i) => part * alpha + (behind[i] ?? 0) * (1 - alpha));
    const [a, c] = [luminance(text), luminance(behind.slice(0, 3))];
    return (Math.max(a, c) + 0.05) / (Math.min(a, c) + 0.05);
  }, selector);
}
