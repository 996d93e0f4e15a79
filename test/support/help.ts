/** The help of a node, read as HTML. */
export interface Help {
  /** What `data-help-name` says. */
  type: string;
  /** Tags in their order, `/` for those that end one. */
  tags: string[];
  /** Headings with their level, such as `h3 Inputs`. */
  headings: string[];
  /** Texts of the terms, without what stands in `property-type`. */
  terms: string[];
  /** What stands in `code`, in its order. */
  codes: string[];
  links: string[];
  /** All text. */
  text: string;
  /** What is wrong with the HTML; empty when nothing is. */
  faults: string[];
}

const ALLOWED = /^(?:script|p|h[34]|dl|dt|dd|ul|ol|li|code|i|b|a|span)$/;

/** Reads one help file, as it lies in `nodes/locales/LANGUAGE/TYPE.html`. */
export function readHelp(html: string): Help {
  const faults: string[] = [];
  const open: string[] = [];
  const tags: string[] = [];
  for (const [, slash = '', name = ''] of html.matchAll(/<(\/?)([a-zA-Z0-9]+)[^<>]*>/g)) {
    tags.push(slash + name);
    if (!ALLOWED.test(name)) faults.push(`<${name}> has no place in help`);
    if (slash === '') open.push(name);
    else if (open.pop() !== name) faults.push(`</${name}> ends nothing`);
  }
  if (open.length > 0) faults.push(`<${open.join('>, <')}> are not ended`);
  const bare = html.replace(/<\/?[a-zA-Z0-9]+(?:\s+[a-z-]+="[^"<>]*")*\s*>/g, '');
  if (/[<>]/.test(bare)) faults.push('a < or > is not written as an entity');
  if (/&(?!(?:lt|gt|amp|nbsp);)/.test(bare)) faults.push('an & is not written as an entity');
  const contents = (tag: string): string[] =>
    [...html.matchAll(new RegExp(`<${tag}(?:\\s[^>]*)?>(.*?)</${tag}>`, 'gs'))].map(
      ([, inner = '']) => inner,
    );
  return {
    type: /data-help-name="([^"]+)"/.exec(html)?.[1] ?? '',
    tags,
    headings: [...html.matchAll(/<(h[34])>(.*?)<\/h[34]>/gs)].map(
      ([, level, text]) => `${level} ${plain(text)}`,
    ),
    terms: contents('dt').map((term) => plain(term.replace(/<span class="property-type">.*?<\/span>/gs, ''))),
    codes: contents('code').map(plain),
    links: [...html.matchAll(/<a href="([^"]+)"/g)].map(([, link = '']) => link),
    text: plain(html),
    faults,
  };
}

function plain(html = ''): string {
  return html
    .replace(/<[^>]+>/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
