/** How text is set off, where the terminal shows it. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

export function createStyle(colored: boolean): Style {
  const set = (on: number, off: number) => (text: string) => (colored ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return {
    bold: set(1, 22),
    dim: set(2, 22),
    red: set(31, 39),
    green: set(32, 39),
    yellow: set(33, 39),
    cyan: set(36, 39),
  };
}

/**
 * Whether to color what goes to `stream`: NO_COLOR forbids it, FORCE_COLOR demands it, else a terminal that can
 * (no-color.org, force-color.org). `color` says what the user set for mote alone, and goes first.
 */
export function isColored(
  stream: { readonly isTTY?: boolean },
  env: NodeJS.ProcessEnv,
  color: "auto" | "always" | "never" = "auto",
): boolean {
  if (color !== "auto") return color === "always";
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Breaks at spaces; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const escapes = /(\u001b\[[0-9;]*m)/g;

/** Columns that a line takes: escapes take none. */
export function textWidth(text: string): number {
  return text.replace(escapes, "").length;
}

/** Cuts a line to `width` columns, with `…` as its last; escapes are kept, so that what was set ends. */
export function fit(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let room = Math.max(0, width - 1);
  let cut = false;
  return text
    .split(escapes)
    .map((part) => {
      if (part.startsWith("\u001b[")) return part;
      if (cut) return "";
      if (part.length <= room) {
        room -= part.length;
        return part;
      }
      cut = true;
      return `${part.slice(0, room)}…`;
    })
    .join("");
}
