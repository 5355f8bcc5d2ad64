import { redactUrls } from "@mote/core";
import { LiveLines } from "../progress/live-lines.js";
import { isClosedByReader, stdoutError } from "./stdout-error.js";
import { createStyle, escapeJson, isColored, type Style, toTerminal } from "./terminal-text.js";

/** The output of a command: results go to stdout, all else to stderr. Every line is written here, where untrusted text is escaped. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Lines on stderr that progress redraws. Undefined if stderr is not a terminal, and under `--quiet` and `--json`. */
  readonly live: LiveLines | undefined;
  /** Columns of the terminal. Undefined if stdout is a file or a pipe, where lines are not cut. */
  readonly columns: number | undefined;
  /** The style of text on stdout. */
  readonly style: Style;
  /** The style of notes and progress on stderr. */
  readonly noteStyle: Style;
  /** Prints the result: one JSON document under `--json`, otherwise the lines. */
  result(document: unknown, lines: readonly string[]): void;
  /** Prints an event as a JSON line under `--json=events`. */
  event(event: object): void;
  /** Prints a line for people. Does nothing under `--quiet` or `--json`. */
  note(line: string): void;
  warn(message: string): void;
  /** Redirects results and events to stderr, because stdout carries content. */
  leaveStdout(): void;
  /** Writes bytes to stdout unchanged. */
  write(bytes: Uint8Array): Promise<void>;
}

export type Color = "auto" | "always" | "never";

interface OutputOptions {
  /** `events`: a JSON line for each event and for the result. */
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
    // A terminal of unknown size reports 0 columns.
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
      if (json !== "events") return;
      results.write(jsonText({ event }), (error) => {
        // The work is not done yet: without its reader, the command has failed.
        if (error) throw stdoutError(error);
      });
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
        stdout.write(bytes, (error) => {
          if (!error) resolve();
          else if (isClosedByReader(error)) process.exit(0);
          else reject(stdoutError(error));
        });
      });
    },
  };
}

/** Returns a document as JSON with a newline. Characters that a terminal would interpret are escaped. */
export function jsonText(document: unknown, indent?: number): string {
  return `${escapeJson(JSON.stringify(document, undefined, indent))}\n`;
}

/** Returns a message on one line. Removes users, passwords and queries from URLs in it. */
export function oneLine(text: string): string {
  return redactUrls(text)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}
