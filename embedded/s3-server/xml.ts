/** An XML element's content: text, or child elements in order; a list repeats the element. */
export type XmlContent = string | number | boolean | XmlElements;
export interface XmlElements {
  [name: string]: XmlContent | XmlContent[] | undefined;
}

/**
 * Text as XML character data. Control characters become numeric references, as S3 sends them: XML 1.0 has no
 * other way, and a carriage return would come back as a line feed.
 */
function escapeXml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/\p{Cc}/gu, (character) => `&#${character.charCodeAt(0)};`);
}

function render(content: XmlContent): string {
  return typeof content === 'object' ? renderElements(content) : escapeXml(String(content));
}

function renderElement(name: string, content: XmlContent): string {
  return `<${name}>${render(content)}</${name}>`;
}

function renderElements(elements: XmlElements): string {
  return Object.entries(elements)
    .flatMap(([name, content]) => {
      if (content === undefined) return [];
      return Array.isArray(content)
        ? content.map((item) => renderElement(name, item))
        : [renderElement(name, content)];
    })
    .join('');
}

/** A whole document in S3's namespace (errors have none). Elements that are `undefined` are left out. */
export function xmlDocument(root: string, content: XmlContent): string {
  const namespace = root === 'Error' ? '' : ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${namespace}>${render(content)}</${root}>`;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]+)|#([0-9]+)|([a-z]+));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? whole;
      const codePoint = hex === undefined ? Number.parseInt(decimal ?? '', 10) : Number.parseInt(hex, 16);
      return codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : whole;
    },
  );
}

/** The inner XML of each `name` element in `xml`, in order. Enough for the two flat bodies that S3 clients send. */
export function innerXml(xml: string, name: string): string[] {
  return Array.from(
    xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g')),
    (match) => match[1] ?? '',
  );
}

/** The text of the first `name` element in `xml`. */
export function textOf(xml: string, name: string): string | undefined {
  const inner = innerXml(xml, name)[0];
  return inner === undefined ? undefined : unescapeXml(inner);
}
