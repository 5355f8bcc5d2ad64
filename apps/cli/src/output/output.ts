import { hideUrlSecrets } from "@mote/core";
import { LiveLines } from "../progress/live-lines.js";
import { createStyle, escapeJson, isColored, type Style, toTerminal } from "./terminal-text.js";

/**
 * Where a command writes. Results go to stdout; progress, warnings and errors to stderr. This is the one place where text from
 * elsewhere is escaped, so every line comes through here, and is one line.
 */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Lines on stderr that progress may draw again and again. None where that is no terminal, and under `--quiet` and `--json`. */
  readonly live: LiveLines | undefined;
  /** Columns of the terminal that stdout is; none where it is a file or a pipe, in which nothing is to be cut. */
  readonly columns: number | undefined;
  /** How text on stdout is set off. */
  readonly style: Style;
  /** How text on stderr is set off: that of notes and progress. */
  readonly noteStyle: Style;
  /** The result: one JSON document under `--json`, else the lines. */
  result(document: unknown, lines: readonly string[]): void;
  /** Under `--json=events`, a line of JSON as soon as something happens. */
  event(event: object): void;
  /** A line for people, beside the result. Nothing under `--quiet` or `--json`. */
  note(line: string): void;
  warn(message: string): void;
  /** Lets results and events go to stderr from now on: stdout carries content. */
  leaveStdout(): void;
  /** Bytes of the result, as they are. */
  write(bytes: Uint8Array): Promise<void>;
}

export type Color = "auto" | "always" | "never";

interface OutputOptions {
  /** `events`: a line of JSON for each event, and for the result. */
  readonly json: boolean | "events";
  readonly quiet: boolean;
  readonly color?: Color | undefined;
}

export function createOutput({ json, quiet, color }: OutputOptions): Output {
  const { stdout, stderr, env } = process;
  let results: NodeJS.WriteStream = stdout;
  const silent = quiet || json !== false;
  const live = stderr.isTTY && env.TERM !== "dumb" && !silent ? new LiveLines(stderr) : undefined;
  const say = (line: string) => (live ? live.above(line) : stderr.write(`${toTerminal(line)}\n`));
  const noteStyle = createStyle(isColored(stderr, env, color));
  return {
    json: json !== false,
    quiet,
    live,
    // A terminal that does not know its size says 0.
    columns: stdout.isTTY ? stdout.columns || 80 : undefined,
    style: createStyle(isColored(stdout, env, color)),
    noteStyle,
    result(document, lines) {
      live?.clear();
      if (json === "events") results.write(jsonText({ result: document }));
      else if (json) results.write(jsonText(document, 2));
      else if (lines.length > 0) results.write(`${lines.map(toTerminal).join("\n")}\n`);
    },
    event(event) {
      if (json === "events") results.write(jsonText({ event }));
    },
    leaveStdout() {
      results = stderr;
    },
    note(line) {
      if (!silent) say(line);
    },
    warn(message) {
      if (!quiet) say(`mote: ${noteStyle.yellow("warning:")} ${oneLine(message)}`);
    },
    write(bytes) {
      return new Promise((resolve, reject) => {
        stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    },
  };
}

/** Returns a document as JSON, which ends its line, with nothing in it that a terminal would not just show. */
export function jsonText(document: unknown, indent?: number): string {
  return `${escapeJson(JSON.stringify(document, undefined, indent))}\n`;
}

/** Returns a message on one line: where it had several, they are joined. URLs in it are without users, passwords and queries. */
export function oneLine(text: string): string {
  return hideUrlSecrets(text)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}
