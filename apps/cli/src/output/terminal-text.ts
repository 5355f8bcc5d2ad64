import { randomBytes } from "node:crypto";

/** How text is set off, where the terminal shows it. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/**
 * Begins a mark, which stands for a colour until `toTerminal` writes the real one. Text from elsewhere cannot forge a mark, as each
 * process has its own.
 */
const markStart = `\u001b${randomBytes(8).toString("hex")}:`;
const marks = new RegExp(`(${markStart}\\d+m)`, "g");

/** Returns text with marks in it, which only `toTerminal` turns into what a terminal understands. */
export function createStyle(colored: boolean): Style {
  const mark = (code: number) => `${markStart}${code}m`;
  const set = (on: number, off: number) => (text: string) => (colored ? `${mark(on)}${text}${mark(off)}` : text);
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

/**
 * What a terminal could take for something else than a character to show: control characters (C0, DEL, C1), line and paragraph
 * separators, what turns the direction of text around, and what is invisible.
 */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Returns text from elsewhere as it can be shown: what is not safe is written as in JSON, such as `\u001b`. Doing it twice does no harm. */
export function escapeText(text: string): string {
  return text.replace(unsafe, escapeCharacter);
}

/** Returns JSON of the same value that is safe to show: within strings, every such character may be written as an escape. */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (character) => (character === "\n" ? character : escapeCharacter(character)));
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  // One escape for each UTF-16 unit, as JSON has it.
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

/** Returns text with all but its own marks escaped, so that it can be measured and cut. */
export function escapeAroundMarks(text: string): string {
  const parts = text.split(marks);
  return parts.map((part) => (part.startsWith(markStart) ? part : escapeText(part))).join("");
}

/** Returns one line as a terminal or a log may get it: escaped, with what its marks stand for. */
export function toTerminal(line: string): string {
  return escapeAroundMarks(line).replace(marks, (mark) => `\u001b[${mark.slice(markStart.length)}`);
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

/** Columns that a line takes: marks take none. */
export function textWidth(text: string): number {
  return text.replace(marks, "").length;
}

/** Cuts a line to `width` columns, with `…` as its last; marks are kept, so that what was set ends. */
export function fit(line: string, width: number): string {
  const text = escapeAroundMarks(line);
  if (textWidth(text) <= width) return text;
  let room = Math.max(0, width - 1);
  let cut = false;
  return text
    .split(marks)
    .map((part) => {
      if (part.startsWith(markStart)) return part;
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
