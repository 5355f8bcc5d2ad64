import { MoteError, messageOf, redactUrls } from "@mote/core";
import { UsageError } from "../input/usage-error.js";
import { type Color, jsonText, oneLine } from "./output.js";
import { createStyle, isColored, toTerminal } from "./terminal-text.js";

/** What to do about an error that a package reports without knowing the commands. */
const advice: Readonly<Record<string, string>> = {
  MOTE_EXISTS: "use --force to replace it",
  MOTE_NO_PLATFORM: "use --all-platforms to transfer every platform",
};

/** What to do if the error concerns the cache directory. */
const cacheAdvice: Readonly<Record<string, string>> = {
  MOTE_CORRUPT: "run `mote verify` to quarantine damaged files",
  MOTE_UNWRITABLE: "choose another directory with --cache DIR, or fix the permissions",
  MOTE_NO_SPACE: "free disk space, for example with `mote prune --max-size 1GB`",
};

interface FailureOptions {
  readonly json: boolean;
  /** The cache directory, if it is known yet. */
  readonly cache?: string | undefined;
  readonly color?: Color | undefined;
  /** Set if the user interrupted the command: the state after that, for the message. */
  readonly interrupted?: string | undefined;
}

/** Reports an error as one line on stderr (one document under `--json`), never a stack trace. Returns the exit status. */
export function reportFailure(error: unknown, { json, cache, color, interrupted }: FailureOptions): number {
  const { code, message, details } = describe(error, interrupted);
  if (json) {
    process.stderr.write(jsonText({ error: { code, message, details: details && withoutSecrets(details) } }));
  } else {
    const { isReplaceable, missing }: Record<string, unknown> = { ...details };
    // No option replaces what is not replaceable, or provides a platform that the source lacks; some messages have their own advice.
    const hasAdvice = isReplaceable === false || missing !== undefined || message.includes("with --platform");
    const own = hasAdvice ? undefined : advice[code];
    const hint = own ?? (isWithin(cache, details) ? cacheAdvice[code] : undefined);
    const { red } = createStyle(isColored(process.stderr, process.env, color));
    const line = `${red("mote:")} ${message}${hint && !message.includes(hint) ? `; ${hint}` : ""}`;
    process.stderr.write(`${toTerminal(line)}\n`);
  }
  if (code === "MOTE_INTERRUPTED") return 130;
  return code === "MOTE_USAGE" ? 2 : 1;
}

function isWithin(cache: string | undefined, details: object | undefined): boolean {
  if (cache === undefined || details === undefined || !("path" in details)) return false;
  return details.path === cache || String(details.path).startsWith(`${cache}/`);
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details?: object | undefined;
}

function describe(error: unknown, interrupted: string | undefined): Failure {
  if (interrupted !== undefined) {
    return { code: "MOTE_INTERRUPTED", message: interrupted === "" ? "interrupted" : `interrupted; ${interrupted}` };
  }
  const message = oneLine(messageOf(error));
  if (error instanceof UsageError) return { code: "MOTE_USAGE", message };
  if (MoteError.isInstance(error)) return { code: error.code, message, details: error.details };
  return { code: "MOTE_UNEXPECTED", message };
}

/** Removes passwords from URLs, which details may repeat from the input. */
function withoutSecrets(details: object): unknown {
  const hide = (_key: string, value: unknown) => (typeof value === "string" ? redactUrls(value) : value);
  return JSON.parse(JSON.stringify(details, hide));
}
