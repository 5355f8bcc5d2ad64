/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). Names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const tokenCharacters = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
// Not in the grammar, but some servers send single quotes.
const parameter = new RegExp(`^(${tokenCharacters})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)'|([^\\s",]+))`);
const scheme = new RegExp(`^(${tokenCharacters})(?=[ \\t,]|$)`);
const token68 = /^[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/;

/** Parses all challenges in order. A syntax error ends its header value; earlier challenges are kept. */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const values = header === undefined ? [] : typeof header === "string" ? [header] : header;
  return values.flatMap(parseValue);
}

function parseValue(value: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let rest = value;
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, "");
    if (rest === "") return challenges;
    const current = challenges.at(-1);
    const found = parameter.exec(rest);
    if (found !== null && current !== undefined) {
      const [whole, name = "", quoted, single, plain = ""] = found;
      // The first duplicate wins, so nothing appended to a header can override it.
      current.parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? single ?? plain;
      rest = rest.slice(whole.length);
      continue;
    }
    const opened = scheme.exec(rest);
    if (opened === null) return challenges;
    const [name] = opened;
    challenges.push({ scheme: name.toLowerCase(), parameters: Object.create(null) });
    rest = rest.slice(name.length).replace(/^[ \t]+/, "");
    // `Negotiate YWJj` carries one opaque value instead of parameters.
    if (!parameter.test(rest)) rest = rest.replace(token68, "");
  }
}
