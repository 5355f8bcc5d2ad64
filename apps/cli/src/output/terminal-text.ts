import { randomBytes } from "node:crypto";

/** Text styles, which have no effect where colors are off. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** The start of a mark, which `toTerminal` replaces by an escape sequence. It is random, so that untrusted text cannot forge one. */
const markStart = `\u001b${randomBytes(8).toString("hex")}:`;
const marks = new RegExp(`(${markStart}\\d+m)`, "g");

/** Returns styles that put marks into text. `toTerminal` replaces them with escape sequences. */
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

/** Returns whether to color `stream`: as `color` says, else NO_COLOR and FORCE_COLOR, else on terminals (no-color.org, force-color.org). */
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

/** Characters that a terminal may interpret: controls, line and paragraph separators, bidirectional controls, invisible characters. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Escapes unsafe characters of untrusted text as in JSON, such as `\u001b`. Idempotent. */
export function escapeText(text: string): string {
  return text.replace(unsafe, escapeCharacter);
}

/** Escapes unsafe characters in JSON, which keeps its value. */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (character) => (character === "\n" ? character : escapeCharacter(character)));
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  // One escape for each UTF-16 code unit, as in JSON.
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

/** Escapes text except for its marks, so that it can be measured and cut. */
export function escapeAroundMarks(text: string): string {
  const parts = text.split(marks);
  return parts.map((part) => (part.startsWith(markStart) ? part : escapeText(part))).join("");
}

/** Returns a line for a terminal or a log: escaped, with escape sequences for its marks. */
export function toTerminal(line: string): string {
  return escapeAroundMarks(line).replace(marks, (mark) => `\u001b[${mark.slice(markStart.length)}`);
}

/** Wraps text at spaces. Words longer than a line are not broken. */
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

/** Returns the columns of a line, without marks. */
export function textWidth(text: string): number {
  return text.replace(marks, "").length;
}

/** Cuts a line to `width` columns, the last being `…`. All marks are kept, so that every style ends. */
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
