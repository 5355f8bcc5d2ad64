import { MoteError } from "@mote/core";
import { UsageError } from "./usage-error.js";

/** Where a command writes. Results go to stdout; progress, warnings and errors to stderr. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether progress may redraw lines. */
  readonly interactive: boolean;
  /** The result: one JSON document under `--json`, else the lines. */
  result(document: unknown, lines: readonly string[]): void;
  /** A line for people, beside the result. Nothing under `--quiet` or `--json`. */
  note(line: string): void;
  warn(message: string): void;
  /** Bytes of the result, as they are. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

export function createOutput({ json, quiet }: OutputOptions): Output {
  return {
    json,
    quiet,
    interactive: process.stderr.isTTY === true && !quiet && !json,
    result(document, lines) {
      if (json) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
      else if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
    },
    note(line) {
      if (!quiet && !json) process.stderr.write(`${line}\n`);
    },
    warn(message) {
      if (!quiet) process.stderr.write(`mote: warning: ${oneLine(message)}\n`);
    },
    write(bytes) {
      return new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    },
  };
}

/** What to do about an error, where its message cannot know: it comes from a package, which knows nothing of commands. */
const advice: Readonly<Record<string, string>> = {
  MOTE_UNAUTHORIZED: "put the credentials where `docker login` or `podman login` keeps them",
  MOTE_UNREACHABLE: "check the name and the port; a registry without TLS wants --plain-http",
  MOTE_UNWRITABLE: "choose another folder with --cache DIR, or mend the permissions",
  MOTE_NO_SPACE: "free space, for instance with `mote prune --max-size 1GB`",
  MOTE_EXISTS: "--force replaces files",
  MOTE_CORRUPT: "run `mote verify` to find and set aside what is damaged",
};

/** One line on stderr (one document under `--json`), never a stack. Answers the exit status. */
export function reportFailure(error: unknown, { json }: OutputOptions): number {
  const message = oneLine(error instanceof Error ? error.message : String(error));
  const isUsage = error instanceof UsageError;
  const code = isUsage ? "MOTE_USAGE" : MoteError.isInstance(error) ? error.code : "MOTE_UNEXPECTED";
  if (json) {
    const details = MoteError.isInstance(error) ? error.details : undefined;
    process.stderr.write(`${JSON.stringify({ error: { code, message, ...(details ? { details } : {}) } })}\n`);
  } else {
    const hint = advice[code];
    process.stderr.write(`mote: ${message}${hint && !message.includes(hint) ? `; ${hint}` : ""}\n`);
  }
  return isUsage ? 2 : 1;
}

/** Control characters of a server's answer never reach the terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
