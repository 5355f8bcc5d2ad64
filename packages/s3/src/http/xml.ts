/** An element of a parsed document. Attributes, comments and namespaces are ignored. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** S3's documents have fewer levels. */
const maxDepth = 16;
const token = /<(?:\?[^>]*\?|!--[\s\S]*?--|(\/?)([A-Za-z_][\w.:-]*)(?:\s[^<>]*?)?(\/?))>|([^<]+)/gy;

/** Parses the XML of an S3 response. @throws SyntaxError */
export function parseXml(document: string): XmlElement {
  const root = { name: "", text: "", children: [] as XmlElement[] };
  const open: { name: string; text: string; children: XmlElement[] }[] = [root];
  const text = document.replace(/^\ufeff/, "");
  token.lastIndex = 0;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    const found = token.exec(text);
    if (found === null) throw new SyntaxError(`not valid XML at character ${at}`);
    const [, end, name, isEmpty, content] = found;
    const current = open.at(-1) ?? root;
    if (content !== undefined) current.text += decodeEntities(content);
    else if (name === undefined) continue;
    else if (end === "/") {
      if (open.length < 2 || current.name !== localName(name)) throw new SyntaxError(`unexpected </${name}>`);
      open.pop();
    } else {
      const element = { name: localName(name), text: "", children: [] };
      current.children.push(element);
      if (isEmpty !== "/" && open.push(element) > maxDepth) throw new SyntaxError("too many nested elements");
    }
  }
  const [element, ...others] = root.children;
  if (element === undefined || others.length > 0 || open.length > 1 || root.text.trim() !== "")
    throw new SyntaxError("not one complete XML element");
  return element;
}

/** Returns the text of a child element; undefined if there is none. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** Returns all child elements with the name. */
export function childElements(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** Escapes text for the content of an element. */
export function escapeXml(text: string): string {
  return text.replace(
    /[<>&"']|[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu,
    (char) => `&#${char.codePointAt(0)};`,
  );
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([a-z]{2,4}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return named[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
