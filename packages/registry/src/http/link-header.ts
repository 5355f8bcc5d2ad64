/** A link of a `Link` header (RFC 8288, section 3). Parameter names are in lower case; the first duplicate wins. */
export interface Link {
  readonly target: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** No pattern backtracks, so that any text is parsed in linear time. */
const link = /[ \t,]*<([^>]*)>/y;
const parameter = /[ \t]*;[ \t]*([^ \t=;,"]*)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]+|\\.)*)"?|([^ \t=;,"]*)))?/sy;

/** Parses all links. A syntax error ends its header value; earlier links are kept. */
export function parseLinks(values: readonly string[]): readonly Link[] {
  return values.flatMap(parseValue);
}

/** Returns the target of the first link with this relation. */
export function linkTarget(values: readonly string[], relation: string): string | undefined {
  const isIt = ({ parameters }: Link) => parameters.rel?.toLowerCase().split(/\s+/).includes(relation) ?? false;
  return parseLinks(values).find(isIt)?.target;
}

function parseValue(value: string): Link[] {
  const links: Link[] = [];
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(value);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (let found = take(link); found !== null; found = take(link)) {
    const parameters: Record<string, string> = Object.create(null);
    links.push({ target: found[1] ?? "", parameters });
    for (let next = take(parameter); next !== null; next = take(parameter)) {
      const [, name = "", quoted, plain = ""] = next;
      if (name !== "") parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/gs, "$1") ?? plain;
    }
  }
  return links;
}
