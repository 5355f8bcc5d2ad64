import { hideUrlSecrets, MoteError } from "@mote/core";
import { UsageError } from "../input/usage-error.js";
import { ConfigError } from "../settings/config-error.js";
import { type Color, jsonText, oneLine } from "./output.js";
import { createStyle, isColored, toTerminal } from "./terminal-text.js";

/** What to do about an error, where its message cannot know: it comes from a package, which knows nothing of commands. */
const advice: Readonly<Record<string, string>> = {
  MOTE_EXISTS: "--force replaces what is there",
  MOTE_NO_PLATFORM: "--all-platforms takes every platform",
  MOTE_CORRUPT: "run `mote verify` to find and set aside what is damaged",
};

/** The same, where it is the cache that fails. */
const cacheAdvice: Readonly<Record<string, string>> = {
  MOTE_UNWRITABLE: "choose another folder with --cache DIR, or mend the permissions",
  MOTE_NO_SPACE: "free space, for instance with `mote prune --max-size 1GB`",
};

interface FailureOptions {
  readonly json: boolean;
  /** The cache folder, as far as it is known by then. */
  readonly cache?: string | undefined;
  readonly color?: Color | undefined;
  /** The user has stopped the command: how things are then. Exit status 130. */
  readonly interrupted?: string | undefined;
}

/** One line on stderr (one document under `--json`), never a stack. Answers the exit status. */
export function reportFailure(error: unknown, { json, cache, color, interrupted }: FailureOptions): number {
  const { code, message, details } = describe(error, interrupted);
  if (json) {
    process.stderr.write(
      jsonText({ error: { code, message, ...(details ? { details: withoutSecrets(details) } : {}) } }),
    );
  } else {
    const own = isFinal(details) || isMissing(details) ? undefined : advice[code];
    const hint = own ?? (isWithin(cache, details) ? cacheAdvice[code] : undefined);
    const { red } = createStyle(isColored(process.stderr, process.env, color));
    const line = `${red("mote:")} ${message}${hint && !message.includes(hint) ? `; ${hint}` : ""}`;
    process.stderr.write(`${toTerminal(line)}\n`);
  }
  if (code === "MOTE_INTERRUPTED") return 130;
  return code === "MOTE_USAGE" ? 2 : 1;
}

/** What `--force` does not replace either. */
function isFinal(details: object | undefined): boolean {
  return details !== undefined && "isReplaceable" in details && details.isReplaceable === false;
}

/** A platform that an index lists and the source does not have: no other option brings it. */
function isMissing(details: object | undefined): boolean {
  return details !== undefined && "missing" in details;
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
  const message = oneLine(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) return { code: "MOTE_USAGE", message };
  if (MoteError.isInstance(error) || error instanceof ConfigError)
    return { code: error.code, message, details: error.details };
  return { code: "MOTE_UNEXPECTED", message };
}

/** Details repeat what was given, and that may have been a URL with a password in it. */
function withoutSecrets(details: object): unknown {
  const hide = (_key: string, value: unknown) => (typeof value === "string" ? hideUrlSecrets(value) : value);
  return JSON.parse(JSON.stringify(details, hide));
}
