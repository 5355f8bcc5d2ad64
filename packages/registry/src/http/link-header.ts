/** A link of a `Link` header (RFC 8288, section 3). Parameter names are in lower case; the first duplicate wins. */
export interface Link {
  readonly target: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Parses all links in linear time. A syntax error ends its header value; earlier links are kept. */
export function parseLinks(values: readonly string[]): readonly Link[] {
  return values.flatMap((value) => [...new LinkReader(value).links()]);
}

/** Returns the target of the first link with this relation. */
export function linkTarget(values: readonly string[], relation: string): string | undefined {
  const isIt = ({ parameters }: Link) => parameters.rel?.toLowerCase().split(/\s+/).includes(relation) ?? false;
  return parseLinks(values).find(isIt)?.target;
}

const spaces: ReadonlySet<string> = new Set([" ", "\t"]);
const endOfToken: ReadonlySet<string> = new Set([" ", "\t", "=", ";", ",", '"']);

class LinkReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *links(): Generator<Link, void, undefined> {
    for (;;) {
      this.#skip(new Set([...spaces, ","]));
      if (this.#text[this.#at] !== "<") return;
      const end = this.#text.indexOf(">", this.#at);
      if (end < 0) return;
      const target = this.#text.slice(this.#at + 1, end);
      this.#at = end + 1;
      yield { target, parameters: this.#parameters() };
    }
  }

  #parameters(): Record<string, string> {
    const parameters: Record<string, string> = Object.create(null);
    for (;;) {
      this.#skip(spaces);
      if (this.#text[this.#at] !== ";") return parameters;
      this.#at++;
      this.#skip(spaces);
      const name = this.#token().toLowerCase();
      this.#skip(spaces);
      let value = "";
      if (this.#text[this.#at] === "=") {
        this.#at++;
        this.#skip(spaces);
        value = this.#text[this.#at] === '"' ? this.#quoted() : this.#token();
      }
      if (name !== "") parameters[name] ??= value;
    }
  }

  #token(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !endOfToken.has(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #quoted(): string {
    const parts: string[] = [];
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (char === '"') {
        this.#at++;
        break;
      }
      if (char === "\\") this.#at++;
      parts.push(this.#text[this.#at] ?? "");
    }
    return parts.join("");
  }

  #skip(chars: ReadonlySet<string>): void {
    while (chars.has(this.#text[this.#at] ?? "")) this.#at++;
  }
}
