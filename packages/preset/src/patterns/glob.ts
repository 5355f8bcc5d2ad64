export interface GlobOptions {
  /** Whether `*`, `?` and sets also match a slash, as `**` does. Default: those of `tagFilter` do, and those of `glob` do not. */
  readonly acrossSlashes?: boolean | undefined;
}

/** A step consumes one character; `repeats` if it may consume any number of them, none included. */
interface Step {
  readonly accepts: (character: string) => boolean;
  readonly repeats: boolean;
}

/** The maximum number of patterns that the braces of one expand to. */
const maxExpanded = 1000;

/**
 * Returns a matcher of complete texts: `*` matches any characters, `?` one, `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, and
 * `**` also slashes; `**` + `/` matches any folders or none. A backslash makes the next character a plain one.
 */
export function glob(pattern: string, options: GlobOptions = {}): (text: string) => boolean {
  const matchers = expand(pattern).map((each) => parse(each, options));
  return (text) => matchers.some((steps) => matches(steps, text));
}

/**
 * Returns a filter of tags or names by globs, in any order. It selects what matches one of them, or anything if there are none without
 * `!`, and nothing that matches one after a `!`. By default, a `*` also matches slashes.
 */
export function tagFilter(
  patterns: readonly string[],
  { acrossSlashes = true }: GlobOptions = {},
): (tag: string) => boolean {
  const matcher = (pattern: string) => glob(pattern, { acrossSlashes });
  const excluded = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => matcher(pattern.slice(1)));
  const selected = patterns.filter((pattern) => !pattern.startsWith("!")).map(matcher);
  return (tag) =>
    (selected.length === 0 || selected.some((matches) => matches(tag))) && !excluded.some((matches) => matches(tag));
}

/** Takes time in proportion to the product of both lengths, whatever the pattern: names come from elsewhere. */
function matches(steps: readonly Step[], text: string): boolean {
  let states = reached([0], steps);
  for (const character of text) {
    const next: number[] = [];
    for (const at of states) {
      const step = steps[at];
      if (step?.accepts(character)) next.push(step.repeats ? at : at + 1);
    }
    if (next.length === 0) return false;
    states = reached(next, steps);
  }
  return states.has(steps.length);
}

/** Adds the states behind steps that may consume nothing. */
function reached(from: readonly number[], steps: readonly Step[]): ReadonlySet<number> {
  const states = new Set(from);
  for (const at of states) if (steps[at]?.repeats) states.add(at + 1);
  return states;
}

function parse(pattern: string, { acrossSlashes = false }: GlobOptions): Step[] {
  const isAllowed = (character: string) => acrossSlashes || character !== "/";
  const steps: Step[] = [];
  const one = (accepts: Step["accepts"]) => steps.push({ accepts, repeats: false });
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") {
      const isDouble = characters[at + 1] === "*";
      while (characters[at + 1] === "*") at++;
      steps.push({ accepts: isDouble ? () => true : isAllowed, repeats: true });
    } else if (character === "?") one(isAllowed);
    else if (character === "[" && setEnd(characters, at) > 0) {
      const end = setEnd(characters, at);
      const isIn = setOf(characters.slice(at + 1, end));
      one((each) => isAllowed(each) && isIn(each));
      at = end;
    } else {
      const plain = character === "\\" && at + 1 < characters.length ? (characters[++at] ?? "") : character;
      one((each) => each === plain);
    }
  }
  return steps;
}

/** Returns where a set ends, or -1. A `]` at its beginning belongs to it. */
function setEnd(characters: readonly string[], start: number): number {
  const first = /[!^]/.test(characters[start + 1] ?? "") ? start + 2 : start + 1;
  return characters.indexOf("]", first + 1);
}

function setOf(characters: readonly string[]): (character: string) => boolean {
  const isNegated = /[!^]/.test(characters[0] ?? "");
  const ranges: (readonly [string, string])[] = [];
  for (let at = isNegated ? 1 : 0; at < characters.length; at++) {
    const [from = "", dash, to] = characters.slice(at, at + 3);
    const isRange = dash === "-" && to !== undefined;
    ranges.push([from, isRange ? to : from]);
    if (isRange) at += 2;
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== isNegated;
}

/** Expands braces, and each `**` + `/` at the beginning of a segment to folders or none. */
function expand(pattern: string): string[] {
  const done: string[] = [];
  const waiting = [pattern];
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const found = alternatives(text);
    if (found === undefined || done.length + waiting.length + found.length > maxExpanded) done.push(text);
    else waiting.push(...found.reverse());
  }
  return done;
}

function alternatives(text: string): string[] | undefined {
  // An expanded `**` becomes `***`, which matches the same and is not expanded again.
  const folders = /(^|\/)\*\*\//.exec(text);
  if (folders !== null) {
    const before = text.slice(0, folders.index) + (folders[1] ?? "");
    const after = text.slice(folders.index + folders[0].length);
    return [`${before}***/${after}`, before + after];
  }
  const { open, end, commas } = outerBraces(text);
  if (end < 0) return undefined;
  const bounds = [open, ...commas, end];
  return bounds
    .slice(1)
    .map((bound, at) => text.slice(0, open) + text.slice((bounds[at] ?? 0) + 1, bound) + text.slice(end + 1));
}

/** Returns the first braces with a comma in them; `end` is -1 if there are none. */
function outerBraces(text: string): {
  readonly open: number;
  readonly end: number;
  readonly commas: readonly number[];
} {
  for (let open = text.indexOf("{"); open >= 0; open = text.indexOf("{", open + 1)) {
    if (text[open - 1] === "\\") continue;
    const commas: number[] = [];
    let depth = 0;
    for (let at = open; at < text.length; at++) {
      if (text[at] === "\\") at++;
      else if (text[at] === "{") depth++;
      else if (text[at] === "," && depth === 1) commas.push(at);
      else if (text[at] === "}" && --depth === 0) {
        if (commas.length > 0) return { open, end: at, commas };
        break;
      }
    }
  }
  return { open: -1, end: -1, commas: [] };
}
